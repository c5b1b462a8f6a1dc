"""The balance of the account: what the made-up calls cost, payments, and stored readings."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from math import ceil
from zoneinfo import ZoneInfo

from django.db.models import Min

from demo_data.traffic_profile import NEVER, Day, Window
from django_voicepassword.conf import settings
from django_voicepassword.models import BalanceReading, CallRequest

HOUR = timedelta(hours=1)
#: Minute of the hour at which the balance is read (see ``schedule.BEAT_SCHEDULE``).
READ = timedelta(minutes=7)
#: Days with every hourly reading, and the hour of the one reading of each earlier day.
HOURLY_DAYS, DAILY_HOUR = 14, 9
#: In kopecks: the balance of the empty account, and the unit to which payments are rounded up.
LEFT, ROUND_SUM = 20, 50_000
#: A payment lasts for so many days. It is made at this hour, once less than this share is left.
PAYMENT_DAYS, PAYMENT_HOUR, PAYMENT_DUE = 12, 11, 0.15


class Account:
    """The balance of the account hour by hour, from what the calls cost. In kopecks.

    ``empty``: the period in which the account has no money.
    """

    def __init__(self, days: list[Day], empty: Window, now: datetime) -> None:
        self._zone = ZoneInfo(settings.PROVIDER_TIME_ZONE)
        # An hour before the first reading: a reading shows what the hour before it cost.
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
        """Write readings before the first existing one; later ones would contradict it."""
        first = BalanceReading.objects.aggregate(first=Min("read_at"))["first"] or self._now
        readings = [
            BalanceReading(balance=Decimal(left) / 100, currency="Rub", read_at=moment)
            for moment, left in self._readings()
            if moment < first and self._is_stored(moment)
        ]
        BalanceReading.objects.bulk_create(readings)

    def _readings(self) -> Iterator[tuple[datetime, int]]:
        left, paid = self._payments()
        for hour, spent in enumerate(self._spent):
            left += paid.get(hour, 0) - spent
            yield self._begins + (hour + 1) * HOUR + timedelta(seconds=2), left

    def _payments(self) -> tuple[int, dict[int, int]]:
        """Return the opening balance, and hour -> payment at its beginning."""
        payment = ceil(PAYMENT_DAYS * sum(self._spent) / self._days / ROUND_SUM + 0.01) * ROUND_SUM
        if self._empty is None:
            return payment, self._paid_after(0, payment, payment)
        opening, paid = self._paid_before(self._empty, LEFT, payment)
        # The account is paid up an hour after it was empty.
        noticed = self._empty + 1
        paid |= self._paid_after(noticed, LEFT + payment, payment)
        return opening, paid | {noticed: payment}

    def _paid_before(self, hour: int, left: int, payment: int) -> tuple[int, dict[int, int]]:
        """Calculate backwards from the balance at the beginning of an hour.

        Return the opening balance and the payments.
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

    def _is_stored(self, moment: datetime) -> bool:
        return (
            self._now - moment < timedelta(days=HOURLY_DAYS)
            or moment.astimezone(self._zone).hour == DAILY_HOUR
        )
