"""Figures that are counted hour by hour, where something changed, equal a count from scratch."""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Iterator
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.utils import timezone
from freezegun import freeze_time

from django_voicepassword import statistics
from django_voicepassword.accounts import person as persons
from django_voicepassword.calls import polling, record, replies
from django_voicepassword.history import retention
from django_voicepassword.models import (
    CallRequest,
    CallStatus,
    DayFigures,
    HourFigures,
    PrefixFigures,
    Verification,
)
from django_voicepassword.provider.protocol import Report, SendReply
from django_voicepassword.statistics import aggregation, refresh
from django_voicepassword.statistics.figures import ADDITIVE, Figures, read_seconds
from tests.statistics.rows_provider import ROWS
from tests.statistics.test_figures import DAY, MOSCOW, at, called, verified

pytestmark = pytest.mark.django_db
PHONES = ["79990000001", "79160000002", "380670000003"]
WORDS = {"answered": "Успешно", "busy": "Занято", "no_answer": "Нет ответа", "failed": "Ошибка"}


@pytest.fixture(autouse=True)
def _provider(configure: Callable[..., None]) -> Iterator[None]:
    ROWS.clear()
    configure(TRANSPORT="tests.statistics.rows_provider.Provider")
    yield
    ROWS.clear()


def stored(day: date) -> dict[Any, Figures]:
    """Return all figures of a day that are stored."""
    keys: dict[Any, list[str]] = {DayFigures: [], HourFigures: ["hour"], PrefixFigures: ["prefix"]}
    return {
        (row.channel, *(getattr(row, name) for name in names)): Figures(
            **{name: getattr(row, name) for name in ADDITIVE}, seconds=read_seconds([row.seconds])
        )
        for model, names in keys.items()
        for row in model.objects.filter(date=day)
    }


def counted(day: date) -> dict[Any, Figures]:
    """Return all figures of a day, counted from scratch."""
    figures = aggregation.count(day)
    figures.days[aggregation.ALL]
    return {
        **{(channel,): one for channel, one in figures.days.items()},
        **figures.hours,
        **figures.prefixes,
    }


class Site:
    """A site on which anything happens at random moments."""

    def __init__(self, chance: random.Random) -> None:
        self.chance = chance

    def step(self) -> None:
        """Do one thing."""
        chosen = self.chance.choices(
            [self.start, self.resend, self.place, self.report, self.approve, self.give_up,
             self.list_row, self.sync, self.erase, self.mask],
            [6, 3, 6, 8, 4, 2, 3, 2, 0.2, 0.2],
        )  # fmt: skip
        chosen[0]()

    def start(self) -> None:
        self._call(verified(timezone.now(), self.chance.choice(PHONES)))

    def resend(self) -> None:
        verification = self._any(Verification.objects.filter(status="pending"))
        if verification is not None:
            self._call(verification)

    def place(self) -> None:
        call = self._any(CallRequest.objects.filter(state="queued"))
        if call is None or not call.claim("", timezone.now()):
            return
        end = self.chance.randrange(4)
        if end == 0:
            replies.mark_unknown(call, "timeout")
        elif end == 1:
            replies.refuse(call, "Number_is_Wrong", give_back=False)
        else:
            replies.keep_reply(call, SendReply(id=f"{call.pk}", price=Decimal("0.35")))

    def report(self) -> None:
        """A callback or an answer to a poll: in time, late, repeated or about nothing new."""
        call = self._any(CallRequest.objects.exclude(state="queued"))
        if call is not None:
            state = self.chance.choice([*WORDS, "dialing"])
            kind = "sms" if call.channel == "sms" else "call"
            one = Report(
                id=call.provider_id or None,
                number=call.phone if call.phone.isdigit() else None,
                state={"call": state, "sms": "delivered"}[kind],
                raw_state=state,
                price=self.chance.choice([None, Decimal("0.40")]),
                service="SMS" if kind == "sms" else "Flash Call",
            )
            source = self.chance.choice([CallStatus.Source.CALLBACK, CallStatus.Source.POLL])
            try:
                record(call.pk, one, source)
            except LookupError:
                pass

    def approve(self) -> None:
        verification = self._any(Verification.objects.filter(status="pending"))
        if verification is not None:
            verification.approve(timezone.now())

    def give_up(self) -> None:
        call = self._any(CallRequest.objects.filter(next_poll_at__isnull=False))
        if call is not None:
            polling._give_up(call.pk, "no_final_state", timezone.now())

    def list_row(self) -> None:
        """The provider lists a call of ours, perhaps with another price, or one of others."""
        call = self._any(CallRequest.objects.exclude(provider_id=""))
        moment = timezone.now() - timedelta(minutes=self.chance.randrange(600))
        if call is not None and self.chance.random() < 0.7:
            moment = call.created_at
        else:
            call = None
        ROWS.append(
            {
                "id": call.provider_id if call else f"x{self.chance.randrange(10**6)}",
                "number": call.phone if call and call.phone.isdigit() else PHONES[0],
                "date": f"{moment.astimezone(MOSCOW):%d.%m.%Y %H:%M:%S}",
                "duration": "00:05",
                "price": self.chance.choice(["0.35", "0.50", "1.10"]),
                "service": "SMS" if call and call.channel == "sms" else "Flash Call",
                "state": self.chance.choice(list(WORDS.values())),
            }
        )

    def sync(self) -> None:
        if ROWS:
            statistics.sync_day(timezone.now().astimezone(MOSCOW).date())

    def erase(self) -> None:
        persons.erase(persons.of_phone(self.chance.choice(PHONES)))

    def mask(self) -> None:
        retention.purge()

    def _call(self, verification: Verification) -> None:
        channel = self.chance.choice(["flashcall", "voice", "sms"])
        called(
            timezone.now(), verification, channel=channel, state="queued",
            price=None, claimed_at=None, placed_at=None,
        )  # fmt: skip

    def _any(self, rows: Any) -> Any:
        keys = list(rows.order_by("pk").values_list("pk", flat=True))
        return rows.model.objects.get(pk=self.chance.choice(keys)) if keys else None


