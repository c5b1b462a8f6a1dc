"""Search by text: a number or a part of it, an id, a user or an address.

An index answers each search.
"""

from __future__ import annotations

from typing import TypeVar

from django.db.models import Model, Q, QuerySet

from django_voicepassword.history import numbers
from django_voicepassword.history.reader import Reader
from django_voicepassword.history.texts import clean, client_address, uuid_of
from django_voicepassword.history.users import users_named
from django_voicepassword.models import CallRequest, RefusedAttempt, Verification, VerifiedPhone

Row = TypeVar("Row", bound=Model)

#: Of the calls of a user, or of those to an ending whose verifications are searched for, only this
#: many are looked at: the newest.
MOST = 1000


def search_calls(calls: QuerySet[CallRequest], text: str, reader: Reader) -> QuerySet[CallRequest]:
    """Return the calls that ``text`` finds.

    It finds the last digits of a number (see ``numbers.condition``), a whole number in any
    spelling, the provider's id, the id of a verification, or a user (see ``users_named``). An
    address finds no calls: see ``refusals_beside``.

    Raises RateLimited: see ``Reader.note_search``.
    """
    typed, text = text, clean(text)
    if not text:
        return _without_text(calls, typed)
    if client_address(text):
        # Its digits and dots could be a number too.
        return calls.none()
    if (number := numbers.noted_number(text, reader)) is not None:
        return calls.filter(Q(phone=number) | Q(provider_id=text))
    if numbers.digits_of(text):
        return calls.filter(numbers.condition(text, reader) | Q(provider_id=text))
    if (key := uuid_of(text)) is not None:
        return calls.filter(verification_id=key)
    of_users = (
        CallRequest.objects.filter(verification__user_id__in=users_named(text, reader))
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

    It finds a whole number, its last digits, the id of a verification, or a user.
    """
    typed, text = text, clean(text)
    if not text:
        return _without_text(verifications, typed)
    if (number := numbers.noted_number(text, reader)) is not None:
        return verifications.filter(phone=number)
    if numbers.digits_of(text):
        calls = CallRequest.objects.filter(
            numbers.condition(text, reader), verification__isnull=False
        ).order_by("-created_at")
        return verifications.filter(
            pk__in=set(calls.values_list("verification_id", flat=True)[:MOST])
        )
    if (key := uuid_of(text)) is not None:
        return verifications.filter(pk=key)
    return verifications.filter(user_id__in=users_named(text, reader))


def search_phones(
    verified: QuerySet[VerifiedPhone], text: str, reader: Reader
) -> QuerySet[VerifiedPhone]:
    """Return the verified phones that ``text`` finds, as in ``search_calls``.

    It finds a whole number, its last digits, or a user.
    """
    typed, text = text, clean(text)
    if not text:
        return _without_text(verified, typed)
    if (number := numbers.noted_number(text, reader)) is not None:
        return verified.filter(phone=number)
    if numbers.digits_of(text):
        return verified.filter(numbers.condition(text, reader))
    return verified.filter(user_id__in=users_named(text, reader))


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
        numbers.noted_number(text, reader)
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
    if (number := numbers.number_of(text)) is not None:
        return attempts.filter(phone=number)
    return attempts.filter(numbers.condition(text, reader))


def _without_text(rows: QuerySet[Row], typed: str) -> QuerySet[Row]:
    """Return all rows where nothing was typed, and none where nothing legible was."""
    return rows.none() if typed.strip() else rows
