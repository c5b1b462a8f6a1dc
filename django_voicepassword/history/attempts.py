"""What is known of a person: verifications with their calls, calls of others, refused attempts.

Each query is bounded and answered by an index, however many rows the person has.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, TypeVar

from django.db.models import Model, QuerySet

from django_voicepassword.models import CallRequest, RefusedAttempt, Verification

Row = TypeVar("Row", bound=Model)

#: How many attempts a page shows.
PAGE = 20


@dataclass(frozen=True)
class Attempt:
    """One verification with its calls (oldest first), one call without, or refused attempts."""

    moment: datetime
    phone: str = field(repr=False)
    verification: Verification | None = None
    calls: tuple[CallRequest, ...] = ()
    refusal: RefusedAttempt | None = None

    @property
    def last_at(self) -> datetime:
        """When something happened to it last, as far as its row and those of its calls tell."""
        moments = [self.moment, *(call.created_at for call in self.calls)]
        if self.verification is not None and self.verification.closed_at is not None:
            moments.append(self.verification.closed_at)
        return max(moments)


@dataclass(frozen=True)
class Page:
    """The attempts of a page, newest first.

    ``older`` is the moment before which the next page begins; None on the last page.
    """

    attempts: list[Attempt]
    older: datetime | None


def attempts(phones: Sequence[str], user: Any = None, before: datetime | None = None) -> Page:
    """Return the newest attempts of a person that began before ``before``.

    They are those with one of the numbers, and those that ``user`` approved with other numbers.
    """
    verifications: list[Verification] = []
    found: list[Attempt] = []
    for phone in phones:
        verifications += _newest(Verification.objects.filter(phone=phone), "created_at", before)
        alone = CallRequest.objects.filter(phone=phone, verification=None)
        found += [
            Attempt(call.created_at, call.phone, calls=(call,))
            for call in _newest(alone, "created_at", before)
        ]
    if user is not None:
        others = Verification.objects.filter(user=user).exclude(phone__in=phones)
        verifications += _newest(others, "created_at", before)
    refused = RefusedAttempt.objects.filter(phone__in=phones)
    found += [
        Attempt(row.last_at, row.phone, refusal=row) for row in _newest(refused, "last_at", before)
    ]
    found += [Attempt(one.created_at, one.phone, one) for one in verifications]
    return _page(sorted(found, key=lambda attempt: attempt.moment, reverse=True))


def _newest(rows: QuerySet[Row], moment: str, before: datetime | None) -> list[Row]:
    if before is not None:
        rows = rows.filter(**{f"{moment}__lt": before})
    if rows.model is Verification:
        rows = rows.select_related("user")
    # One more than a page: it tells whether there is a next one.
    return list(rows.order_by(f"-{moment}")[: PAGE + 1])


def _page(found: list[Attempt]) -> Page:
    if len(found) <= PAGE:
        return Page(_with_calls(found), None)
    # The next page begins before the last moment of this one: attempts of one moment stay together.
    first_left = found[PAGE].moment
    shown = [attempt for attempt in found[:PAGE] if attempt.moment > first_left] or found[:PAGE]
    return Page(_with_calls(shown), shown[-1].moment)


def _with_calls(shown: list[Attempt]) -> list[Attempt]:
    """Return the attempts with the calls of their verifications."""
    verifications = {one.verification.pk: one.verification for one in shown if one.verification}
    calls: dict[Any, list[CallRequest]] = {key: [] for key in verifications}
    for call in CallRequest.objects.filter(verification_id__in=verifications).order_by("id"):
        key: Any = call.verification_id
        call.verification = verifications[key]
        calls[key].append(call)
    return [
        replace(attempt, calls=tuple(calls[attempt.verification.pk]))
        if attempt.verification
        else attempt
        for attempt in shown
    ]
