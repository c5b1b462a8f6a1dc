"""Search by text: a number, its ending, an id or a user's name. An index answers each search."""

from __future__ import annotations

from typing import Any, TypeVar
from uuid import UUID

from django.contrib.auth import get_user_model
from django.db.models import Model, Q, QuerySet

from django_voicepassword import phones
from django_voicepassword.exceptions import InvalidPhone
from django_voicepassword.models import CallRequest, Verification, VerifiedPhone

Row = TypeVar("Row", bound=Model)

#: Of the calls of a user, or of those to an ending whose verifications are searched for, only this
#: many are looked at: the newest.
MOST = 1000
#: A text of this many digits is a whole number; one of at least this many is an ending.
_WHOLE, _ENDING = 10, 2
#: Characters that people write between the digits of a number. An exported file has an apostrophe
#: before the plus.
_SEPARATORS = str.maketrans("", "", "+ ()-.'\u00a0\u2011\u2013")
#: The longest phone number, and the length of the field ``phone_ending``.
_LONGEST_PHONE, _LONGEST_ENDING = 15, 4


def search_calls(calls: QuerySet[CallRequest], text: str) -> QuerySet[CallRequest]:
    """Return the calls that ``text`` finds.

    It finds the last digits of a number (two or more), a whole number in any spelling, the
    provider's id, the id of a verification, or the beginning of a user's name.
    """
    typed, text = text, clean(text)
    digits = _digits(text)
    if not text:
        return _without_text(calls, typed)
    if digits.isascii() and digits.isdigit():
        return calls.filter(_by_digits(digits) | Q(provider_id=text))
    if (key := _uuid(text)) is not None:
        return calls.filter(verification_id=key)
    of_users = (
        CallRequest.objects.filter(verification__user_id__in=_users(text))
        .order_by("-id")
        .values_list("pk", flat=True)
    )
    same_id = CallRequest.objects.filter(provider_id=text).values_list("pk", flat=True)
    # Keys, not subqueries: for two subqueries joined by OR, PostgreSQL would read the whole
    # history.
    return calls.filter(pk__in=[*of_users[:MOST], *same_id[:MOST]])


def search_verifications(
    verifications: QuerySet[Verification], text: str
) -> QuerySet[Verification]:
    """Return the verifications that ``text`` finds, as in ``search_calls``.

    It finds a whole number, its last digits, the id of a verification, or the beginning of a user's
    name.
    """
    typed, text = text, clean(text)
    digits = _digits(text)
    if not text:
        return _without_text(verifications, typed)
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
    """Return the verified phones that ``text`` finds.

    It finds a whole number, the beginning of one, or the beginning of a user's name.
    """
    typed, text = text, clean(text)
    digits = _digits(text)
    if not text:
        return _without_text(verified, typed)
    if digits.isascii() and digits.isdigit():
        if len(digits) >= _WHOLE:
            return verified.filter(phone=_whole(digits))
        last = _last_with_prefix(digits, _LONGEST_PHONE)
        return verified.filter(phone__gte=digits, phone__lte=last)
    return verified.filter(user_id__in=_users(text))


def whole_number(text: str) -> str | None:
    """Return the canonical form of the number ``text``; None where it is not a whole number."""
    try:
        return phones.normalize(clean(text))
    except InvalidPhone:
        return None


def clean(text: str) -> str:
    """Return the text without characters that a database may refuse, such as NUL; cut to 200."""
    return (
        "".join(character for character in text[:200] if character.isprintable())
        .encode(errors="ignore")
        .decode()
        .strip()
    )


def _digits(text: str) -> str:
    """Return the text without separators; of a masked number its visible end.

    ``+7 *** ***-**-67`` becomes ``67``.
    """
    return text.rpartition("*")[2].translate(_SEPARATORS)


def _by_digits(digits: str) -> Q:
    """Return the condition for calls to a whole number, or to numbers with this ending."""
    if len(digits) >= _WHOLE:
        return Q(phone=_whole(digits))
    if len(digits) < _ENDING:
        return Q(pk__in=[])
    ending = digits[::-1][:_LONGEST_ENDING]
    if len(digits) < _LONGEST_ENDING:
        last = _last_with_prefix(ending, _LONGEST_ENDING)
        return Q(phone_ending__gte=ending, phone_ending__lte=last)
    same_ending = Q(phone_ending=ending)
    # The index narrows the search to four digits; the other ones are compared row by row.
    return same_ending & Q(phone__endswith=digits) if len(digits) > _LONGEST_ENDING else same_ending


def _whole(digits: str) -> str:
    """Return the canonical form of a number; an invalid one as it is, for it may be imported."""
    return whole_number(digits) or digits


def _last_with_prefix(digits: str, longest: int) -> str:
    """Return the last number that begins with ``digits``: the end of the range of an index scan.

    The end is a number too. A character after the 9, such as the colon in ASCII, would not do: in
    the collation of most languages it sorts before the digits.
    """
    return digits.ljust(longest, "9")


def _without_text(rows: QuerySet[Row], typed: str) -> QuerySet[Row]:
    """Return all rows where nothing was typed, and none where nothing legible was."""
    return rows.none() if typed.strip() else rows


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


def _users(name: str) -> list[Any]:
    """Return the keys of at most 100 users whose name is or begins with ``name``."""
    model = get_user_model()
    field = model.USERNAME_FIELD
    users = model._default_manager.filter(Q(**{field: name}) | Q(**{f"{field}__startswith": name}))
    return list(users.order_by().values_list("pk", flat=True)[:100])
