"""The guard: each sentence of DESIGN, section 9.2."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from django.test import override_settings

from django_voicepassword.limits import guard
from django_voicepassword.limits.terms import BlockTripped
from django_voicepassword.models import FraudTrip

pytestmark = pytest.mark.django_db
NOON = datetime(2026, 3, 2, 12, 0, tzinfo=timezone.utc)
PHONE, ADDRESS = "79991230001", "192.0.2.7"


def make_trip(kind: str, subject: str, cause: str = "sends", **values: object) -> FraudTrip:
    return FraudTrip.objects.create(
        kind=kind,
        subject=subject,
        cause=cause,
        mode="enforce",
        active_key=f"{kind}:{cause}:{subject}",
        failures=60,
        threshold=50,
        **{"tripped_at": NOON, **values},
    )


@pytest.mark.parametrize(
    ("kind", "subject", "is_covered"),
    [
        ("block", "7999123", True),
        ("block", "7999124", False),
        ("prefix", "7999", True),
        ("prefix", "7998", False),
        ("network", "192.0.2.0/24", True),
        ("network", "192.0.3.0/24", False),
        ("site", "", True),
    ],
)
def test_a_trip_covers_the_sends_of_its_subject(kind: str, subject: str, is_covered: bool) -> None:
    trip = make_trip(kind, subject)
    standing = guard.read(PHONE, ADDRESS, NOON)
    assert standing.is_covered is is_covered
    assert [(one.pk, one.kind, one.subject) for one in standing.trips] == (
        [(trip.pk, kind, subject)] if is_covered else []
    )


def test_a_network_of_ipv6_is_a_48() -> None:
    make_trip("network", "2001:db8:1::/48")
    assert guard.read(PHONE, "2001:db8:1:2::3", NOON).is_covered
    assert not guard.read(PHONE, "2001:db8:2:2::3", NOON).is_covered


def test_the_guard_that_is_off_asks_nothing(django_assert_num_queries: Any) -> None:
    make_trip("site", "")
    with override_settings(VOICEPASSWORD={"FRAUD_GUARD": "off"}), django_assert_num_queries(0):
        standing = guard.read(PHONE, ADDRESS, NOON)
    assert not standing.is_covered
    assert standing.usual is None


def test_audit_covers_and_does_not_refuse() -> None:
    make_trip("site", "")
    assert guard.read(PHONE, ADDRESS, NOON).is_enforced
    with override_settings(VOICEPASSWORD={"FRAUD_GUARD": "audit"}):
        standing = guard.read(PHONE, ADDRESS, NOON)
        assert not standing.is_enforced
    assert standing.is_covered


def test_a_read_is_one_statement(django_assert_num_queries: Any) -> None:
    guard.watch(NOON)
    make_trip("site", "", "guesses")
    with django_assert_num_queries(1):
        standing = guard.read(PHONE, ADDRESS, NOON + timedelta(seconds=15))
    assert standing.is_by_guesses


def test_a_block_trips_once_and_is_judged_no_more(caplog: pytest.LogCaptureFixture) -> None:
    tripped = BlockTripped(failures=10, threshold=10, conversion=0.0)
    first = guard.trip_block(PHONE, tripped, has_control=True, usual=0.6, now=NOON)
    again = guard.trip_block("79991239999", tripped, has_control=True, usual=0.6, now=NOON)
    assert first == again
    assert len([record for record in caplog.records if "tripped" in record.getMessage()]) == 1
    assert first is not None
    assert first.subject == "7999123"
    assert guard.read(PHONE, ADDRESS, NOON).usual is None
    assert guard.read("79991240000", ADDRESS, NOON).usual == pytest.approx(0.6)
