"""Find the provider's row of a call whose reply never arrived: by number, channel and time."""

from __future__ import annotations

from collections import defaultdict
from datetime import date, datetime, timedelta

from django_voicepassword.models import CallRequest
from django_voicepassword.models.moments import as_aware
from django_voicepassword.provider.dates import Moments, day_bounds, for_field
from django_voicepassword.provider.protocol import DailyRow

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


def match_lost_calls(lost: LostCalls, chunk: list[DailyRow], moments: Moments) -> None:
    """Give each lost call the id of its row in ``chunk``: same number and kind, nearest in time.

    Calls that were found are removed from ``lost``.
    """
    if not lost:
        return
    for row in chunk:
        candidates = lost.get(row.number)
        occurred = moments.aware(row.date) if candidates else None
        if not candidates or occurred is None:
            continue
        nearest = _nearest(candidates, row.is_sms, occurred)
        # A row whose id one of our calls already has belongs to that call.
        if nearest is None or _is_known(row):
            continue
        CallRequest.objects.filter(pk=nearest.pk, provider_id="").update(
            provider_id=row.id, error_code=MATCHED_BY_TIME
        )
        candidates.remove(nearest)


def _nearest(calls: list[CallRequest], is_sms: bool, occurred: datetime) -> CallRequest | None:
    """Return the call nearest to ``occurred`` within the tolerance; None where there is none."""
    near: list[tuple[timedelta, CallRequest]] = []
    for call in calls:
        if call.claimed_at is None or _is_sms(call.channel) != is_sms:
            continue
        delay = occurred - as_aware(call.claimed_at)
        if -BEFORE <= delay <= AFTER:
            near.append((abs(delay), call))
    return min(near, key=lambda candidate: candidate[0])[1] if near else None


def _is_known(row: DailyRow) -> bool:
    """Return whether a call of ours has the id of ``row`` and is of its kind."""
    channels = CallRequest.objects.filter(provider_id=row.id).values_list("channel", flat=True)
    return any(_is_sms(channel) == row.is_sms for channel in channels)


def _is_sms(channel: str) -> bool:
    return channel == CallRequest.Channel.SMS
