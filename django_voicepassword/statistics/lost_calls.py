"""Find the provider's row of a call whose answer never came: by number, channel and time."""

from __future__ import annotations

from collections import defaultdict
from datetime import date, datetime, timedelta

from django.utils import timezone

from django_voicepassword.models import CallRequest
from django_voicepassword.provider.dates import Moments, day_bounds, for_field
from django_voicepassword.provider.protocol import DailyRow

#: A call without an id is one that the provider listed, if its time is at most this far from ours.
BEFORE, AFTER = timedelta(minutes=2), timedelta(minutes=5)
#: What a call is noted with that was found by number, time and channel.
MATCHED_BY_TIME = "matched_by_time"
#: Number -> calls of ours to it without an id: their answer never came.
LostCalls = dict[str, list[CallRequest]]


def find_lost_calls(day: date) -> LostCalls:
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
    """Give calls of ours without an id the id of the row that must be theirs: by number, channel
    and the nearest time.
    """
    if not lost:
        return
    for row in chunk:
        candidates = lost.get(row.number)
        if not candidates:
            continue
        occurred = moments.aware(row.date)
        fitting = [
            call
            for call in candidates
            if (call.channel == CallRequest.Channel.SMS) == row.is_sms
            and _is_near(call.claimed_at, occurred)
        ]
        if not fitting or occurred is None:
            continue
        # Ours of this id are known already: this row is theirs, not the lost one's.
        if any((known == CallRequest.Channel.SMS) == row.is_sms for known in _channels_of(row.id)):
            continue
        nearest = min(
            fitting, key=lambda call: abs((_aware(call.claimed_at) or occurred) - occurred)
        )
        CallRequest.objects.filter(pk=nearest.pk, provider_id="").update(
            provider_id=row.id, error_code=MATCHED_BY_TIME
        )
        candidates.remove(nearest)


def _channels_of(provider_id: str) -> list[str]:
    return list(
        CallRequest.objects.filter(provider_id=provider_id).values_list("channel", flat=True)
    )


def _is_near(claimed: datetime | None, occurred: datetime | None) -> bool:
    moment = _aware(claimed)
    return moment is not None and occurred is not None and -BEFORE <= occurred - moment <= AFTER


def _aware(moment: datetime | None) -> datetime | None:
    """A moment as the database gives it: naive in the site's zone where USE_TZ is off."""
    return moment if moment is None or timezone.is_aware(moment) else timezone.make_aware(moment)
