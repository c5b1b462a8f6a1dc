"""What the unproven lane did in a window of time: its sends, and its wrong guesses."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Count, Exists, OuterRef, Q, QuerySet, Sum
from django.db.models.functions import Substr

from django_voicepassword import phones
from django_voicepassword.limits.guard.subjects import SITE, Subject, wide_subjects_of
from django_voicepassword.limits.rates import CLOCK_SKEW
from django_voicepassword.models import CallRequest, Verification

#: How long a send, a refusal and a wrong guess count.
WINDOW = timedelta(hours=1)
_STATE = CallRequest.State
#: States of a call that the provider took and that is not known to have failed.
TAKEN = frozenset(
    {
        _STATE.PLACED,
        _STATE.DIALING,
        _STATE.ANSWERED,
        _STATE.NO_ANSWER,
        _STATE.BUSY,
        _STATE.CANCELED,
        _STATE.SMS_QUEUED,
        _STATE.SMS_SENT,
        _STATE.DELIVERED,
    }
)
#: Approved: a send that surely did not leave is not open either.
APPROVED = Q(is_open=False) & ~Q(state=_STATE.REFUSED)
#: As many first digits as ``phones.operator_prefix`` looks at.
_PREFIX_DIGITS = 5


@dataclass
class Tally:
    """Sends of one subject: approved ones, open ones, and those open ones that were taken.

    ``attempts`` is, for the site alone, how many guesses their verifications counted. One that was
    sent several times counts several times.
    """

    approved: int = 0
    open: int = 0
    taken: int = 0
    attempts: int = 0

    def failures(self, has_control: bool) -> int:
        """Return the open sends; without a control group those that the provider took."""
        return self.open if has_control else self.taken


@dataclass(frozen=True)
class Guesses:
    """Wrong guesses and approvals of verifications."""

    wrong: int = 0
    approved: int = 0


def own_sends(
    since: datetime, now: datetime, until: datetime | None = None
) -> QuerySet[CallRequest]:
    """Return the sends of both lanes after ``since``; those to test numbers and imported ones do
    not count. A send in the future was written before a clock stepped back.
    """
    until = until or now + timedelta(seconds=CLOCK_SKEW)
    window = CallRequest.objects.filter(created_at__gt=since, created_at__lte=until)
    own = window.filter(origin=CallRequest.Origin.APP)
    return own.exclude(service=CallRequest.TEST_SERVICE).order_by()


def unproven(
    since: datetime, now: datetime, until: datetime | None = None
) -> QuerySet[CallRequest]:
    """Return the sends of the unproven lane, see ``own_sends``."""
    return own_sends(since, now, until).filter(lane=CallRequest.Lane.UNPROVEN)


def tally(
    since: datetime, now: datetime, is_excused: Callable[[str], bool]
) -> dict[Subject, Tally]:
    """Count the unproven sends after ``since``, for each subject but the blocks.

    Sends to an operator prefix that is excused do not count.
    """
    groups = unproven(since, now).values_list(
        Substr("phone", 1, _PREFIX_DIGITS), "counted_address", "is_open", "state"
    )
    tallies: dict[Subject, Tally] = defaultdict(Tally)
    counted = groups.annotate(count=Count("id"), attempts=Sum("verification__attempts"))
    for start, address, is_open, state, count, attempts in counted:
        # An outage excuses no guesses.
        tallies[SITE].attempts += attempts or 0
        if is_excused(phones.operator_prefix(start)):
            continue
        for subject in wide_subjects_of(start, address):
            _add(tallies[subject], is_open, state, count)
    return tallies


def _add(tally: Tally, is_open: bool, state: str, count: int) -> None:
    if is_open:
        tally.open += count
        tally.taken += count if state in TAKEN else 0
    elif state != _STATE.REFUSED:
        tally.approved += count


def guesses(since: datetime, now: datetime, until: datetime | None = None) -> Guesses:
    """Count the wrong guesses at the verifications of the unproven lane since ``since``.

    The guesses are those that each verification has counted anyway, so no request writes a row that
    others share. A verification lives for CODE_TTL: its guesses are counted where it began.
    """
    until = until or now + timedelta(seconds=CLOCK_SKEW)
    calls = CallRequest.objects.filter(
        verification=OuterRef("pk"),
        lane=CallRequest.Lane.UNPROVEN,
        origin=CallRequest.Origin.APP,
    ).exclude(service=CallRequest.TEST_SERVICE)
    begun = Verification.objects.filter(created_at__gt=since, created_at__lte=until)
    counted = begun.filter(Exists(calls)).aggregate(
        attempts=Sum("attempts"),
        approved=Count("pk", filter=Q(status=Verification.Status.APPROVED)),
    )
    approved = counted["approved"]
    # The right guess is an attempt too.
    return Guesses(max((counted["attempts"] or 0) - approved, 0), approved)