def check(days: list[date]) -> None:
    """Update the figures of these days, and compare them with a count from scratch."""
    for day in days:
        assert statistics.update_figures(day)
        assert stored(day) == counted(day)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(int(os.environ.get("FIGURES_SEEDS", "1"))))
def test_updated_figures_equal_a_count_from_scratch(
    configure: Callable[..., None], monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    configure(RETENTION_DAYS=1, RETENTION="mask")
    hours = note_hours(monkeypatch)
    chance = random.Random(seed)
    site, now, days = Site(chance), at(19), [DAY, DAY + timedelta(days=1)]
    updates = 0
    for _ in range(80):
        now += timedelta(seconds=chance.choice([1, 60, 600, 3600]))
        with freeze_time(now):
            site.step()
            if chance.random() < 0.2:
                check(days)
                updates += 1
    assert CallRequest.objects.filter(created_at__gte=at(0, day=days[1])).exists()
    assert len(hours) < len(days) * 24 * updates * 0.75


def note_hours(monkeypatch: pytest.MonkeyPatch) -> list[datetime]:
    """Return a list that gets the beginnings of all hours that are counted."""
    hours: list[datetime] = []
    count = aggregation.count_groups

    def note(day: date, begins: datetime, ends: datetime) -> Any:
        hours.extend(begins + timedelta(hours=n) for n in range((ends - begins) // HOUR))
        return count(day, begins, ends)

    monkeypatch.setattr(refresh, "count_groups", note)
    return hours


HOUR = timedelta(hours=1)


@pytest.fixture
def quiet_day() -> CallRequest:
    """A day that ended hours ago, with an old call in hour 5. It was counted in each hour since."""
    verification = verified(at(5, 10), approved_after=30)
    call = called(at(5, 10), verification, state="unknown", price=None, finished_at=at(6))
    called(at(9), state="answered", provider_id="77")
    for hours in range(23, 30):
        with freeze_time(at(0) + timedelta(hours=hours)):
            check([DAY])
    return call


def test_of_a_day_that_is_over_only_the_hour_of_a_late_callback_is_counted(
    quiet_day: CallRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    hours = note_hours(monkeypatch)
    with freeze_time(at(0) + timedelta(hours=30)):
        check([DAY])
        assert hours == []
        record(quiet_day.pk, Report(state="busy", raw_state="BUSY"), CallStatus.Source.CALLBACK)
        check([DAY])
    assert hours == [at(5)]
    assert stored(DAY)["flashcall", 5].unanswered == 1


def test_of_a_day_that_is_over_only_the_hours_of_changed_rows_are_counted(
    quiet_day: CallRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = {"id": "77", "number": "79991234567", "duration": "00:05", "price": "0.90"}
    ROWS.append({**row, "date": "10.03.2026 09:00:00", "service": "Flash Call", "state": "Занято"})
    ROWS.append({**ROWS[0], "id": "78", "date": "10.03.2026 15:20:00"})
    hours = note_hours(monkeypatch)
    with freeze_time(at(0) + timedelta(hours=30)):
        statistics.sync_day(DAY)
        check([DAY])
    assert hours == [at(9), at(15)]
    assert stored(DAY)["",].cost == Decimal("1.80")


def test_a_verification_that_is_pending_is_counted_until_it_is_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    verification = verified(at(5, 10))
    for hours in (23, 24, 25, 26, 27, 28):
        with freeze_time(at(0) + timedelta(hours=hours)):
            check([DAY])
    verification.approve(at(0) + timedelta(hours=29))
    hours_counted = note_hours(monkeypatch)
    with freeze_time(at(0) + timedelta(hours=29)):
        check([DAY])
    assert hours_counted == [at(5)]
    assert stored(DAY)["",].approved == 1


def test_a_repeated_report_that_moves_a_call_is_counted(quiet_day: CallRequest) -> None:
    """It adds no row to the history, so that the whole day is counted."""
    report = Report(state="dialing", raw_state="RINGING")
    CallRequest.objects.filter(pk=quiet_day.pk).update(state="dialing")
    with freeze_time(at(0) + timedelta(hours=30)):
        record(quiet_day.pk, report, CallStatus.Source.POLL)
        CallRequest.objects.filter(pk=quiet_day.pk).update(state="unknown")
        check([DAY])
    for hours in (31, 32, 33):
        with freeze_time(at(0) + timedelta(hours=hours)):
            check([DAY])
    with freeze_time(at(0) + timedelta(hours=34)):
        record(quiet_day.pk, report, CallStatus.Source.POLL)
        assert CallStatus.objects.get(call=quiet_day).repeats == 1
        check([DAY])
    assert stored(DAY)["",].waiting == 1


def test_a_correction_that_the_history_has_no_room_for_is_counted(quiet_day: CallRequest) -> None:
    call = CallRequest.objects.get(provider_id="77")
    CallRequest.objects.filter(pk=call.pk).update(listed_at=at(10))
    for _ in range(CallStatus.MOST_KEPT):
        CallStatus.objects.create(call=call, state="answered", source="daily")
    with freeze_time(at(0) + timedelta(hours=30)):
        check([DAY])
    row = {"id": "77", "number": "79991234567", "duration": "00:05", "price": "0.90"}
    ROWS.append({**row, "date": "10.03.2026 09:00:00", "service": "Flash Call", "state": "Занято"})
    for hours in (31, 32, 33):
        with freeze_time(at(0) + timedelta(hours=hours)):
            check([DAY])
    with freeze_time(at(0) + timedelta(hours=34)):
        statistics.sync_day(DAY)
        assert CallStatus.objects.filter(call=call).count() == CallStatus.MOST_KEPT
        check([DAY])


def test_with_another_time_zone_the_days_are_counted_anew(
    quiet_day: CallRequest, configure: Callable[..., None]
) -> None:
    configure(PROVIDER_TIME_ZONE="Asia/Kolkata")
    with freeze_time(at(0) + timedelta(hours=30)):
        check([DAY])
        assert stored(DAY)["flashcall", 7].calls == 1


def test_calls_of_a_clock_that_was_set_back_are_counted(quiet_day: CallRequest) -> None:
    with freeze_time(at(12)):
        called(at(12), state="answered")
        statistics.update_figures(DAY)
    with freeze_time(at(0) + timedelta(hours=30)):
        check([DAY])


def test_a_day_in_which_the_tasks_stopped_is_counted_to_its_end() -> None:
    with freeze_time(at(12)):
        check([DAY])
    called(at(20))
    with freeze_time(at(10) + timedelta(days=3)):
        assert DAY in statistics.fill_figures()
        assert stored(DAY) == counted(DAY)
        assert statistics.fill_figures() == []


def test_without_use_tz_figures_are_updated_too(
    settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.USE_TZ = False
    settings.TIME_ZONE = "Europe/Moscow"
    hours = note_hours(monkeypatch)
    for hour in (10, 11, 14):
        with freeze_time(at(hour), tz_offset=3):
            called(datetime.now())
            check([DAY])
    # The clock was set back.
    with freeze_time(at(12), tz_offset=3):
        called(datetime.now())
        statistics.update_figures(DAY)
    for hour in (15, 17):
        with freeze_time(at(hour), tz_offset=3):
            check([DAY])
    assert hours.count(at(10)) == 6
    with freeze_time(at(19), tz_offset=3):
        check([DAY])
    assert hours.count(at(10)) == 6


def test_the_parts_of_old_figures_are_forgotten(quiet_day: CallRequest) -> None:
    with freeze_time(at(0) + timedelta(hours=30)):
        assert HourFigures.objects.exclude(prefixes={}).exists()
    with freeze_time(at(1) + timedelta(days=3)):
        statistics.update_figures(DAY + timedelta(days=3))
        assert not HourFigures.objects.exclude(prefixes={}).exists()
        record(quiet_day.pk, Report(state="busy", raw_state="BUSY"), CallStatus.Source.CALLBACK)
        check([DAY])
