"""The guard's watch: when it trips, when a trip ends, and what an outage excuses."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from freezegun import freeze_time

from django_voicepassword import signals
from django_voicepassword.limits import guard
from django_voicepassword.limits.guard.subjects import condition
from django_voicepassword.limits.terms import BlockTripped
from django_voicepassword.models import (
    CallRequest,
    FraudTrip,
    LimitCounter,
    RefusedAttempt,
    Verification,
)
from django_voicepassword.verifications import dispatch

pytestmark = pytest.mark.django_db
NOON = datetime(2026, 3, 2, 12, 0, tzinfo=timezone.utc)
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
TICK = timedelta(seconds=15)
UNPROVEN, PROVEN = "unproven", "proven"


class Crowd:
    """Makes sends as the app leaves them, each of another number and from another network."""

    def __init__(self) -> None:
        self.made = 0

    def sends(
        self,
        count: int,
        at: datetime,
        *,
        approved: bool = False,
        lane: str = UNPROVEN,
        state: str = "placed",
        prefix: str | None = None,
        address: str | None = None,
        attempts: int | None = None,
        phone: str | None = None,
    ) -> None:
        numbers = range(self.made, self.made + count)
        self.made += count
        verifications, calls = [], []
        for number in numbers:
            # Spread over prefixes, blocks and networks, so that nothing but the site trips.
            start = prefix or f"79{number % 97:02}"
            digits = phone or start + f"{number * 7919 % 10**7:07}"[: 11 - len(start)]
            status = "approved" if approved else "pending"
            verification = Verification(
                phone=digits,
                status=status,
                attempts=int(approved) if attempts is None else attempts,
                sends=1,
                created_at=at,
                expires_at=at + 5 * MINUTE,
                approved_at=at + MINUTE if approved else None,
                closed_at=at + MINUTE if approved else None,
            )
            verifications.append(verification)
            calls.append(
                CallRequest(
                    verification=verification,
                    phone=digits,
                    channel="flashcall",
                    state=state,
                    claimed_at=at,
                    created_at=at,
                    counted_address=address or f"198.{number % 200}.{number // 200 % 250}.1",
                    lane=lane,
                    is_open=not approved,
                )
            )
        Verification.objects.bulk_create(verifications)
        CallRequest.objects.bulk_create(calls)


@pytest.fixture
def crowd() -> Crowd:
    return Crowd()


@pytest.fixture
def suspected() -> Iterator[list[dict[str, Any]]]:
    yield from _received(signals.fraud_suspected)


@pytest.fixture
def outages() -> Iterator[list[dict[str, Any]]]:
    yield from _received(signals.outage_suspected)


def _received(signal: Any) -> Iterator[list[dict[str, Any]]]:
    received: list[dict[str, Any]] = []

    def receive(sender: Any, **values: Any) -> None:
        received.append({name: value for name, value in values.items() if name != "signal"})

    signal.connect(receive)
    yield received
    signal.disconnect(receive)


def open_trips() -> list[tuple[str, str, str]]:
    rows = FraudTrip.objects.filter(ended_at__isnull=True).order_by("id")
    return list(rows.values_list("kind", "subject", "cause"))


def with_control(crowd: Crowd, at: datetime, approved: int = 12, failed: int = 0) -> None:
    crowd.sends(approved, at, lane=PROVEN, approved=True)
    crowd.sends(failed, at, lane=PROVEN)


SITE = ("site", "", "sends")


# When it trips


def test_the_site_trips_at_the_floor(crowd: Crowd) -> None:
    with_control(crowd, NOON)
    crowd.sends(49, NOON)
    guard.watch(NOON + TICK)
    assert open_trips() == []
    crowd.sends(1, NOON + TICK)
    guard.watch(NOON + 2 * TICK)
    assert open_trips() == [SITE]


def test_a_usual_conversion_does_not_trip(crowd: Crowd) -> None:
    with_control(crowd, NOON)
    # A third of 0.6, the usual conversion where there is no history, is 20 of 100.
    crowd.sends(80, NOON)
    crowd.sends(20, NOON, approved=True)
    guard.watch(NOON + TICK)
    assert open_trips() == []
    crowd.sends(2, NOON)
    guard.watch(NOON + TICK)
    assert open_trips() == [SITE]


@pytest.mark.parametrize(
    ("values", "trip"),
    [
        ({"prefix": "7999"}, ("prefix", "7999", "sends")),
        ({"address": "192.0.2.9"}, ("network", "192.0.2.0/24", "sends")),
        ({"address": "2001:db8:0:1::9"}, ("network", "2001:db8::/48", "sends")),
    ],
)
def test_a_part_of_the_site_trips_alone(
    crowd: Crowd, values: dict[str, Any], trip: tuple[str, str, str]
) -> None:
    with_control(crowd, NOON)
    crowd.sends(12, NOON, lane=PROVEN, approved=True, prefix="7999")
    crowd.sends(100, NOON, approved=True)
    crowd.sends(50, NOON, **values)
    guard.watch(NOON + TICK)
    assert open_trips() == [trip]


def test_a_failure_counts_for_an_hour(crowd: Crowd) -> None:
    with_control(crowd, NOON + 30 * MINUTE)
    crowd.sends(50, NOON)
    guard.watch(NOON + HOUR)
    assert open_trips() == []


def test_only_sends_of_the_unproven_lane_are_failures(crowd: Crowd) -> None:
    with_control(crowd, NOON, approved=60)
    crowd.sends(60, NOON, lane=PROVEN)
    crowd.sends(49, NOON)
    guard.watch(NOON + TICK)
    assert open_trips() == []


def test_a_send_that_surely_did_not_leave_is_neither_failure_nor_approval(crowd: Crowd) -> None:
    with_control(crowd, NOON)
    crowd.sends(60, NOON)
    # Given back: it is not open, and not approved.
    crowd.sends(100, NOON, state="refused", approved=True)
    guard.watch(NOON + TICK)
    assert open_trips() == [SITE]


def test_test_numbers_and_imported_calls_do_not_count(crowd: Crowd) -> None:
    with_control(crowd, NOON)
    crowd.sends(60, NOON)
    rows = CallRequest.objects.filter(is_open=True)
    first = list(rows.values_list("pk", flat=True)[:30])
    rows.filter(pk__in=first).update(service=CallRequest.TEST_SERVICE)
    rows.exclude(pk__in=first).update(origin="imported")
    guard.watch(NOON + TICK)
    assert open_trips() == []


def test_a_trip_is_told_once(
    crowd: Crowd,
    suspected: list[dict[str, Any]],
    caplog: pytest.LogCaptureFixture,
    django_capture_on_commit_callbacks: Any,
) -> None:
    with_control(crowd, NOON)
    crowd.sends(50, NOON)
    caplog.set_level(logging.INFO, "django_voicepassword.audit")
    with django_capture_on_commit_callbacks(execute=True):
        guard.watch(NOON + TICK)
        guard.watch(NOON + TICK)
    assert [one["kind"] for one in suspected] == ["site"]
    assert suspected[0] == {
        "kind": "site",
        "subject": "",
        "failures": 50,
        "conversion": 0.0,
        "mode": "enforce",
    }
    lines = [record.getMessage() for record in caplog.records]
    assert lines == [
        "the guard tripped (enforce): site, sends: 50 failures in an hour (threshold 50), "
        "conversion 0.0% (usual 60.0%)"
    ]


def test_audit_trips_and_says_so(crowd: Crowd, settings: Any) -> None:
    settings.VOICEPASSWORD = {**settings.VOICEPASSWORD, "FRAUD_GUARD": "audit"}
    with_control(crowd, NOON)
    crowd.sends(50, NOON)
    guard.watch(NOON + TICK)
    assert list(FraudTrip.objects.values_list("kind", "mode")) == [("site", "audit")]


def test_off_watches_nothing(crowd: Crowd, settings: Any, django_assert_num_queries: Any) -> None:
    settings.VOICEPASSWORD = {**settings.VOICEPASSWORD, "FRAUD_GUARD": "off"}
    with django_assert_num_queries(0):
        guard.watch(NOON)


@pytest.mark.django_db(transaction=True)
def test_a_start_watches_where_beat_does_not_run(crowd: Crowd) -> None:
    with_control(crowd, NOON)
    crowd.sends(50, NOON)
    guard.watch(NOON - HOUR)
    assert guard.read("79991230001", "192.0.2.1", NOON + TICK).trips[0].kind == "site"


def test_a_start_in_a_transaction_of_the_project_watches_after_its_commit(
    crowd: Crowd, django_assert_num_queries: Any, django_capture_on_commit_callbacks: Any
) -> None:
    """What the watch locks would stay locked until then, and every other start would wait."""
    with_control(crowd, NOON)
    crowd.sends(50, NOON)
    guard.watch(NOON - HOUR)
    with (
        freeze_time(NOON + TICK),
        django_capture_on_commit_callbacks(execute=True),
        django_assert_num_queries(1),
    ):
        assert not guard.read("79991230001", "192.0.2.1", NOON + TICK).is_covered
    assert open_trips() == [("site", "", "sends")]


def test_a_network_of_ipv6_is_found_in_every_spelling(crowd: Crowd) -> None:
    for address in ("2001:db8::9", "2001:db8:0:1::9", "2001:db8:1::9"):
        crowd.sends(1, NOON, address=address)
    of_network = condition(("network", "2001:db8::/48"), "counted_address")
    found = CallRequest.objects.filter(of_network).values_list("counted_address", flat=True)
    assert sorted(found) == ["2001:db8:0:1::9", "2001:db8::9"]


# Wrong guesses


def test_wrong_guesses_trip_the_site(crowd: Crowd) -> None:
    with_control(crowd, NOON)
    crowd.sends(9, NOON, attempts=5)
    crowd.sends(1, NOON, attempts=4)
    guard.watch(NOON + TICK)
    assert open_trips() == []
    crowd.sends(1, NOON, attempts=1)
    guard.watch(NOON + TICK)
    assert open_trips() == [("site", "", "guesses")]
    assert guard.read("79991230001", "192.0.2.1", NOON + TICK).is_by_guesses
    assert guard.is_tripped_by_guesses()


def test_wrong_guesses_of_proven_people_do_not_trip(crowd: Crowd) -> None:
    crowd.sends(20, NOON, lane=PROVEN, attempts=5)
    guard.watch(NOON + TICK)
    assert open_trips() == []


def test_a_launch_brings_more_wrong_guesses_and_no_trip(crowd: Crowd) -> None:
    """Five times the usual ratio of wrong guesses to approvals: one for each approval."""
    crowd.sends(60, NOON, approved=True, attempts=1)
    crowd.sends(10, NOON, attempts=5)
    guard.watch(NOON + TICK)
    assert open_trips() == []
    crowd.sends(2, NOON, attempts=5)
    guard.watch(NOON + TICK)
    assert open_trips() == [("site", "", "guesses")]


def test_an_outage_does_not_excuse_wrong_guesses(crowd: Crowd) -> None:
    with_control(crowd, NOON, approved=0, failed=40)
    crowd.sends(50, NOON, attempts=5)
    guard.watch(NOON + 3 * MINUTE)
    assert open_trips() == [("site", "", "guesses")]


def test_an_ordinary_hour_counts_for_wrong_guesses(crowd: Crowd) -> None:
    """Five times an ordinary hour: 5 * 20 wrong guesses."""
    for hour in range(10):
        at = NOON + hour * HOUR + MINUTE
        crowd.sends(50, at, approved=True, attempts=1)
        crowd.sends(4, at, attempts=5)
    now = NOON + 10 * HOUR + 6 * MINUTE
    guard.watch(now)
    crowd.sends(19, now, attempts=5)
    guard.watch(now + TICK)
    assert open_trips() == []
    crowd.sends(1, now, attempts=5)
    guard.watch(now + TICK)
    assert open_trips() == [("site", "", "guesses")]


# The control group


def test_an_outage_is_no_attack(
    crowd: Crowd,
    outages: list[dict[str, Any]],
    suspected: list[dict[str, Any]],
    django_capture_on_commit_callbacks: Any,
) -> None:
    with_control(crowd, NOON, approved=2, failed=10)
    crowd.sends(200, NOON)
    with django_capture_on_commit_callbacks(execute=True):
        for minute in range(3, 6):
            guard.watch(NOON + minute * MINUTE)
    assert open_trips() == []
    assert suspected == []
    assert outages == [{"prefix": "", "channel": "flashcall", "conversion": pytest.approx(1 / 6)}]


def test_an_outage_is_told_though_an_alarm_was_left_over(
    crowd: Crowd, outages: list[dict[str, Any]], django_capture_on_commit_callbacks: Any
) -> None:
    """Of two watches at once, one may overwrite the state that knows the outage of the other."""
    LimitCounter.objects.create(key="alarm:outage:", updated_at=NOON)
    guard.watch(NOON)
    with_control(crowd, NOON, approved=2, failed=10)
    with django_capture_on_commit_callbacks(execute=True):
        guard.watch(NOON + 3 * MINUTE)
    assert [one["prefix"] for one in outages] == [""]


def test_an_outage_that_is_not_yet_declared_is_no_attack_either(crowd: Crowd) -> None:
    with_control(crowd, NOON, approved=2, failed=10)
    crowd.sends(200, NOON)
    guard.watch(NOON + TICK)
    assert open_trips() == []


def test_a_proven_send_that_did_not_leave_is_no_approval(crowd: Crowd) -> None:
    # Given back: it is not open.
    crowd.sends(12, NOON, lane=PROVEN, approved=True, state="refused")
    crowd.sends(50, NOON)
    guard.watch(NOON + 3 * MINUTE)
    assert open_trips() == []


def test_an_outage_excuses_a_trip_that_is_open(crowd: Crowd) -> None:
    crowd.sends(50, NOON)
    guard.watch(NOON + TICK)
    assert guard.read("79991230001", "192.0.2.1", NOON + TICK).is_enforced
    with_control(crowd, NOON, approved=2, failed=10)
    guard.watch(NOON + 3 * MINUTE)
    standing = guard.read("79991230001", "192.0.2.1", NOON + 3 * MINUTE)
    assert not standing.is_covered
    assert standing.usual is None


def test_each_number_of_the_control_group_counts_once(crowd: Crowd) -> None:
    """Somebody with one trusted device cannot make it an outage."""
    with_control(crowd, NOON)
    crowd.sends(100, NOON, lane=PROVEN, phone="79991234567")
    crowd.sends(50, NOON)
    guard.watch(NOON + 3 * MINUTE)
    assert open_trips() == [SITE]


def test_an_outage_of_one_operator_excuses_that_operator(
    crowd: Crowd, outages: list[dict[str, Any]], django_capture_on_commit_callbacks: Any
) -> None:
    with_control(crowd, NOON, approved=30)
    crowd.sends(10, NOON, lane=PROVEN, prefix="7999")
    crowd.sends(60, NOON, prefix="7999", address="192.0.2.1")
    with django_capture_on_commit_callbacks(execute=True):
        guard.watch(NOON + 3 * MINUTE)
    assert open_trips() == []
    assert [one["prefix"] for one in outages] == ["7999"]
    crowd.sends(50, NOON, address="198.51.100.1")
    guard.watch(NOON + 3 * MINUTE)
    assert sorted(open_trips()) == [("network", "198.51.100.0/24", "sends"), SITE]


def test_in_a_launch_everybody_waits_for_the_call(
    crowd: Crowd, outages: list[dict[str, Any]], django_capture_on_commit_callbacks: Any
) -> None:
    """In the first seconds of a rush most sends are open, in both lanes alike: no attack, and no
    outage either.
    """
    crowd.sends(20, NOON - 30 * MINUTE, approved=True)
    crowd.sends(30, NOON - 30 * MINUTE, lane=PROVEN, approved=True)
    crowd.sends(200, NOON)
    crowd.sends(300, NOON, lane=PROVEN)
    with django_capture_on_commit_callbacks(execute=True):
        guard.watch(NOON + TICK)
    assert open_trips() == []
    assert outages == []


def test_an_attack_is_told_from_calls_that_arrive_half_the_time(crowd: Crowd) -> None:
    """The proven lane converts at a half of the usual: the unproven one may do so too."""
    with_control(crowd, NOON, approved=30, failed=70)
    crowd.sends(85, NOON)
    crowd.sends(15, NOON, approved=True)
    guard.watch(NOON + TICK)
    assert open_trips() == []
    crowd.sends(200, NOON)
    guard.watch(NOON + TICK)
    assert open_trips() == [SITE]


@pytest.mark.parametrize("state", ["queued", "placing", "refused", "unknown", "failed"])
def test_without_a_control_group_calls_that_were_not_taken_do_not_count(
    crowd: Crowd, state: str
) -> None:
    crowd.sends(9, NOON, lane=PROVEN, approved=True)
    crowd.sends(60, NOON, state=state)
    guard.watch(NOON + TICK)
    assert open_trips() == []
    crowd.sends(50, NOON, state="placed")
    guard.watch(NOON + TICK)
    assert SITE in open_trips()


@pytest.mark.parametrize("state", ["queued", "placing", "refused", "unknown", "failed"])
def test_with_a_control_group_every_open_send_counts(crowd: Crowd, state: str) -> None:
    crowd.sends(10, NOON, lane=PROVEN, approved=True)
    crowd.sends(50, NOON, state=state)
    guard.watch(NOON + TICK)
    assert open_trips() == [SITE]


def test_a_block_without_a_control_group_trips_by_calls_that_were_taken(crowd: Crowd) -> None:
    tripped = BlockTripped(failures=10, threshold=10, conversion=0.0)
    crowd.sends(9, NOON, prefix="7999123", state="queued")
    assert guard.trip_block("79991230000", tripped, False, 0.6, NOON + TICK) is None
    CallRequest.objects.update(state="placed")
    assert guard.trip_block("79991230000", tripped, False, 0.6, NOON + TICK) is not None


# What is usual


def test_several_watches_at_once_count_an_hour_once(crowd: Crowd) -> None:
    """None of them knows yet what the others have added to the history: 100 sends make one."""
    crowd.sends(60, NOON - 3 * HOUR, approved=True)
    for _ in range(2):
        LimitCounter.objects.filter(key="guard:state").delete()
        guard.watch(NOON)
    assert not guard.figures(NOON).has_history
    crowd.sends(40, NOON, approved=True)
    guard.watch(NOON + 2 * HOUR)
    assert guard.figures(NOON + 2 * HOUR).has_history


def test_the_usual_conversion_is_that_of_the_last_30_days(crowd: Crowd) -> None:
    crowd.sends(90, NOON, approved=True)
    crowd.sends(10, NOON)
    guard.watch(NOON + 90 * MINUTE)
    assert guard.figures(NOON + 90 * MINUTE).usual == pytest.approx(0.9)
    guard.watch(NOON + timedelta(days=32))
    assert guard.figures(NOON).usual == pytest.approx(0.6)


def test_hours_under_a_trip_or_an_outage_are_left_out(crowd: Crowd) -> None:
    crowd.sends(100, NOON, approved=True)
    guard.watch(NOON + 90 * MINUTE)
    trip = FraudTrip.objects.create(
        kind="block",
        subject="7999123",
        cause="sends",
        mode="audit",
        failures=10,
        threshold=10,
        tripped_at=NOON + 2 * HOUR,
        ended_at=NOON + 2 * HOUR + MINUTE,
    )
    crowd.sends(60, NOON + 2 * HOUR + MINUTE, approved=True)
    crowd.sends(40, NOON + 2 * HOUR + MINUTE)
    guard.watch(NOON + 4 * HOUR)
    assert guard.figures(NOON + 4 * HOUR).usual == pytest.approx(1.0)
    trip.delete()
    at = NOON + 5 * HOUR
    crowd.sends(20, at, lane=PROVEN)
    crowd.sends(60, at, approved=True)
    crowd.sends(40, at)
    guard.watch(at + 3 * MINUTE)
    guard.watch(at + 3 * HOUR)
    assert guard.figures(at + 3 * HOUR).usual == pytest.approx(1.0)


def test_an_attacker_under_the_thresholds_does_not_move_the_usual(crowd: Crowd) -> None:
    crowd.sends(90, NOON, approved=True)
    crowd.sends(10, NOON)
    for hour in range(2, 20):
        guard.watch(NOON + hour * HOUR - MINUTE)
        crowd.sends(5, NOON + hour * HOUR, approved=True)
        crowd.sends(45, NOON + hour * HOUR)
    guard.watch(NOON + 22 * HOUR)
    assert open_trips() == []
    assert guard.figures(NOON + 22 * HOUR).usual == pytest.approx(0.9)


# The end of a trip


def trip_site(crowd: Crowd, at: datetime = NOON) -> FraudTrip:
    with_control(crowd, at)
    crowd.sends(50, at)
    guard.watch(at + TICK)
    return FraudTrip.objects.get(kind="site")


def refused(count: int, at: datetime, reason: str, first: int = 0) -> None:
    RefusedAttempt.objects.bulk_create(
        RefusedAttempt(
            phone=f"7912{number:07}",
            address=f"203.0.{number % 250}.1",
            reason=reason,
            first_at=at,
            last_at=at,
        )
        for number in range(first, first + count)
    )


def watch_until(begin: datetime, end: datetime) -> None:
    """Watch every ten minutes, as time goes by."""
    now = begin
    while now < end:
        now += 10 * MINUTE
        guard.watch(now)


def test_a_trip_ends_after_a_calm_hour(crowd: Crowd) -> None:
    trip = trip_site(crowd)
    watch_until(NOON, NOON + 110 * MINUTE)
    assert open_trips() == [SITE]
    watch_until(NOON + 110 * MINUTE, NOON + 120 * MINUTE)
    assert open_trips() == []
    trip.refresh_from_db()
    assert trip.end == "calm"
    assert trip.active_key is None


def test_a_failure_in_between_begins_the_calm_hour_anew(crowd: Crowd) -> None:
    trip_site(crowd)
    watch_until(NOON, NOON + 90 * MINUTE)
    crowd.sends(50, NOON + 90 * MINUTE)
    watch_until(NOON + 90 * MINUTE, NOON + 200 * MINUTE)
    assert open_trips() == [SITE]
    watch_until(NOON + 200 * MINUTE, NOON + 210 * MINUTE)
    assert open_trips() == []


@pytest.mark.parametrize(
    ("reason", "is_failure"),
    [("guard", True), ("challenge_required", True), ("phone", False), ("ip", False)],
)
def test_what_the_guard_refuses_keeps_a_trip_open(
    crowd: Crowd, reason: str, is_failure: bool
) -> None:
    trip_site(crowd)
    for minute in (30, 90):
        refused(50, NOON + minute * MINUTE, reason, first=minute * 100)
    watch_until(NOON, NOON + 150 * MINUTE)
    assert bool(open_trips()) is is_failure


def test_a_challenge_that_the_number_solved_is_no_failure(crowd: Crowd) -> None:
    trip_site(crowd)
    for minute in (30, 90):
        at = NOON + minute * MINUTE
        refused(50, at, "challenge_required", first=minute * 100)
        for number in range(minute * 100, minute * 100 + 50):
            crowd.sends(1, at + MINUTE, phone=f"7912{number:07}", approved=True)
    # Nobody ends it early: these people are of one network.
    CallRequest.objects.filter(phone__startswith="7912").update(counted_address="203.0.113.1")
    watch_until(NOON, NOON + 150 * MINUTE)
    assert open_trips() == []
    assert FraudTrip.objects.get().end == "calm"


def test_a_trip_ends_early_when_twenty_numbers_convert(crowd: Crowd) -> None:
    # What came before the trip does not end it.
    crowd.sends(10, NOON - 30 * MINUTE, approved=True)
    trip = trip_site(crowd)
    crowd.sends(13, NOON + MINUTE)
    # Two thirds of 0.6 is 0.4: 8 of 20.
    crowd.sends(7, NOON + 7 * MINUTE, approved=True)
    guard.watch(NOON + 13 * MINUTE)
    assert open_trips() == [SITE]
    crowd.sends(1, NOON + 14 * MINUTE, approved=True)
    guard.watch(NOON + 20 * MINUTE)
    assert open_trips() == []
    trip.refresh_from_db()
    assert trip.end == "conversion"


def test_one_number_or_one_network_does_not_end_a_trip(crowd: Crowd) -> None:
    trip_site(crowd)
    for second in range(40):
        crowd.sends(
            1, NOON + MINUTE + timedelta(seconds=second), phone="79991234567", approved=True
        )
    crowd.sends(30, NOON + MINUTE, address="192.0.2.1", approved=True)
    crowd.sends(2, NOON + MINUTE, approved=True)
    guard.watch(NOON + 10 * MINUTE)
    assert open_trips() == [SITE]
    crowd.sends(1, NOON + MINUTE, approved=True)
    guard.watch(NOON + 10 * MINUTE)
    assert open_trips() == []


def test_a_trip_does_not_end_early_while_it_refuses_an_attack(crowd: Crowd) -> None:
    """The people whom it lets through are honest: that is not yet the end of the attack."""
    trip_site(crowd)
    crowd.sends(30, NOON + MINUTE, approved=True)
    refused(100, NOON + 3 * MINUTE, "guard")
    guard.watch(NOON + 9 * MINUTE)
    assert open_trips() == [SITE]


def test_quick_approvals_do_not_hide_challenges_that_are_not_solved_yet(crowd: Crowd) -> None:
    """Whether a challenge is solved is known after CODE_TTL, an approval after seconds."""
    trip_site(crowd)
    for minute in range(1, 12):
        at = NOON + minute * MINUTE
        crowd.sends(6, at, approved=True)
        refused(20, at + TICK, "challenge_required", first=minute * 100)
        guard.watch(at + 2 * TICK)
        assert open_trips() == [SITE]


def test_after_a_trip_its_failures_count_no_more(crowd: Crowd) -> None:
    trip = trip_site(crowd)
    assert guard.lift(trip, None, NOON + TICK)
    guard.watch(NOON + 2 * TICK)
    assert open_trips() == []
    crowd.sends(50, NOON + 3 * TICK)
    guard.watch(NOON + 4 * TICK)
    assert open_trips() == [SITE]


def test_after_a_trip_its_wrong_guesses_count_no_more(crowd: Crowd) -> None:
    with_control(crowd, NOON)
    crowd.sends(10, NOON, attempts=5)
    guard.watch(NOON + TICK)
    guard.lift(FraudTrip.objects.get(), None, NOON + TICK)
    guard.watch(NOON + 2 * TICK)
    assert open_trips() == []
    crowd.sends(10, NOON + 3 * TICK, attempts=5)
    guard.watch(NOON + 4 * TICK)
    assert open_trips() == [("site", "", "guesses")]


def test_a_block_ends_like_any_trip(crowd: Crowd) -> None:
    with_control(crowd, NOON)
    crowd.sends(10, NOON, prefix="7999123")
    tripped = BlockTripped(failures=10, threshold=10, conversion=0.0)
    trip = guard.trip_block("79991230000", tripped, True, 0.6, NOON)
    assert trip is not None
    crowd.sends(10, NOON + 30 * MINUTE, prefix="7999123")
    # A longer number of the same digits is in another block.
    crowd.sends(20, NOON + 60 * MINUTE, phone="799912300001")
    watch_until(NOON, NOON + 140 * MINUTE)
    assert [kind for kind, _, _ in open_trips()] == ["block"]
    watch_until(NOON + 140 * MINUTE, NOON + 150 * MINUTE)
    assert open_trips() == []


def test_an_outage_is_no_failure_of_a_block_either(crowd: Crowd) -> None:
    crowd.sends(10, NOON, prefix="7999123")
    tripped = BlockTripped(failures=10, threshold=10, conversion=0.0)
    guard.trip_block("79991230000", tripped, True, 0.6, NOON)
    with_control(crowd, NOON, approved=1, failed=20)
    watch_until(NOON, NOON + 50 * MINUTE)
    assert FraudTrip.objects.get().quiet_since == NOON + 10 * MINUTE


def test_a_block_that_was_lifted_begins_from_zero() -> None:
    LimitCounter.objects.create(key="block:7999123", updated_at=NOON)
    tripped = BlockTripped(failures=10, threshold=10, conversion=0.0)
    trip = guard.trip_block("79991230000", tripped, True, 0.6, NOON)
    assert trip is not None
    assert guard.lift(trip, None, NOON)
    assert not guard.lift(trip, None, NOON)
    assert not LimitCounter.objects.filter(key="block:7999123").exists()


def test_who_lifted_a_trip_is_recorded(
    crowd: Crowd, caplog: pytest.LogCaptureFixture, admin_user: Any
) -> None:
    trip = trip_site(crowd)
    caplog.set_level(logging.INFO, "django_voicepassword.audit")
    caplog.clear()
    guard.lift(trip, admin_user, NOON + MINUTE)
    lines = [record.getMessage() for record in caplog.records]
    assert lines == [f"user {admin_user.pk} lifted the guard's trip: site, sends"]


def test_a_trip_by_guesses_does_not_end_early(crowd: Crowd) -> None:
    """An attacker who pauses for some minutes would otherwise guess on at once."""
    with_control(crowd, NOON)
    crowd.sends(10, NOON, attempts=5)
    guard.watch(NOON + TICK)
    crowd.sends(30, NOON + MINUTE, approved=True)
    guard.watch(NOON + 8 * MINUTE)
    assert open_trips() == [("site", "", "guesses")]
    watch_until(NOON + 8 * MINUTE, NOON + 128 * MINUTE)
    assert open_trips() == []


# Where it runs


def test_the_periodic_task_watches(crowd: Crowd) -> None:
    with freeze_time(NOON):
        with_control(crowd, NOON)
        crowd.sends(50, NOON, state="unknown")
        dispatch.poll_and_requeue()
    assert open_trips() == [SITE]


def test_times_without_a_zone(crowd: Crowd, settings: Any) -> None:
    settings.USE_TZ = False
    now = datetime(2026, 3, 2, 12, 0)
    crowd.sends(90, now - 3 * HOUR, approved=True)
    crowd.sends(10, now - 3 * HOUR)
    with_control(crowd, now)
    crowd.sends(50, now)
    guard.watch(now + TICK)
    assert open_trips() == [SITE]
    assert guard.figures(now).usual == pytest.approx(0.9)
    guard.lift(FraudTrip.objects.get(), None, now + 2 * TICK)
    guard.watch(now + 3 * TICK)
    assert open_trips() == []


# What the admin shows


def test_the_figures_say_how_near_everything_is(crowd: Crowd, settings: Any) -> None:
    settings.VOICEPASSWORD = {**settings.VOICEPASSWORD, "FRAUD_GUARD": "audit"}
    with_control(crowd, NOON)
    crowd.sends(50, NOON, prefix="7999123", attempts=2)
    guard.watch(NOON + TICK)
    crowd.sends(7, NOON + MINUTE, prefix="7998", address="192.0.2.1")
    crowd.sends(30, NOON + MINUTE, approved=True)
    figures = guard.figures(NOON + 2 * MINUTE)
    shown = {(one.kind, one.cause, one.subject): one for one in figures.gauges}
    site = shown["site", "sends", ""]
    assert (site.failures, site.threshold) == (57, 50)
    assert site.conversion == pytest.approx(30 / 87)
    assert site.trips_under == pytest.approx(0.2)
    wrong = shown["site", "guesses", ""]
    assert (wrong.failures, wrong.threshold) == (100, 50)
    assert shown["prefix", "sends", "7998"].failures == 7
    assert shown["network", "sends", "192.0.2.0/24"].failures == 7
    block = shown["block", "sends", "7999123"]
    assert (block.failures, block.threshold) == (50, 10)
    trip = next(trip for trip in figures.open_trips if trip.kind == "site")
    assert figures.would_step_up[trip.pk] == 37
    assert figures.watched_at == NOON + TICK
