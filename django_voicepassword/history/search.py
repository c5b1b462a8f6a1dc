"""What a person means by a text: a number, its ending, an id or a name; each found by an index."""

from __future__ import annotations

from typing import Any, TypeVar
from uuid import UUID

from django.contrib.auth import get_user_model
from django.db.models import Model, Q, QuerySet

from django_voicepassword import phones
from django_voicepassword.exceptions import InvalidPhone
from django_voicepassword.models import CallRequest, Verification, VerifiedPhone

Row = TypeVar("Row", bound=Model)

#: Rows that a search by name looks through at most, the newest.
MOST = 1000
#: Digits from which on a text is a whole number, and digits that an ending has at least.
_WHOLE, _ENDING = 10, 2
#: What people put between the digits of a number; the apostrophe is before a plus in an exported
#: file.
_BETWEEN = str.maketrans("", "", "+ ()-.'\u00a0\u2011\u2013")
#: So long are at most a phone number and its ending that is kept apart.
_LONGEST_PHONE, _LONGEST_ENDING = 15, 4


def search_calls(calls: QuerySet[CallRequest], text: str) -> QuerySet[CallRequest]:
    """The calls that a person means by ``text``.

    The last digits of a number (two or more), a whole number in any spelling, an id of the
    provider's, the id of a verification, or the beginning of a user's name. Nothing for what is
    none of them.
    """
    typed, text = text, clean(text)
    digits = _digits(text)
    if not text:
        return _unasked(calls, typed)
    if digits.isascii() and digits.isdigit():
        return calls.filter(_by_digits(digits) | Q(provider_id=text))
    if (key := _uuid(text)) is not None:
        return calls.filter(verification_id=key)
    found = (
        CallRequest.objects.filter(verification__user_id__in=_users(text))
        .order_by("-id")
        .values_list("pk", flat=True)
    )
    same_id = CallRequest.objects.filter(provider_id=text).values_list("pk", flat=True)
    # Keys, not subqueries: of two subqueries joined by OR PostgreSQL would read the whole history.
    return calls.filter(pk__in=[*found[:MOST], *same_id[:MOST]])


def search_verifications(
    verifications: QuerySet[Verification], text: str
) -> QuerySet[Verification]:
    """The verifications that a person means: by number, the last digits of one, id, or user's name.
    See ``search_calls``.
    """
    typed, text = text, clean(text)
    digits = _digits(text)
    if not text:
        return _unasked(verifications, typed)
    if digits.isascii() and digits.isdigit():
        if len(digits) >= _WHOLE:
            return verifications.filter(phone=_whole(digits))
        calls = CallRequest.objects.filter(_by_digits(digits), verification__isnull=False).order_by(
            "-created_at"
        )
        return verifications.filter(
            pk__in=set(calls.values_list("verification_id", flat=True)[:MOST])
        )
    if (key := _uuid(text)) is not None:
        return verifications.filter(pk=key)
    return verifications.filter(user_id__in=_users(text))


def search_phones(verified: QuerySet[VerifiedPhone], text: str) -> QuerySet[VerifiedPhone]:
    """The proved numbers that a person means: by whole number, by the beginning of one, or by
    user's name.
    """
    typed, text = text, clean(text)
    digits = _digits(text)
    if not text:
        return _unasked(verified, typed)
    if digits.isascii() and digits.isdigit():
        if len(digits) >= _WHOLE:
            return verified.filter(phone=_whole(digits))
        return verified.filter(phone__gte=digits, phone__lte=_last(digits, _LONGEST_PHONE))
    return verified.filter(user_id__in=_users(text))


def whole_number(text: str) -> str | None:
    """The number that ``text`` is, in its one spelling; None where it is no whole number."""
    try:
        return phones.normalize(clean(text))
    except InvalidPhone:
        return None


def clean(text: str) -> str:
    """What was typed, as every database takes it."""
    return (
        "".join(character for character in text[:200] if character.isprintable())
        .encode(errors="ignore")
        .decode()
        .strip()
    )


def _digits(text: str) -> str:
    """Without what people put between digits; of a masked number, ``+7 *** ***-**-67``, what is
    left to see at its end.
    """
    return text.rpartition("*")[2].translate(_BETWEEN)


def _by_digits(digits: str) -> Q:
    if len(digits) >= _WHOLE:
        return Q(phone=_whole(digits))
    if len(digits) < _ENDING:
        return Q(pk__in=[])
    ending = digits[::-1][:_LONGEST_ENDING]
    if len(digits) < _LONGEST_ENDING:
        return Q(phone_ending__gte=ending, phone_ending__lte=_last(ending, _LONGEST_ENDING))
    found = Q(phone_ending=ending)
    return found & Q(phone__endswith=digits) if len(digits) > _LONGEST_ENDING else found


def _whole(digits: str) -> str:
    """A whole number in its one spelling; what is no valid number may have been imported as it is."""
    return whole_number(digits) or digits


def _last(digits: str, longest: int) -> str:
    """The last of all numbers that begin with ``digits``: the end of a range that an index can
    walk.

    In digits alone: what follows the 9 depends on the collation, and a colon comes before it in
    most languages.
    """
    return digits.ljust(longest, "9")


def _unasked(rows: QuerySet[Row], typed: str) -> QuerySet[Row]:
    """Nothing typed is no question; nothing legible is one without an answer."""
    return rows.none() if typed.strip() else rows


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


def _users(name: str) -> list[Any]:
    """Keys of users whose name is or begins with ``name``."""
    model = get_user_model()
    field = model.USERNAME_FIELD
    users = model._default_manager.filter(Q(**{field: name}) | Q(**{f"{field}__startswith": name}))
    return list(users.order_by().values_list("pk", flat=True)[:100])
