"""The figures of the pages, beside what a person would count by hand."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import date, datetime, timedelta
from decimal import Decimal
from statistics import median_low
from typing import Any
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


def at(hour: int, minute: int = 0, day: date = DAY, zone: ZoneInfo = MOSCOW) -> datetime:
    return datetime(day.year, day.month, day.day, hour, minute, tzinfo=zone)


def verified(
    moment: datetime, phone: str = "79991234567", approved_after: int | None = None, **values: Any
) -> Verification:
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
    given: dict[str, Any] = {
        "verification": verification,
        "phone": verification.phone if verification else "79991234567",
        "channel": "flashcall",
        "state": "no_answer",
        "price": Decimal("0.35"),
        "created_at": moment,
        "claimed_at": moment,
        "placed_at": moment,
    }
    return CallRequest.objects.create(**{**given, **values})


def day_of(channel: str = "", day: date = DAY) -> Figures:
    return aggregation.count(day).days[channel]


def test_a_day_counted_by_the_database_is_what_one_counts_by_hand() -> None:
    chance = random.Random(7)
    by_hand: dict[Any, Figures] = {}
    took: dict[str, list[int]] = {"": [], "flashcall": [], "voice": [], "sms": []}

    def rows(channel: str, hour: int, phone: str) -> list[Figures]:
        keys = [(channel,), (channel, hour), (channel, phone[:4])]
        return [by_hand.setdefault(key, Figures()) for key in keys]

    for _ in range(150):
        began = at(chance.randrange(24), chance.randrange(60))
        phone = f"79{chance.choice(['00', '16', '99'])}{chance.randrange(10**7):07}"
        verification = verified(began, phone, chance.choice([None, 20, 45, 100, 290]))
        channels = ["flashcall", "voice", "sms"][: chance.choice([1, 1, 2, 3])]
        sent = []
        for number, channel in enumerate(channels):
            moment = began + timedelta(seconds=60 * number)
            if moment >= at(0, day=DAY + timedelta(days=1)):
                continue
            state = chance.choice(STATES)
            price = (
                None
                if state in ("refused", "queued", "unknown")
                else Decimal("3.30" if channel == "sms" else "0.35")
            )
            called(moment, verification, channel=channel, state=state, price=price)
            if state == "queued":
                continue
            for figures in rows(channel, moment.hour, phone) + rows("", moment.hour, phone):
                figures.add(calls=state != "refused", cost=price or Decimal(0))
                name = {
                    "no_answer": "unanswered",
                    "busy": "unanswered",
                    "canceled": "unanswered",
                }.get(state, state)
                figures.add(**{name if name in vars(figures) else "waiting": 1})
            if state != "refused":
                sent.append((channel, moment))
                for figures in rows(channel, began.hour, phone):
                    figures.add(started=1)
        for figures in rows("", began.hour, phone):
            figures.add(started=1, approved=verification.approved_at is not None)
        heard = [
            one for one in sent if verification.approved_at and one[1] <= verification.approved_at
        ]
        if heard:
            channel, moment = heard[-1]
            assert verification.approved_at is not None
            seconds = int((verification.approved_at - moment).total_seconds())
            took[channel].append(seconds)
            took[""].append(seconds)
            for figures in rows(channel, began.hour, phone):
                figures.add(approved=1)
    counted = aggregation.count(DAY)
    found = {(channel,): one for channel, one in counted.days.items()}
    found |= dict(counted.hours)  # type: ignore[misc]
    found |= dict(counted.prefixes)  # type: ignore[misc]
    assert found.keys() == by_hand.keys()
    for key, figures in found.items():
        told = {name: value for name, value in vars(figures).items() if name != "seconds"}
        assert told == {
            name: value for name, value in vars(by_hand[key]).items() if name != "seconds"
        }, key
    assert took["voice"]
    for channel, seconds_taken in took.items():
        if seconds_taken:
            assert counted.days[channel].median_seconds == bucket_of(median_low(seconds_taken))


def test_the_rates() -> None:
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
    # Refused, and rung after the code was typed: neither brought it.
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


def test_test_numbers_and_what_never_left_are_no_calls(configure: Callable[..., None]) -> None:
    configure(TEST_NUMBERS={"79990000001": "1234"})
    with freeze_time(at(12)):
        verification = verifications.start("79990000001")
        verifications.check(verification.id, "1234")
    called(at(12), state="queued", claimed_at=None, price=None)
    assert day_of() == Figures()
    called(at(12), state="refused", price=None)
    assert (day_of().calls, day_of().refused) == (0, 1)


def test_days_and_hours_are_the_providers(configure: Callable[..., None]) -> None:
    called(at(23, 59, DAY - timedelta(days=1)))
    called(at(0))
    called(at(23, 59))
    called(at(0, 0, DAY + timedelta(days=1)))
    assert {
        hour: one.calls
        for (channel, hour), one in aggregation.count(DAY).hours.items()
        if not channel
    } == {0: 1, 23: 1}
    # Where clocks change: the hour that comes twice is one, and the day has all of its calls.
    zone = ZoneInfo("Europe/Berlin")
    configure(PROVIDER_TIME_ZONE="Europe/Berlin")
    autumn = date(2026, 10, 25)
    for fold in (0, 1):
        called(datetime(2026, 10, 25, 2, 30, tzinfo=zone, fold=fold))
    called(at(23, 30, autumn, zone))
    hours = aggregation.count(autumn).hours
    assert {hour: one.calls for (channel, hour), one in hours.items() if not channel} == {
        2: 2,
        23: 1,
    }


def test_without_time_zones_the_days_are_the_providers_too(settings: Any) -> None:
    settings.USE_TZ = False
    settings.TIME_ZONE = "UTC"
    # 21:30 on a server in UTC is half past midnight in Moscow.
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


def test_prefixes_are_blocks_of_operators() -> None:
    for phone in ("79991234567", "79161234567", "380671234567", "7999123****"):
        called(at(12), phone=phone)
    prefixes = aggregation.count(DAY).prefixes
    assert {prefix: one.calls for (channel, prefix), one in prefixes.items() if not channel} == {
        "7999": 2,
        "7916": 1,
        "38067": 1,
    }


def test_counting_again_changes_nothing_and_what_changed_is_counted_anew() -> None:
    call = called(at(12), verified(at(12), approved_after=12), state="placed")
    statistics.refresh_figures(DAY)

    def kept() -> list[Any]:
        left_out = ("id", "counted_at")
        models = (DayFigures, HourFigures, PrefixFigures)
        rows = [
            row for model in models for row in model._default_manager.order_by("channel").values()
        ]
        return [
            {name: value for name, value in row.items() if name not in left_out} for row in rows
        ]

    first = kept()
    assert len(first) == 6
    statistics.refresh_figures(DAY)
    assert kept() == first
    CallRequest.objects.filter(pk=call.pk).update(state="answered")
    statistics.refresh_figures(DAY)
    day = DayFigures.objects.get(channel="flashcall")
    assert (day.waiting, day.answered, day.approved, day.seconds) == (0, 1, 1, {"12": 1})


def test_who_counted_earlier_does_not_overwrite_who_counted_later(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    called(at(12))
    with freeze_time(at(15)):
        statistics.refresh_figures(DAY)
    CallRequest.objects.all().delete()
    with freeze_time(at(14)):
        statistics.refresh_figures(DAY)
    assert DayFigures.objects.get(channel="").calls == 1


@pytest.mark.parametrize(("retention", "kept"), [("delete", 1), ("mask", 0)])
def test_what_was_purged_stays_counted(
    configure: Callable[..., None], retention: str, kept: int
) -> None:
    called(at(12))
    with freeze_time(at(13)):
        statistics.refresh_figures(DAY)
    CallRequest.objects.all().delete()
    configure(RETENTION_DAYS=30, RETENTION=retention)
    with freeze_time(at(12) + timedelta(days=40)):
        # Masking keeps every call: there the day may be counted anew.
        assert statistics.refresh_figures(DAY) is (retention == "mask")
        assert DayFigures.objects.get(channel="").calls == kept


def test_days_that_nobody_counted_are_made_up_for() -> None:
    called(at(12))
    called(at(12, day=DAY + timedelta(days=2)))
    today = DAY + timedelta(days=4)
    statistics.refresh_figures(DAY + timedelta(days=1))
    assert statistics.fill_figures(today) == [DAY + timedelta(days=3), DAY + timedelta(days=2), DAY]
    assert statistics.fill_figures(today) == []
    assert list(
        DayFigures.objects.filter(channel="").order_by("date").values_list("calls", flat=True)
    ) == [1, 0, 1, 0]


def test_the_beat_task_counts_also_where_the_provider_is_down(
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
        # Four that count, the lock, what was kept, and for each of three tables a DELETE and an
        # INSERT; the savepoint.
        with django_assert_num_queries(14):
            statistics.refresh_figures(DAY)


@freeze_time(at(15, 30))
def test_a_period_is_read_and_today_is_counted_live(django_assert_num_queries: Any) -> None:
    for days_ago, calls in ((0, 3), (1, 2), (7, 1)):
        for number in range(calls):
            moment = at(15, number) - timedelta(days=days_ago)
            called(
                moment,
                verified(moment, approved_after=20),
                channel="voice" if number else "flashcall",
            )
    statistics.fill_figures()
    called(at(15, 29))
    period = reading.Period(DAY - timedelta(days=7), DAY)
    # The days, and of today when it was counted, and the four that count.
    with django_assert_num_queries(6):
        days = period.by_day()
    assert [(day, one.calls) for day, one in days if one.calls] == [
        (DAY - timedelta(days=7), 1),
        (DAY - timedelta(days=1), 2),
        (DAY, 4),
    ]
    assert len(days) == 8
    with django_assert_num_queries(3):
        channels, hours, prefixes = period.by_channel(), period.by_hour(), period.by_prefix()
    assert {name: (one.calls, one.approved) for name, one in channels.items()} == {
        "": (7, 6),
        "flashcall": (4, 3),
        "voice": (3, 3),
        "sms": (0, 0),
    }
    assert (channels[""].median_seconds, channels[""].cost) == (20, Decimal("2.45"))
    # Tuesdays and a Monday.
    assert {key: one.calls for key, one in hours.items()} == {(1, 15): 5, (0, 15): 2}
    assert {prefix: one.calls for prefix, one in prefixes.items()} == {"7999": 7}
    voice = reading.Period(DAY - timedelta(days=7), DAY - timedelta(days=1), "voice")
    assert sum(one.calls for _, one in voice.by_day()) == 1
    assert (voice.by_hour().keys(), voice.by_prefix()["7999"].calls) == ({(0, 15)}, 1)
    assert reading.oldest_day() == DAY - timedelta(days=7)


@freeze_time(at(15, 30))
def test_the_same_time_of_an_earlier_day() -> None:
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


def test_of_a_day_that_was_counted_only_the_last_hours_are_counted_anew(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    chance = random.Random(3)
    for minutes in range(0, 15 * 60, 7):
        moment = at(0) + timedelta(minutes=minutes)
        verification = verified(moment, approved_after=chance.choice([None, 30]))
        called(moment, verification, channel=chance.choice(["flashcall", "voice"]), state="placed")
    with freeze_time(at(14, 17)):
        statistics.refresh_figures(DAY)
    # Since then: the calls of the last two hours have ended, one of the morning was corrected by
    # nobody.
    CallRequest.objects.filter(created_at__gte=at(13)).update(state="no_answer")
    now = at(15, 30)
    whole = aggregation.count(DAY, ends=now)
    read = reading.today(now)
    assert read.days == whole.days
    assert read.hours == whole.hours
    # Prefixes stand as they were counted.
    assert read.prefixes["", "7999"].calls == aggregation.count(DAY, ends=at(15)).days[""].calls
    bounds = []
    monkeypatch.setattr(
        reading,
        "count",
        lambda day, begins=None, ends=None: bounds.append((begins, ends)) or aggregation.Counted(),
    )
    reading.today(now)
    assert bounds == [(at(13), now)]
    DayFigures.objects.all().delete()
    reading.today(now)
    assert bounds[1] == (None, now)
