"""Zones other than UTC: databases with a TIME_ZONE of their own, and clocks without USE_TZ.

In Berlin the hour from 02:00 to 03:00 is left out on 29 March 2026, and repeated on 25 October.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date, datetime, timedelta, timezone
from typing import Any

import pytest
from django.db import connections
from django.utils import timezone as django_timezone
from freezegun import freeze_time

from django_voicepassword import checks, statistics, verifications
from django_voicepassword.accounts import confirmation
from django_voicepassword.calls import recovery, retries
from django_voicepassword.exceptions import RateLimited, VerificationExpired
from django_voicepassword.models import CallRequest, CallStatus, Verification, moments
from django_voicepassword.provider.protocol import Report, parse_report
from django_voicepassword.testing import Sent

pytestmark = pytest.mark.django_db
NUMBER = "79990000001"
#: 02:00 in Berlin does not exist on this day: 03:00 follows 01:59:59.
SPRING = datetime(2026, 3, 29, 1, tzinfo=timezone.utc)
#: The clock is put back here, from 03:00 to 02:00.
AUTUMN = datetime(2026, 10, 25, 1, tzinfo=timezone.utc)


@pytest.fixture
def database_zone() -> Iterator[Callable[[str], None]]:
    """``database_zone("Asia/Vladivostok")`` sets the TIME_ZONE of the database."""
    connection = connections["default"]
    before = connection.settings_dict["TIME_ZONE"]

    def change(name: str | None) -> None:
        connection.settings_dict["TIME_ZONE"] = name
        for cached in ("timezone", "timezone_name"):
            connection.__dict__.pop(cached, None)
        connection.ensure_timezone()

    yield change
    change(before)


def test_a_database_zone_with_summer_time_is_reported(
    database_zone: Callable[[str | None], None],
) -> None:
    for zone in (None, "UTC", "Europe/Moscow"):
        database_zone(zone)
        assert checks.check_databases() == []
    for zone in ("Europe/Berlin", "America/St_Johns", "Australia/Sydney"):
        database_zone(zone)
        (warning,) = checks.check_databases()
        assert warning.id == "voicepassword.W017"
        assert zone in warning.msg


class Provider:
    """A client whose day has one row of ours, and one of another system."""

    def daily(self, day: date) -> list[Report]:
        row = {"number": NUMBER, "price": "0.35", "service": "Voice Password", "state": "Занято"}
        times = {"1000": "10.03.2026 12:00:05", "7": "10.03.2026 00:30:00"}
        return [parse_report({**row, "id": id, "date": at}) for id, at in times.items()]


@pytest.mark.parametrize("zone", ["Asia/Vladivostok", "America/St_Johns", None])
def test_a_sync_writes_times_as_the_database_stores_them(
    configure: Callable[..., None], database_zone: Callable[[str | None], None], zone: str | None
) -> None:
    database_zone(zone)
    configure(TRANSPORT=f"{__name__}.Provider")
    began = django_timezone.now().replace(microsecond=0)
    noon = datetime(2026, 3, 10, 9, 0, 5, tzinfo=timezone.utc)
    call = CallRequest.objects.create(
        phone=NUMBER,
        channel="voice",
        state="placed",
        provider_id="1000",
        created_at=noon,
        claimed_at=noon,
    )
    statistics.sync_day(date(2026, 3, 10))
    call.refresh_from_db()
    assert call.occurred_at == noon
    imported = CallRequest.objects.get(origin="imported")
    half_past = datetime(2026, 3, 9, 21, 30, tzinfo=timezone.utc)
    assert imported.created_at == imported.placed_at == imported.occurred_at == half_past
    written = [call.listed_at, call.finished_at, imported.listed_at]
    written += CallStatus.objects.values_list("received_at", flat=True)
    for moment in written:
        assert moment is not None
        assert began <= moment <= django_timezone.now()
    assert set(CallStatus.objects.values_list("occurred_at", flat=True)) == {noon, half_past}


@pytest.fixture
def berlin(settings: Any) -> None:
    """A site in Berlin with naive times."""
    settings.USE_TZ = False
    settings.TIME_ZONE = "Europe/Berlin"


def clock(change: datetime, seconds: float) -> Any:
    """Freeze the time at so many seconds after the change, as a clock in Berlin shows it."""
    moment = change + timedelta(seconds=seconds)
    summer = (change == SPRING) == (moment >= change)
    return freeze_time(moment.replace(tzinfo=None), tz_offset=2 if summer else 1)


@pytest.mark.parametrize("change", [SPRING, AUTUMN])
@pytest.mark.usefixtures("berlin")
def test_a_verification_lives_its_whole_time_when_the_clock_is_changed(
    change: datetime, outbox: list[Sent]
) -> None:
    with clock(change, -150):
        verification = verifications.start(NUMBER)
    with clock(change, 140):
        Verification.expire_old(django_timezone.now())
        assert verifications.get(verification.id).is_open
        verifications.check(verification.id, outbox[-1].code)


@pytest.mark.usefixtures("berlin")
def test_in_spring_a_verification_ends_on_time_and_a_resend_waits_its_whole_time(
    outbox: list[Sent],
) -> None:
    with clock(SPRING, -20):
        verification = verifications.start(NUMBER)
    with clock(SPRING, 10), pytest.raises(RateLimited) as caught:
        verifications.resend(verification.id)
    assert (caught.value.limit, caught.value.retry_after) == ("resend_after", 30)
    with clock(SPRING, 41):
        verifications.resend(verification.id)
    with clock(SPRING, 281), pytest.raises(VerificationExpired):
        verifications.check(verification.id, outbox[-1].code)


@pytest.mark.usefixtures("berlin")
def test_in_spring_a_worker_is_not_taken_for_dead_and_a_call_is_not_taken_for_old() -> None:
    with clock(SPRING, -5):
        now = django_timezone.now()
        verification = verifications.start(NUMBER)
        calls = verification.calls.all()
        calls.update(state="placing", claimed_at=now, created_at=now)
    with clock(SPRING, 5):
        assert recovery.lose_abandoned() == []
        assert retries.retry_later(calls.get(), last_try=False) == pytest.approx(10, abs=1)
        assert recovery.stuck_in_queue() == []
    with clock(SPRING, 200):
        assert len(recovery.stuck_in_queue()) == 1


@pytest.mark.usefixtures("berlin")
def test_in_spring_a_confirmation_keeps_its_age(
    rf: Any, django_user_model: Any, outbox: list[Sent]
) -> None:
    request = rf.get("/")
    request.user, request.session = django_user_model.objects.create(username="anna"), {}
    with clock(SPRING, -20):
        verification = verifications.start(
            NUMBER, purpose="confirm", request=request, user=request.user
        )
        confirmation.confirm(request, verification.id, outbox[-1].code)
    with clock(SPRING, 10):
        assert confirmation.is_confirmed(request, max_age=60)
    with clock(SPRING, 41):
        assert not confirmation.is_confirmed(request, max_age=60)


def test_times_read_from_a_database_with_a_zone_are_added_up_as_they_pass(
    database_zone: Callable[[str], None], outbox: list[Sent]
) -> None:
    with freeze_time(AUTUMN - timedelta(seconds=20)):
        verification = verifications.start(NUMBER)
    database_zone("Europe/Berlin")
    Verification.objects.update(last_sent_at=AUTUMN - timedelta(seconds=20))
    resend_at = verifications.get(verification.id).resend_at
    assert resend_at is not None
    assert resend_at - AUTUMN == timedelta(seconds=40)
    assert moments.seconds_until(resend_at, AUTUMN) == 40
