"""Old rows are deleted or masked, depending on RETENTION; open calls and verifications stay."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.apps import apps
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.auth import get_user_model
from django.contrib.contenttypes.models import ContentType
from django.utils import timezone

from django_voicepassword import limits
from django_voicepassword.calls import recording
from django_voicepassword.history import retention
from django_voicepassword.limits import counters
from django_voicepassword.models import (
    BalanceReading,
    CallRequest,
    CallStatus,
    DailyStatistics,
    FraudTrip,
    LimitCounter,
    RefusedAttempt,
    Verification,
    VerifiedPhone,
)
from django_voicepassword.provider.protocol import parse_report
from django_voicepassword.security import masking

pytestmark = pytest.mark.django_db
PHONE = "79991234567"


def old_call(days: float, lifetime: timedelta = timedelta(minutes=5), **values: Any) -> CallRequest:
    """Create a call with a verification and a status, all so many days old."""
    at = timezone.now() - timedelta(days=days)
    verification = Verification.objects.create(
        phone=PHONE, purpose="login", created_at=at, expires_at=at + lifetime, ip="192.0.2.1"
    )
    defaults = {
        "phone": PHONE,
        "channel": "flashcall",
        "state": "busy",
        "created_at": at,
        "claimed_at": at,
    }
    call = CallRequest.objects.create(
        verification=verification, price=Decimal("0.35"), **{**defaults, **values}
    )
    CallStatus.objects.create(
        call=call, state="busy", source="callback", payload={"number": "+7 *** ***-**-67"}
    )
    return call


def test_without_retention_days_nothing_is_deleted() -> None:
    old_call(1000)
    assert retention.purge() == 0
    assert CallRequest.objects.count() == 1


def test_old_rows_are_deleted_in_batches(
    configure: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    configure(RETENTION_DAYS=30)
    monkeypatch.setattr(retention, "BATCH", 4)
    for _ in range(10):
        old_call(31)
    young = old_call(29)
    deleted: list[int] = []
    assert retention.purge(progress=deleted.append) == 20
    assert deleted == [4, 8, 10, 14, 18, 20]
    assert list(CallRequest.objects.all()) == [young]
    assert list(Verification.objects.all()) == [young.verification]
    assert CallStatus.objects.count() == 1
    assert retention.purge() == 0


def test_open_calls_and_verifications_stay(configure: Callable[..., None]) -> None:
    configure(RETENTION_DAYS=1)
    open_calls = [
        old_call(2, state="queued", claimed_at=None),
        old_call(2, state="placing"),
        old_call(2, lifetime=timedelta(days=9)),
    ]
    retention.purge()
    assert set(CallRequest.objects.all()) == set(open_calls)
    assert {call.verification for call in open_calls} == set(Verification.objects.all())


def test_the_newest_balance_and_the_daily_statistics_stay(configure: Callable[..., None]) -> None:
    configure(RETENTION_DAYS=30)
    old = timezone.now() - timedelta(days=99)
    for _ in range(3):
        BalanceReading.objects.create(balance=1, read_at=old)
    DailyStatistics.objects.create(date=old.date())
    assert retention.purge() == 2
    assert BalanceReading.objects.count() == DailyStatistics.objects.count() == 1


def refused(days: float) -> RefusedAttempt:
    at = timezone.now() - timedelta(days=days)
    number = RefusedAttempt.objects.count()
    return RefusedAttempt.objects.create(phone=f"7999000{number:04}", reason="ip", last_at=at)


@pytest.mark.parametrize(
    ("changes", "kept"),
    [
        ({}, 30),
        ({"RETENTION_DAYS": 99}, 30),
        ({"RETENTION_DAYS": 7}, 7),
        ({"RETENTION_DAYS": 7, "RETENTION": "mask"}, 7),
    ],
)
def test_refused_attempts_are_kept_for_thirty_days_at_most(
    configure: Callable[..., None], changes: dict[str, Any], kept: int
) -> None:
    configure(**changes)
    young = refused(kept - 0.1)
    refused(kept + 0.1)
    assert retention.purge() == 1
    assert list(RefusedAttempt.objects.all()) == [young]


def trip(days: float, **values: Any) -> FraudTrip:
    at = timezone.now() - timedelta(days=days)
    defaults = {"kind": "network", "subject": "192.0.2.0/24", "cause": "sends", "mode": "audit"}
    figures = {"failures": 60, "threshold": 50, "tripped_at": at, "ended_at": at}
    return FraudTrip.objects.create(**{**defaults, **figures, **values})


def test_old_trips_of_the_guard_are_deleted_unless_they_last(
    configure: Callable[..., None],
) -> None:
    old, young = trip(31), trip(29)
    lasting = trip(31, ended_at=None, active_key="network:sends:192.0.2.0/24")
    retention.purge()
    assert FraudTrip.objects.count() == 3
    configure(RETENTION_DAYS=30)
    retention.purge()
    assert old not in FraudTrip.objects.all()
    assert set(FraudTrip.objects.all()) == {young, lasting}


def test_masking_hides_networks_and_keeps_the_figures_of_trips(
    configure: Callable[..., None],
) -> None:
    configure(RETENTION_DAYS=30, RETENTION="mask")
    trip(31)
    trip(31, kind="prefix", subject="7999")
    trip(29)
    retention.purge()
    trips = FraudTrip.objects.order_by("id").values_list("subject", "failures")
    assert list(trips) == [("", 60), ("7999", 60), ("192.0.2.0/24", 60)]


@pytest.mark.parametrize("again", [0, 2])
def test_masking_hides_numbers_and_keeps_figures(
    configure: Callable[..., None], again: int
) -> None:
    configure(RETENTION_DAYS=30, RETENTION="mask")
    old, young = old_call(31), old_call(29)
    imported = CallRequest.objects.create(
        phone="12025550123",
        channel="voice",
        state="busy",
        origin="imported",
        created_at=old.created_at,
    )
    assert retention.purge() == 3
    assert sum(retention.purge() for _ in range(again)) == 0
    for row in (old, young, imported):
        row.refresh_from_db()
    assert (old.phone, old.price, old.state, young.phone) == (
        "7999123****",
        Decimal("0.35"),
        "busy",
        PHONE,
    )
    assert imported.phone == "1202555****"
    assert old.verification is not None
    assert (old.verification.phone, old.verification.ip) == ("7999123****", None)
    assert masking.mask(old.phone) == "+7 *** ***-**-**"
    assert masking.mask(imported.phone)


def everything_stored() -> str:
    """Return all values of all rows of this app and of the admin's history as one text.

    Without the random ids of verifications: in one of a hundred, a group begins with "-67".
    """
    models: list[Any] = [*apps.get_app_config("django_voicepassword").get_models(), LogEntry]
    stored = repr([(model._meta.label, list(model.objects.values())) for model in models])
    return re.sub(r"UUID\('[0-9a-f-]{36}'\)", "UUID", stored)


def test_masking_leaves_no_way_back_to_the_person(configure: Callable[..., None]) -> None:
    """Neither through a user, whose verified phone is kept, nor by the last digits elsewhere."""
    configure(RETENTION_DAYS=30, RETENTION="mask")
    user = get_user_model().objects.create_user("anna")
    staff = get_user_model().objects.create_user("support")
    call = old_call(31, error_code="+7 *** ***-**-67", service="to +7 *** ***-**-67")
    Verification.objects.update(user=user)
    CallRequest.objects.update(code_digest="z" * 64)
    CallStatus.objects.update(raw_state="BUSY +7 *** ***-**-67")
    CallStatus.objects.create(call=call, state="busy", source="poll", raw_state="BUSY")
    DailyStatistics.objects.create(
        date=call.created_at.date(),
        unreadable=1,
        unreadable_rows=[{"number": "+7 *** ***-**-67"}],
    )
    for kind, key in ((CallRequest, str(call.pk)), (LimitCounter, None), (FraudTrip, None)):
        entry = LogEntry.objects.create(
            user=staff,
            content_type=ContentType.objects.get_for_model(kind),
            object_id=key,
            object_repr="flash call, +7 *** ***-**-67, busy",
            action_flag=CHANGE,
        )
        LogEntry.objects.filter(pk=entry.pk).update(action_time=call.created_at)
    retention.purge()
    stored = everything_stored()
    assert "-67" not in stored
    assert "zzz" not in stored
    assert "192.0.2.1" not in stored
    assert f"'user_id': {user.pk}" not in stored
    # The figures stay, and what names nobody.
    call.refresh_from_db()
    assert (call.state, call.price) == ("busy", Decimal("0.35"))
    assert sorted(call.statuses.values_list("state", "raw_state")) == [
        ("busy", "***"),
        ("busy", "BUSY"),
    ]
    assert DailyStatistics.objects.get().unreadable == 1


def test_no_later_report_tells_the_end_of_a_masked_number(
    configure: Callable[..., None],
) -> None:
    configure(RETENTION_DAYS=30, RETENTION="mask")
    call = old_call(31, state="placed", provider_id="id-7", placed_at=timezone.now())
    young = old_call(1, state="placed", provider_id="id-8", placed_at=timezone.now())
    retention.purge()
    for one, source in ((call, "callback"), (young, "callback")):
        report = parse_report({"id": one.provider_id, "number": PHONE, "state": "BUSY"})
        recording.record(one.pk, report, source)
    assert list(call.statuses.values_list("payload", flat=True)) == [{}, {}]
    assert young.statuses.latest("id").payload["number"] == "+7 *** ***-**-67"


def test_after_a_user_is_deleted_retention_removes_the_number_and_the_address(
    configure: Callable[..., None],
) -> None:
    configure(RETENTION_DAYS=30)
    user = get_user_model().objects.create_user("anna")
    VerifiedPhone.objects.create(user=user, phone=PHONE)
    old_call(31)
    Verification.objects.update(user=user)
    user.delete()
    stored = everything_stored()
    assert (PHONE in stored, "192.0.2.1" in stored) == (True, True)
    retention.purge()
    stored = everything_stored()
    assert (PHONE in stored, "192.0.2.1" in stored) == (False, False)


def test_counters_are_deleted_when_no_rate_reaches_back_to_them(
    configure: Callable[..., None],
) -> None:
    configure(LIMITS={"phone": ["10/30d"]})
    limits.reserve(limits.make_uses({"phone": PHONE}), timezone.now()).commit()
    limits.raise_alarm("balance_low")
    limits.note_price("sms", "79990000001", Decimal("3.30"), timezone.now())
    LimitCounter.objects.update(updated_at=timezone.now() - timedelta(days=31))
    retention.purge()
    assert LimitCounter.objects.count() == 3
    LimitCounter.objects.update(updated_at=timezone.now() - timedelta(days=33))
    retention.purge()
    assert sorted(
        key.partition(":")[0] for key in LimitCounter.objects.values_list("pk", flat=True)
    ) == ["alarm", "price"]


def test_counters_are_deleted_in_batches(
    monkeypatch: pytest.MonkeyPatch, django_assert_num_queries: Any
) -> None:
    now = timezone.now()
    LimitCounter.objects.bulk_create(
        LimitCounter(key=f"ip:{number}", updated_at=now) for number in range(7)
    )
    monkeypatch.setattr(counters, "PURGE_BATCH", 3)
    # Three batches, each a SELECT of keys and a DELETE, and a last SELECT that finds none.
    with django_assert_num_queries(7):
        assert limits.purge(now + timedelta(seconds=1)) == 7
    assert not LimitCounter.objects.exists()
