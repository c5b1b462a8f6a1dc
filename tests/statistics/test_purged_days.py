"""A sync imports nothing that is older than RETENTION_DAYS, and keeps the figures of such a day."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.utils import timezone

from django_voicepassword import limits, statistics
from django_voicepassword.conf import settings
from django_voicepassword.history import retention
from django_voicepassword.models import CallRequest, DailyStatistics, DayFigures
from tests.statistics.rows_provider import ROWS, Provider

pytestmark = pytest.mark.django_db
MOSCOW = ZoneInfo("Europe/Moscow")


@pytest.fixture(autouse=True)
def _provider(configure: Callable[..., None]) -> None:
    ROWS.clear()
    configure(TRANSPORT=f"{Provider.__module__}.Provider")


@pytest.fixture
def noon() -> datetime:
    """Noon in Moscow, long enough ago for a RETENTION_DAYS of 1."""
    day = timezone.now().astimezone(MOSCOW).date() - timedelta(days=3)
    return datetime(day.year, day.month, day.day, 12, tzinfo=MOSCOW)


def add_row(id: str, at: datetime | None, phone: str = "79990000001", **values: str) -> None:
    zone = ZoneInfo(settings.PROVIDER_TIME_ZONE)
    date = "" if at is None else at.astimezone(zone).strftime("%d.%m.%Y %H:%M:%S")
    row = {"id": id, "number": phone, "date": date, "duration": "00:04", "price": "0.35"}
    ROWS.append({**row, "service": "Voice Password", "state": "Успешно", **values})


def add_call(id: str, at: datetime, **values: Any) -> CallRequest:
    defaults = {"phone": "79990000001", "channel": "flashcall", "state": "placed"}
    return CallRequest.objects.create(
        **{**defaults, "provider_id": id, "created_at": at, "claimed_at": at, **values}
    )


def sync(at: datetime) -> tuple[Any, ...]:
    statistics.sync_day(at.astimezone(ZoneInfo(settings.PROVIDER_TIME_ZONE)).date())
    day = DailyStatistics.objects.get()
    found = (day.rows, day.matched, day.imported, day.mismatched, day.missing)
    return (*found, day.total_price, day.counts)


@pytest.mark.parametrize("mode", ["delete", "mask"])
def test_a_sync_does_not_bring_back_what_was_purged(
    configure: Callable[..., None], mode: str, noon: datetime
) -> None:
    add_call("1000", noon, price=Decimal("0.30"))
    add_call("1001", noon, channel="voice")
    add_call("1002", noon)
    for number, id in enumerate(["1000", "1001", "7"]):
        add_row(id, noon + timedelta(minutes=number))
    first = sync(noon)
    assert first[:5] == (3, 2, 1, 1, 1)
    configure(RETENTION_DAYS=1, RETENTION=mode)
    assert retention.purge() == 4
    kept = CallRequest.objects.count()
    assert kept == {"delete": 0, "mask": 4}[mode]
    for _ in range(2):
        assert sync(noon) == first
    assert CallRequest.objects.count() == kept
    assert not CallRequest.objects.filter(phone="79990000001").exists()


@pytest.mark.parametrize("days", [365, None])
def test_what_was_deleted_stays_deleted_when_retention_days_is_raised(
    configure: Callable[..., None], noon: datetime, days: int | None
) -> None:
    day = noon.astimezone(MOSCOW).date()
    add_call("1000", noon)
    add_row("1000", noon)
    sync(noon)
    assert statistics.refresh_figures(day)
    configure(RETENTION_DAYS=1)
    retention.purge()
    # Counters that nobody uses are deleted later; what is told here stays.
    limits.purge(timezone.now() + timedelta(days=9))
    configure(RETENTION_DAYS=days)
    add_row("7", noon)
    assert sync(noon)[:3] == (2, 1, 0)
    assert not CallRequest.objects.exists()
    assert not statistics.refresh_figures(day)
    assert DayFigures.objects.get(channel="").calls == 1


def test_where_nothing_was_deleted_raising_retention_days_opens_older_days(
    configure: Callable[..., None], noon: datetime
) -> None:
    configure(RETENTION_DAYS=1)
    retention.purge()
    configure(RETENTION_DAYS=365)
    add_row("7", noon)
    assert sync(noon)[:3] == (1, 0, 1)


def test_a_purged_call_whose_row_has_no_date_is_not_brought_back(
    configure: Callable[..., None],
) -> None:
    at = timezone.now() - timedelta(hours=25)
    add_call("1000", at)
    add_row("1000", None)
    first = sync(at)
    configure(RETENTION_DAYS=1)
    retention.purge()
    assert sync(at) == first
    assert not CallRequest.objects.exists()


def test_an_old_day_that_was_never_synced_counts_its_rows_and_imports_none(
    configure: Callable[..., None], noon: datetime
) -> None:
    configure(RETENTION_DAYS=1)
    add_row("7", noon)
    add_row("8", None)
    for _ in range(2):
        assert sync(noon)[:6] == (2, 0, 0, 0, 0, Decimal("0.70"))
    assert not CallRequest.objects.exists()


def test_a_day_of_which_a_part_was_purged_still_gets_its_later_rows(
    configure: Callable[..., None],
) -> None:
    """Yesterday, where RETENTION_DAYS is 1."""
    edge = timezone.now() - timedelta(days=1)
    # A zone in which it is noon. The sign of these names is reversed.
    zone = f"Etc/GMT{edge.hour - 12:+d}"
    configure(RETENTION_DAYS=1, PROVIDER_TIME_ZONE=zone)
    day = edge.astimezone(ZoneInfo(zone)).date()
    before, after = edge - timedelta(minutes=1), edge + timedelta(hours=2)
    add_call("1000", before)
    add_row("1000", before)
    add_row("7", before)
    assert retention.purge() == 1
    DailyStatistics.objects.create(
        date=day, rows=2, matched=1, imported=1, total_price="0.70", counts={"voice": {"busy": 2}}
    )
    add_call("1001", after, price=Decimal("0.30"))
    add_row("1001", after)
    add_row("8", after)
    for _ in range(2):
        assert sync(edge)[:6] == (4, 2, 2, 1, 0, Decimal("1.40"))
    assert set(CallRequest.objects.values_list("provider_id", "origin")) == {
        ("1001", "app"),
        ("8", "imported"),
    }


def test_a_call_that_rang_after_the_edge_of_retention_is_not_imported(
    configure: Callable[..., None],
) -> None:
    """It was made, and purged, as one that is older; the provider dates it some minutes later."""
    configure(RETENTION_DAYS=1)
    edge = timezone.now() - timedelta(days=1)
    add_row("1000", edge + timedelta(minutes=4))
    sync(edge)
    assert not CallRequest.objects.exists()


def test_a_sync_tells_no_digits_of_a_masked_number(
    noon: datetime, configure: Callable[..., None]
) -> None:
    """The row of a masked call has its number: kept with two digits, it would be one of 100."""
    masked, young = add_call("a", noon), add_call("b", timezone.now())
    configure(TRANSPORT=f"{__name__}.Provider", RETENTION_DAYS=1, RETENTION="mask")
    retention.purge()
    add_row("a", noon)
    add_row("b", noon)
    sync(noon)
    assert [status.payload for status in masked.statuses.all()] == [{}]
    assert [status.payload["number"] for status in young.statuses.all()] == ["+7 *** ***-**-01"]
