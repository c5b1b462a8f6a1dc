"""The figures of the dashboard equal a count by hand, and cost a fixed number of queries."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from datetime import date, datetime, timedelta
from decimal import Decimal
from statistics import median_low
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

import pytest
from django.utils import timezone
from freezegun import freeze_time

from django_voicepassword import statistics, tasks, verifications
from django_voicepassword.models import (
    CallRequest,
    DayFigures,
    HourFigures,
    PrefixFigures,
    Verification,
)
from django_voicepassword.statistics import aggregation, reading
from django_voicepassword.statistics.figures import Figures, bucket_of

pytestmark = pytest.mark.django_db
MOSCOW = ZoneInfo("Europe/Moscow")
DAY = date(2026, 3, 10)
Key = TypeVar("Key", int, str)
STATES = [
    "answered",
    "no_answer",
    "busy",
    "canceled",
    "failed",
    "unknown",
    "placed",
    "dialing",
    "refused",
    "queued",
]
#: State of a call -> the figure that counts it; any other state is "waiting".
FIGURE_OF_STATE = {
    "answered": "answered",
    "no_answer": "unanswered",
    "busy": "unanswered",
    "canceled": "unanswered",
    "failed": "failed",
    "unknown": "unknown",
    "refused": "refused",
}
WITHOUT_PRICE = ("refused", "queued", "unknown")
PRICES = {"flashcall": Decimal("0.35"), "voice": Decimal("0.35"), "sms": Decimal("3.30")}


def at(hour: int, minute: int = 0, day: date = DAY, zone: ZoneInfo = MOSCOW) -> datetime:
    return datetime(day.year, day.month, day.day, hour, minute, tzinfo=zone)


def verified(
    moment: datetime, phone: str = "79991234567", approved_after: int | None = None, **values: Any
) -> Verification:
    """Create a verification, approved so many seconds later or still pending."""
    approved_at = None if approved_after is None else moment + timedelta(seconds=approved_after)
    return Verification.objects.create(
        phone=phone,
        created_at=moment,
        expires_at=moment + timedelta(seconds=300),
        status="pending" if approved_at is None else "approved",
        approved_at=approved_at,
        **values,
    )


def called(
    moment: datetime, verification: Verification | None = None, **values: Any
) -> CallRequest:
    """Create a call that was placed at that moment."""
    defaults: dict[str, Any] = {
        "verification": verification,
        "phone": verification.phone if verification else "79991234567",
        "channel": "flashcall",
        "state": "no_answer",
        "price": Decimal("0.35"),
        "created_at": moment,
        "claimed_at": moment,
        "placed_at": moment,
    }
    return CallRequest.objects.create(**{**defaults, **values})


def day_of(channel: str = "", day: date = DAY) -> Figures:
    """Count a day and return its figures for a channel, or for all of them."""
    return aggregation.count(day).days[channel]


def calls_of_all_channels(figures: Mapping[tuple[str, Key], Figures]) -> dict[Key, int]:
    """Return the number of calls for each hour or prefix, all channels together."""
    return {key: row.calls for (channel, key), row in figures.items() if not channel}


class ExpectedFigures:
    """A day counted call by call in Python, for comparison with the count of the database."""

    def __init__(self) -> None:
        #: (channel,), (channel, hour) or (channel, prefix) -> figures; channel "" is all of them.
        self.figures: dict[Any, Figures] = {}
        #: Channel -> seconds from the call to the code, of each approval.
        self.seconds: dict[str, list[int]] = {"": [], "flashcall": [], "voice": [], "sms": []}

    def add(self, channel: str, moment: datetime, phone: str, **counts: Any) -> None:
        """Add counts to the day, the hour and the prefix of a channel."""
        for key in ((channel,), (channel, moment.hour), (channel, phone[:4])):
            self.figures.setdefault(key, Figures()).add(**counts)

    def add_call(self, verification: Verification, call: CallRequest) -> None:
        if call.state == "queued":
            return
        outcome = FIGURE_OF_STATE.get(call.state, "waiting")
        cost = call.price or Decimal(0)
        for channel in (call.channel, ""):
            counts = {"calls": call.state != "refused", "cost": cost, outcome: 1}
            self.add(channel, call.created_at, call.phone, **counts)
        if call.state != "refused":
            self.add(call.channel, verification.created_at, call.phone, started=1)

    def add_verification(self, verification: Verification, calls: list[CallRequest]) -> None:
        """Add a verification and its calls, oldest first."""
        for call in calls:
            self.add_call(verification, call)
        began, phone, approved_at = (
            verification.created_at,
            verification.phone,
            verification.approved_at,
        )
        self.add("", began, phone, started=1, approved=approved_at is not None)
        if approved_at is None:
            return
        sent = [call for call in calls if call.state not in ("queued", "refused")]
        before_the_code = [call for call in sent if call.created_at <= approved_at]
        if before_the_code:
            last = before_the_code[-1]
            self.add(last.channel, began, phone, approved=1)
            for channel in (last.channel, ""):
                self.seconds[channel].append(int((approved_at - last.created_at).total_seconds()))


def random_verification(chance: random.Random) -> tuple[Verification, list[CallRequest]]:
    """Create a verification of ``DAY`` with one to three calls, without those of the next day."""
    began = at(chance.randrange(24), chance.randrange(60))
    phone = f"79{chance.choice(['00', '16', '99'])}{chance.randrange(10**7):07}"
    verification = verified(began, phone, chance.choice([None, 20, 45, 100, 290]))
    calls = []
    for number, channel in enumerate(["flashcall", "voice", "sms"][: chance.choice([1, 1, 2, 3])]):
        moment = began + timedelta(seconds=60 * number)
        if moment < at(0, day=DAY + timedelta(days=1)):
            state = chance.choice(STATES)
            price = None if state in WITHOUT_PRICE else PRICES[channel]
            calls.append(called(moment, verification, channel=channel, state=state, price=price))
    return verification, calls


def without_seconds(figures: Figures) -> dict[str, Any]:
    return {name: value for name, value in vars(figures).items() if name != "seconds"}


def test_a_day_counted_by_the_database_equals_a_count_in_python() -> None:
    chance = random.Random(7)
    expected = ExpectedFigures()
    for _ in range(150):
        expected.add_verification(*random_verification(chance))
    counted = aggregation.count(DAY)
    figures: dict[Any, Figures] = {(channel,): day for channel, day in counted.days.items()}
    figures.update(counted.hours)
    figures.update(counted.prefixes)
    assert figures.keys() == expected.figures.keys()
    for key in figures:
        assert without_seconds(figures[key]) == without_seconds(expected.figures[key]), key
    assert expected.seconds["voice"]
    for channel, seconds in expected.seconds.items():
        if seconds:
            assert counted.days[channel].median_seconds == bucket_of(median_low(seconds))


def test_rates_and_the_cost_per_approval() -> None:
    for number in range(4):
        verification = verified(at(12), approved_after=10 if number else None)
        called(at(12), verification, state="answered" if number == 1 else "no_answer")
    day = day_of()
    assert (day.conversion, day.answer_rate, day.cost_per_approval) == (0.75, 0.25, Decimal("0.47"))
    empty = Figures()
    assert (empty.conversion, empty.answer_rate, empty.cost_per_approval, empty.median_seconds) == (
        None,
    ) * 4


def test_an_approval_belongs_to_the_last_call_before_the_code() -> None:
    verification = verified(at(12), approved_after=90)
    called(at(12), verification)
    called(at(12, 1), verification, channel="voice", state="answered")
    # A refused SMS and one sent after the code was typed: neither brought the code.
    called(at(12, 1), verification, channel="sms", state="refused", price=None)
    called(at(12, 2), verification, channel="sms", state="delivered")
    counted = aggregation.count(DAY).days
    assert [counted[channel].approved for channel in ("", "flashcall", "voice", "sms")] == [
        1,
        0,
        1,
        0,
    ]
    assert [counted[channel].started for channel in ("", "flashcall", "voice", "sms")] == [
        1,
        1,
        1,
        1,
    ]
    assert counted["voice"].seconds == counted[""].seconds == {30: 1}


def test_test_numbers_and_queued_calls_are_not_counted(configure: Callable[..., None]) -> None:
    configure(TEST_NUMBERS={"79990000001": "1234"})
    with freeze_time(at(12)):
        verification = verifications.start("79990000001")
        verifications.check(verification.id, "1234")
    called(at(12), state="queued", claimed_at=None, price=None)
    assert day_of() == Figures()
    called(at(12), state="refused", price=None)
    assert (day_of().calls, day_of().refused) == (0, 1)


def test_days_and_hours_are_in_the_providers_time_zone(configure: Callable[..., None]) -> None:
    called(at(23, 59, DAY - timedelta(days=1)))
    called(at(0))
    called(at(23, 59))
    called(at(0, 0, DAY + timedelta(days=1)))
    assert calls_of_all_channels(aggregation.count(DAY).hours) == {0: 1, 23: 1}
    # When daylight saving time ends, the repeated hour counts as one hour.
    zone = ZoneInfo("Europe/Berlin")
    configure(PROVIDER_TIME_ZONE="Europe/Berlin")
    autumn = date(2026, 10, 25)
    for fold in (0, 1):
        called(datetime(2026, 10, 25, 2, 30, tzinfo=zone, fold=fold))
    called(at(23, 30, autumn, zone))
    assert calls_of_all_channels(aggregation.count(autumn).hours) == {2: 2, 23: 1}


def test_without_use_tz_days_are_in_the_providers_time_zone_too(settings: Any) -> None:
    settings.USE_TZ = False
    settings.TIME_ZONE = "UTC"
    # 21:30 in UTC is 00:30 of the next day in Moscow.
    naive = datetime(2026, 3, 9, 21, 30)
    verification = verified(naive, approved_after=12)
    called(naive, verification)
    counted = aggregation.count(DAY)
    assert (counted.hours["", 0].calls, counted.days[""].approved, counted.days[""].seconds) == (
        1,
        1,
        {12: 1},
    )
    assert aggregation.count(DAY - timedelta(days=1)).days.get("", Figures()) == Figures()
    assert statistics.refresh_figures(DAY)
    assert DayFigures.objects.get(channel="").calls == 1


def test_prefixes_are_number_blocks_of_operators() -> None:
    for phone in ("79991234567", "79161234567", "380671234567", "7999123****"):
        called(at(12), phone=phone)
    prefixes = aggregation.count(DAY).prefixes
    assert calls_of_all_channels(prefixes) == {"7999": 2, "7916": 1, "38067": 1}


def test_counting_again_replaces_the_stored_figures() -> None:
    call = called(at(12), verified(at(12), approved_after=12), state="placed")
    statistics.refresh_figures(DAY)

    def stored_rows() -> list[Any]:
        excluded = ("id", "counted_at")
        models = (DayFigures, HourFigures, PrefixFigures)
        rows = [
            row for model in models for row in model._default_manager.order_by("channel").values()
        ]
        return [
            {name: value for name, value in row.items() if name not in excluded} for row in rows
        ]

    first = stored_rows()
    assert len(first) == 6
    statistics.refresh_figures(DAY)
    assert stored_rows() == first
    CallRequest.objects.filter(pk=call.pk).update(state="answered")
    statistics.refresh_figures(DAY)
    day = DayFigures.objects.get(channel="flashcall")
    assert (day.waiting, day.answered, day.approved, day.seconds) == (0, 1, 1, {"12": 1})


def test_an_earlier_count_does_not_overwrite_a_later_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    called(at(12))
    with freeze_time(at(15)):
        statistics.refresh_figures(DAY)
    CallRequest.objects.all().delete()
    with freeze_time(at(14)):
        statistics.refresh_figures(DAY)
    assert DayFigures.objects.get(channel="").calls == 1


@pytest.mark.parametrize(("retention", "calls"), [("delete", 1), ("mask", 0)])
def test_the_figures_of_a_purged_day_stay(
    configure: Callable[..., None], retention: str, calls: int
) -> None:
    called(at(12))
    with freeze_time(at(13)):
        statistics.refresh_figures(DAY)
    CallRequest.objects.all().delete()
    configure(RETENTION_DAYS=30, RETENTION=retention)
    with freeze_time(at(12) + timedelta(days=40)):
        # Masking deletes no call, so the day can be counted again.
        assert statistics.refresh_figures(DAY) is (retention == "mask")
        assert DayFigures.objects.get(channel="").calls == calls


def test_missing_days_are_counted_later() -> None:
    called(at(12))
    called(at(12, day=DAY + timedelta(days=2)))
    today = DAY + timedelta(days=4)
    statistics.refresh_figures(DAY + timedelta(days=1))
    assert statistics.fill_figures(today) == [DAY + timedelta(days=3), DAY + timedelta(days=2), DAY]
    assert statistics.fill_figures(today) == []
    assert list(
        DayFigures.objects.filter(channel="").order_by("date").values_list("calls", flat=True)
    ) == [1, 0, 1, 0]


def test_the_daily_task_counts_even_if_the_provider_is_unreachable(
    configure: Callable[..., None],
) -> None:
    configure(TRANSPORT="http", API_KEY="key", API_URL="http://127.0.0.1:9/", TIMEOUT=(0.2, 0.2))
    called(timezone.now())
    with pytest.raises(Exception, match="refused"):
        tasks.sync_daily()
    assert DayFigures.objects.get(channel="", date=statistics.provider_today()).calls == 1


def test_a_day_costs_a_fixed_number_of_queries(django_assert_num_queries: Any) -> None:
    for calls in (1, 20):
        for number in range(calls):
            called(at(12, number), verified(at(12, number), approved_after=12), channel="voice")
        # The moment of the last purge, the last count, four that count, SAVEPOINT and its release,
        # the lock, the stored row, a DELETE and an INSERT for each of three tables, and the count
        # of three days before.
        with django_assert_num_queries(17):
            statistics.refresh_figures(DAY)


def add_a_week_of_calls() -> None:
    """Three calls today, two yesterday and one a week ago, counted; then one more today."""
    for days_ago, calls in ((0, 3), (1, 2), (7, 1)):
        for number in range(calls):
            moment = at(15, number) - timedelta(days=days_ago)
            channel = "voice" if number else "flashcall"
            called(moment, verified(moment, approved_after=20), channel=channel)
    statistics.fill_figures()
    called(at(15, 29))


@freeze_time(at(15, 30))
def test_a_period_is_read_and_today_is_counted_live(django_assert_num_queries: Any) -> None:
    add_a_week_of_calls()
    period = reading.Period(DAY - timedelta(days=7), DAY)
    # The stored days, the time of today's last count, and the four that count.
    with django_assert_num_queries(6):
        days = period.by_day()
    assert [(day, figures.calls) for day, figures in days if figures.calls] == [
        (DAY - timedelta(days=7), 1),
        (DAY - timedelta(days=1), 2),
        (DAY, 4),
    ]
    assert len(days) == 8
    with django_assert_num_queries(3):
        channels, hours, prefixes = period.by_channel(), period.by_hour(), period.by_prefix()
    assert {name: (figures.calls, figures.approved) for name, figures in channels.items()} == {
        "": (7, 6),
        "flashcall": (4, 3),
        "voice": (3, 3),
        "sms": (0, 0),
    }
    assert (channels[""].median_seconds, channels[""].cost) == (20, Decimal("2.45"))
    # Two Tuesdays and a Monday, all at 15 o'clock.
    assert {key: figures.calls for key, figures in hours.items()} == {(1, 15): 5, (0, 15): 2}
    assert {prefix: figures.calls for prefix, figures in prefixes.items()} == {"7999": 7}


@freeze_time(at(15, 30))
def test_a_period_is_read_for_one_channel() -> None:
    add_a_week_of_calls()
    voice = reading.Period(DAY - timedelta(days=7), DAY - timedelta(days=1), "voice")
    assert sum(figures.calls for _, figures in voice.by_day()) == 1
    assert (set(voice.by_hour()), voice.by_prefix()["7999"].calls) == ({(0, 15)}, 1)
    assert reading.oldest_day() == DAY - timedelta(days=7)


@freeze_time(at(15, 30))
def test_figures_until_the_same_time_of_an_earlier_day() -> None:
    yesterday = DAY - timedelta(days=1)
    for hour, minute in ((9, 0), (15, 29), (15, 31), (20, 0)):
        called(at(hour, minute, yesterday))
    called(at(9))
    statistics.refresh_figures(yesterday)
    now = timezone.now()
    assert (
        reading.until(now, 0).calls,
        reading.until(now, 1).calls,
        reading.until(now, 7).calls,
    ) == (1, 2, 0)
    assert reading.until(now, 1, "voice").calls == 0


def test_only_the_last_hours_of_a_counted_day_are_counted_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    chance = random.Random(3)
    for minutes in range(0, 15 * 60, 7):
        moment = at(0) + timedelta(minutes=minutes)
        verification = verified(moment, approved_after=chance.choice([None, 30]))
        called(moment, verification, channel=chance.choice(["flashcall", "voice"]), state="placed")
    with freeze_time(at(14, 17)):
        statistics.refresh_figures(DAY)
    # After that count the calls since 13:00 end. Earlier ones stay as they are.
    CallRequest.objects.filter(created_at__gte=at(13)).update(state="no_answer")
    now = at(15, 30)
    whole = aggregation.count(DAY, ends=now)
    read = reading.today(now)
    assert read.days == whole.days
    assert read.hours == whole.hours
    # Prefixes stay as they were stored; only days and hours are updated.
    assert read.prefixes["", "7999"].calls == aggregation.count(DAY, ends=at(15)).days[""].calls
    bounds = []

    def note_bounds(
        day: date, begins: datetime | None = None, ends: datetime | None = None
    ) -> aggregation.Counted:
        bounds.append((begins, ends))
        return aggregation.Counted()

    monkeypatch.setattr(reading, "count", note_bounds)
    reading.today(now)
    assert bounds == [(at(13), now)]
    DayFigures.objects.all().delete()
    reading.today(now)
    assert bounds[1] == (None, now)
