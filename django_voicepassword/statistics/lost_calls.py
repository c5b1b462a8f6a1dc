"""Find the provider's row of a call whose reply never arrived: by number, channel and time."""

from __future__ import annotations

from collections import defaultdict
from datetime import date, datetime, timedelta

from django_voicepassword.models import CallRequest
from django_voicepassword.models.moments import as_aware
from django_voicepassword.models.provider_days import day_bounds
from django_voicepassword.provider.dates import Moments, for_field
from django_voicepassword.provider.protocol import DailyRow
from django_voicepassword.security.masking import ERASED

#: The provider's date may be up to BEFORE earlier, or AFTER later, than our worker's claim.
BEFORE, AFTER = timedelta(minutes=2), timedelta(minutes=5)
#: ``error_code`` of a call that was found in this way.
MATCHED_BY_TIME = "matched_by_time"
#: Number -> our calls to it that have no provider's id, because the reply never arrived.
LostCalls = dict[str, list[CallRequest]]


def find_lost_calls(day: date) -> LostCalls:
    """Return the lost calls that a row of the provider's ``day`` can belong to."""
    begins, ends = day_bounds(day)
    lost: LostCalls = defaultdict(list)
    calls = CallRequest.objects.filter(
        provider_id="",
        origin=CallRequest.Origin.APP,
        state__in=[CallRequest.State.UNKNOWN, CallRequest.State.PLACING],
        claimed_at__gte=for_field(begins - AFTER),
        claimed_at__lt=for_field(ends + AFTER),
    )
    for call in calls.order_by("id").iterator(chunk_size=1000):
        lost[call.phone].append(call)
    return lost


def may_be_lost(lost: LostCalls, row: DailyRow, moments: Moments) -> bool:
    """Return whether ``row`` may belong to a lost call: to its number, or of an erased person."""
    if row.number in lost:
        return True
    return ERASED in lost and bool(_nearest_first(lost[ERASED], None, moments.aware(row.date)))


def match_lost_call(
    lost: LostCalls, row: DailyRow, is_sms: bool | None, occurred: datetime | None, database: str
) -> int | None:
    """Give the id of ``row`` to the lost call of its number that is nearest in time.

    With ``is_sms`` None any kind of call fits. A call whose number was erased is found by the time
    alone. Return the primary key of the call; None where there is none that no other row has found.
    """
    calls = lost.get(row.number) or lost.get(ERASED, [])
    for call in _nearest_first(calls, is_sms, occurred):
        found = CallRequest.objects.using(database).filter(pk=call.pk, provider_id="")
        if found.update(provider_id=row.id, error_code=MATCHED_BY_TIME):
            return int(call.pk)
    return None


def _nearest_first(
    calls: list[CallRequest], is_sms: bool | None, occurred: datetime | None
) -> list[CallRequest]:
    """Return the calls within the tolerance, the nearest to ``occurred`` first."""
    near: list[tuple[timedelta, CallRequest]] = []
    for call in calls:
        is_other_kind = is_sms is not None and _is_sms(call) != is_sms
        if call.claimed_at is None or occurred is None or is_other_kind:
            continue
        delay = occurred - as_aware(call.claimed_at)
        if -BEFORE <= delay <= AFTER:
            near.append((abs(delay), call))
    return [call for _, call in sorted(near, key=lambda candidate: candidate[0])]


def _is_sms(call: CallRequest) -> bool:
    return call.channel == CallRequest.Channel.SMS
