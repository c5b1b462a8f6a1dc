"""Search by text: a number, its ending, an id, a user's name or an address.

An index answers each search.
"""

from __future__ import annotations

from itertools import takewhile
from typing import Any, TypeVar
from uuid import UUID

from django.contrib.auth import get_user_model
from django.db.models import Model, Q, QuerySet

from django_voicepassword import phones
from django_voicepassword.exceptions import InvalidPhone
from django_voicepassword.history.reader import Reader
from django_voicepassword.limits import client_ip
from django_voicepassword.models import CallRequest, RefusedAttempt, Verification, VerifiedPhone
from django_voicepassword.models.provider_text import is_storable
from django_voicepassword.security import masking

Row = TypeVar("Row", bound=Model)

#: Of the calls of a user, or of those to an ending whose verifications are searched for, only this
#: many are looked at: the newest.
MOST = 1000
#: A text of this many digits is a whole number; one of at least this many is an ending.
_WHOLE, _ENDING = 10, 2
#: Characters that people write between the digits of a number. An exported file has an apostrophe
#: before the plus.
_SEPARATORS = str.maketrans("", "", "+ ()-.'\u00a0\u2011\u2013")
#: The length of the field ``phone_ending``: the longest ending that anybody may search for.
_LONGEST_ENDING = 4


def search_calls(calls: QuerySet[CallRequest], text: str, reader: Reader) -> QuerySet[CallRequest]:
    """Return the calls that ``text`` finds.

    It finds the last digits of a number (two to four; more for a reader who sees whole numbers), a
    whole number in any spelling, the provider's id, the id of a verification, or the beginning of a
    user's name. An address finds no calls: see ``refusals_beside``.

    Raises RateLimited: see ``Reader.note_search``.
    """
    typed, text = text, clean(text)
    if not text:
        return _without_text(calls, typed)
    if client_address(text):
        # Its digits and dots could be a number too.
        return calls.none()
    if (number := _whole_number(text, reader)) is not None:
        return calls.filter(Q(phone=number) | Q(provider_id=text))
    if _is_digits(digits := _digits(text)):
        return calls.filter(_by_ending(digits, reader) | Q(provider_id=text))
    if (key := _uuid(text)) is not None:
        return calls.filter(verification_id=key)
    of_users = (
        CallRequest.objects.filter(verification__user_id__in=_users(text, reader))
        .order_by("-id")
        .values_list("pk", flat=True)
    )
    same_id = CallRequest.objects.filter(provider_id=text).values_list("pk", flat=True)
    # Keys, not subqueries: for two subqueries joined by OR, PostgreSQL would read the whole
    # history.
    return calls.filter(pk__in=[*of_users[:MOST], *same_id[:MOST]])


def search_verifications(
    verifications: QuerySet[Verification], text: str, reader: Reader
) -> QuerySet[Verification]:
    """Return the verifications that ``text`` finds, as in ``search_calls``.

    It finds a whole number, its last digits, the id of a verification, or the beginning of a user's
    name.
    """
    typed, text = text, clean(text)
    if not text:
        return _without_text(verifications, typed)
    if (number := _whole_number(text, reader)) is not None:
        return verifications.filter(phone=number)
    if _is_digits(digits := _digits(text)):
        calls = CallRequest.objects.filter(
            _by_ending(digits, reader), verification__isnull=False
        ).order_by("-created_at")
        return verifications.filter(
            pk__in=set(calls.values_list("verification_id", flat=True)[:MOST])
        )
    if (key := _uuid(text)) is not None:
        return verifications.filter(pk=key)
    return verifications.filter(user_id__in=_users(text, reader))


def search_phones(
    verified: QuerySet[VerifiedPhone], text: str, reader: Reader
) -> QuerySet[VerifiedPhone]:
    """Return the verified phones that ``text`` finds, as in ``search_calls``.

    It finds a whole number, its last digits, or the beginning of a user's name.
    """
    typed, text = text, clean(text)
    if not text:
        return _without_text(verified, typed)
    if (number := _whole_number(text, reader)) is not None:
        return verified.filter(phone=number)
    if _is_digits(digits := _digits(text)):
        return verified.filter(_by_ending(digits, reader))
    return verified.filter(user_id__in=_users(text, reader))


