"""The books of the made-up days: what the provider's statistics said of them, and what the account
held.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from math import ceil
from zoneinfo import ZoneInfo

from django.db.models import Count, Min, Q, QuerySet, Sum

from demo_data.reports import synced
from demo_data.rhythm import NEVER, Day, Window
from django_voicepassword.conf import settings
from django_voicepassword.models import BalanceReading, CallRequest, DailyStatistics

HOUR = timedelta(hours=1)
#: The balance is read at this minute (``schedule.BEAT_SCHEDULE``), and a little later the answer is
#: there.
READ = timedelta(minutes=7)
#: Days in which every reading is kept, and the hour of the one that is kept of each day before.
HOURLY_DAYS, DAILY_HOUR = 14, 9
#: In kopecks: what an empty account has left, and the round sum of which a payment is a multiple.
LEFT, ROUND_SUM = 20, 50_000
#: A payment lasts so many days; it is made at this hour, once less than this part of it is left.
PAYMENT_DAYS, PAYMENT_HOUR, PAYMENT_DUE = 12, 11, 0.15


def write_day(day: Day, now: datetime) -> None:
    """The day as its last sync left it: counted from the calls that are there, also from those of
    earlier runs.
    """
    last = synced(now) - HOUR if synced(now) > now else now
    # Yesterday and today are read every hour.
    at = min(last, synced(day.ends + 23 * HOUR))
    if at < day.begins:
        return
    calls = CallRequest.objects.filter(created_at__gte=day.begins, created_at__lt=day.ends)
    listed = calls.filter(listed_at__isnull=False)
    values = listed.aggregate(
        rows=Count("pk"),
        total_price=Sum("price", default=Decimal(0)),
        matched=Count("pk", filter=Q(origin=CallRequest.Origin.APP)),
        imported=Count("pk", filter=Q(origin=CallRequest.Origin.IMPORTED)),
        mismatched=Count("pk", filter=Q(difference__gt=0)),
    )
    missing = _missing(calls.filter(created_at__lt=at)).count()
    values |= {
        "told_rows": values["rows"],
        "counts": _counts(listed),
        "missing": missing,
        "synced_at": at,
    }
    DailyStatistics.objects.update_or_create(date=day.date, defaults=values)


def _counts(calls: QuerySet[CallRequest]) -> dict[str, dict[str, int]]:
    counts: dict[str, dict[str, int]] = defaultdict(dict)
    for channel, state, number in (
        calls.order_by().values_list("channel", "state").annotate(number=Count("pk"))
    ):
        counts[channel][state] = number
    return dict(counts)


def _missing(calls: QuerySet[CallRequest]) -> QuerySet[CallRequest]:
    """What was sent and is not listed, as ``statistics.sync_day`` has it."""
    sent = calls.filter(listed_at__isnull=True, claimed_at__isnull=False).exclude(
        service=CallRequest.TEST_SERVICE
    )
    return sent.exclude(state__in=[*CallRequest.UNSENT_STATES, CallRequest.State.PLACING])


class Account:
    """What was spent between two readings, an hour each, and what that left. In kopecks.

    ``empty``: when nothing was left.
    """

    def __init__(self, days: list[Day], empty: Window, now: datetime) -> None:
        self._zone = ZoneInfo(settings.PROVIDER_TIME_ZONE)
        # A reading before the first call: what was spent in an hour shows in the reading at its
        # end.
        self._begins = days[0].begins + READ - HOUR
        self._now = now
        self._days = len(days)
        self._spent = [0] * (self._hour(now) + 1)
        self._empty = None if empty is NEVER else self._hour(empty.begins)

    def spend(self, calls: Iterable[CallRequest]) -> None:
        for call in calls:
            if call.price is not None:
                self._spent[self._hour(call.created_at)] += int(call.price * 100)

    def write(self) -> None:
        """The readings before the first one that is there already: two accounts in one history
        would make no sense.
        """
        first = BalanceReading.objects.aggregate(first=Min("read_at"))["first"] or self._now
        readings = [
            BalanceReading(balance=Decimal(left) / 100, currency="Rub", read_at=moment)
            for moment, left in self._readings()
            if moment < first and self._is_kept(moment)
        ]
        BalanceReading.objects.bulk_create(readings)

    def _readings(self) -> Iterator[tuple[datetime, int]]:
        left, paid = self._payments()
        for hour, spent in enumerate(self._spent):
            left += paid.get(hour, 0) - spent
            yield self._begins + (hour + 1) * HOUR + timedelta(seconds=2), left

    def _payments(self) -> tuple[int, dict[int, int]]:
        """What the account held first, and what was paid at the beginning of which hour."""
        payment = ceil(PAYMENT_DAYS * sum(self._spent) / self._days / ROUND_SUM + 0.01) * ROUND_SUM
        if self._empty is None:
            return payment, self._paid_after(0, payment, payment)
        opening, paid = self._paid_before(self._empty, LEFT, payment)
        # Somebody has seen it.
        noticed = self._empty + 1
        paid |= self._paid_after(noticed, LEFT + payment, payment)
        return opening, paid | {noticed: payment}

    def _paid_before(self, hour: int, left: int, payment: int) -> tuple[int, dict[int, int]]:
        """Backwards from what was left at the beginning of an hour: what the account held first,
        and the payments.
        """
        paid = {}
        for before in reversed(range(hour)):
            left += self._spent[before]
            if left >= (1 + PAYMENT_DUE) * payment and self._is_office_hour(before):
                left -= payment
                paid[before] = payment
        return left, paid

    def _paid_after(self, hour: int, left: int, payment: int) -> dict[int, int]:
        paid = {}
        for after in range(hour, len(self._spent)):
            if left < PAYMENT_DUE * payment and self._is_office_hour(after):
                left += payment
                paid[after] = payment
            left -= self._spent[after]
        return paid

    def _hour(self, moment: datetime) -> int:
        return int((moment - self._begins) / HOUR)

    def _is_office_hour(self, hour: int) -> bool:
        return (self._begins + hour * HOUR).astimezone(self._zone).hour == PAYMENT_HOUR

    def _is_kept(self, moment: datetime) -> bool:
        return (
            self._now - moment < timedelta(days=HOURLY_DAYS)
            or moment.astimezone(self._zone).hour == DAILY_HOUR
        )