def search_refusals(
    attempts: QuerySet[RefusedAttempt], text: str, reader: Reader
) -> QuerySet[RefusedAttempt]:
    """Return the refused attempts that ``text`` finds, as in ``search_calls``.

    It finds a whole number, its last digits, or a client's address.
    """
    typed, text = text, clean(text)
    if not text:
        return _without_text(attempts, typed)
    if not client_address(text):
        _whole_number(text, reader)
    return _refusals(attempts, text, reader)


def refusals_beside(text: str, reader: Reader) -> QuerySet[RefusedAttempt]:
    """Return the refused attempts that belong to a search in the call history, the newest first.

    ``search_calls`` was called with the same text and has noted the search.
    """
    return _refusals(RefusedAttempt.objects.order_by("-last_at", "-id"), clean(text), reader)


def _refusals(
    attempts: QuerySet[RefusedAttempt], text: str, reader: Reader
) -> QuerySet[RefusedAttempt]:
    if address := client_address(text):
        return attempts.filter(address=address)
    if (number := _number(text)) is not None:
        return attempts.filter(phone=number)
    digits = _digits(text)
    return attempts.filter(_by_ending(digits, reader)) if _is_digits(digits) else attempts.none()


def client_address(text: str) -> str:
    """Return the address ``text`` as the limits count it; "" where it is none.

    Logs of web servers write addresses with a port, or IPv4 ones as IPv6.
    """
    return client_ip.canonical(clean(text)) or ""


def whole_number(text: str) -> str | None:
    """Return the canonical form of the number ``text``; None where it is not a whole number."""
    text = clean(text)
    if not _is_digits(_digits(text)):
        return None
    try:
        return phones.normalize(text)
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


def _is_digits(text: str) -> bool:
    return text.isascii() and text.isdigit()


def _whole_number(text: str, reader: Reader) -> str | None:
    """Return what ``_number`` returns, and note the search. Raises RateLimited."""
    number = _number(text)
    if number is not None:
        reader.note_search()
    return number


def _number(text: str) -> str | None:
    """Return the number that ``text`` is; None where it is no whole number.

    An invalid number of ten digits or more is returned as it is: it may be imported.
    """
    digits, number = _digits(text), whole_number(text)
    if number is None and _is_digits(digits) and len(digits) >= _WHOLE:
        return digits
    return number


def _by_ending(digits: str, reader: Reader) -> Q:
    """Return the condition for numbers with this ending.

    With endings of any length, a reader could learn a whole number digit by digit.
    """
    longest = _WHOLE if reader.sees_whole_numbers else _LONGEST_ENDING
    if not _ENDING <= len(digits) <= longest:
        return Q(pk__in=[])
    ending = digits[::-1][:_LONGEST_ENDING]
    if len(digits) < _LONGEST_ENDING:
        last = _last_with_prefix(ending, _LONGEST_ENDING)
        return Q(phone_ending__gte=ending, phone_ending__lte=last)
    same_ending = Q(phone_ending=ending)
    # The index narrows the search to four digits; the other ones are compared row by row.
    return same_ending & Q(phone__endswith=digits) if len(digits) > _LONGEST_ENDING else same_ending


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


def _users(name: str, reader: Reader) -> list[Any]:
    """Return the keys of at most 100 users whose name is or begins with ``name``.

    In some projects the name is a phone number, or contains one. A reader who sees it masked finds
    such a user by the whole name or by what comes before the number. Raises RateLimited.
    """
    if masking.has_number(name):
        reader.note_search()
    model = get_user_model()
    field = model.USERNAME_FIELD
    if not is_storable(name, model, field, model._default_manager.db):
        return []
    users = model._default_manager.filter(Q(**{field: name}) | Q(**{f"{field}__startswith": name}))
    found = list(users.order_by().values_list("pk", field)[:100])
    if reader.sees_whole_numbers:
        return [key for key, _ in found]
    return [
        key
        for key, full_name in found
        if len(full_name) == len(name) or len(name) <= _shown_beginning(full_name)
    ]


def _shown_beginning(name: str) -> int:
    """Return how many characters of ``name`` come before the first one that is masked."""
    masked = masking.mask_name(name)
    return sum(
        1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(name, masked, strict=False))
    )
