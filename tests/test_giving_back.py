"""What one send counts for, by its lane and its challenge; and that this is given back, once."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from django.test import RequestFactory
from django.utils import timezone
from freezegun import freeze_time

from django_voicepassword import limits, verifications
from django_voicepassword.calls import placing
from django_voicepassword.exceptions import RateLimited
from django_voicepassword.models import CallRequest, FraudTrip, LimitCounter, Verification
from django_voicepassword.testing import Sent
from tests.concurrency import run_at_once

pytestmark = pytest.mark.django_db
PHONE = "79990000001"
ADDRESS = "192.0.2.1"
LIMITS = {"phone": ["50/h"], "ip": ["40/h"], "prefix": ["40/h"], "site": ["150/h"]}


@pytest.fixture(autouse=True)
def _limits(configure: Callable[..., None]) -> None:
    configure(LIMITS=LIMITS, RESEND_AFTER=0)


def start(phone: str = PHONE, address: str = ADDRESS) -> Verification:
    request = RequestFactory().get("/", REMOTE_ADDR=address)
    return verifications.start(phone, request=request)


def approve(verification: Verification, outbox: list[Sent]) -> None:
    code = next(sent.code for sent in reversed(outbox) if sent.verification == verification.id)
    verifications.check(verification.id, code)


def used() -> dict[str, int]:
    """The events of each counter, over all its rows; of a block its open and approved sends."""
    found: dict[str, int] = {}
    for key, text in LimitCounter.objects.values_list("key", "events"):
        name = key.partition("#")[0]
        if name.partition(":")[0] in ("guard", "price", "hourly"):
            continue
        for rate, entries in json.loads(text).items():
            counter = f"{name} {rate}" if name.startswith("block:") else name
            found[counter] = found.get(counter, 0) + sum(count for _, count in entries)
    return {name: count for name, count in found.items() if count}


def reserve(address: str = ADDRESS, phone: str = PHONE, **terms: Any) -> str:
    """Count one send on these terms."""
    verification = Verification(phone=phone)
    given = limits.Terms(address=address, **terms)
    now = timezone.now()
    return limits.in_transaction(lambda: limits.reserve_send(verification, given, now), "default")


def accepted(times: int, **terms: Any) -> int:
    count = 0
    for _ in range(times):
        try:
            reserve(**terms)
        except RateLimited:
            continue
        count += 1
    return count


def test_an_approval_gives_back_what_strangers_share(outbox: list[Sent]) -> None:
    verification = start()
    verifications.resend(verification.id, request=RequestFactory().get("/", REMOTE_ADDR=ADDRESS))
    assert used() == {
        f"phone:{PHONE}": 2,
        f"ip:{ADDRESS}": 2,
        "prefix:7999000": 2,
        "site:": 2,
        "block:7999000 open": 2,
    }
    assert set(verification.calls.values_list("is_open", flat=True)) == {True}
    approve(verification, outbox)
    assert used() == {f"phone:{PHONE}": 2, "block:7999000 approved": 2}
    assert set(verification.calls.values_list("is_open", "counted")) == {(False, "phone")}


def test_an_honest_crowd_behind_one_address_never_waits(
    outbox: list[Sent], configure: Callable[..., None]
) -> None:
    configure(LIMITS={"phone": [], "ip": ["3/h"], "site": ["3/h"], "prefix": ["3/h"]})
    for number in range(20):
        approve(start(f"799900000{number:02}"), outbox)
    for number in range(3):
        start(f"799900001{number:02}")
    with pytest.raises(RateLimited):
        start("79990000200")


@pytest.mark.django_db(transaction=True)
def test_parallel_approvals_give_back_each_send_once(outbox: list[Sent]) -> None:
    """One moment for all: what is given back is not found by its time alone."""
    with freeze_time(timezone.now(), tick=False):
        opened = [start(f"799900000{number:02}") for number in range(9)]
    run_at_once([partial(approve, verification, outbox) for verification in opened[:7]])
    assert Verification.objects.filter(status="approved").count() == 7
    left = used()
    assert {left[name] for name in (f"ip:{ADDRESS}", "prefix:7999000", "site:")} == {2}
    assert (left["block:7999000 open"], left["block:7999000 approved"]) == (2, 7)


def queue(configure: Callable[..., None]) -> None:
    configure(LIMITS=LIMITS, RESEND_AFTER=0, DISPATCH="celery", TRANSPORT="memory")


def test_a_send_that_did_not_leave_is_given_back_whole(configure: Callable[..., None]) -> None:
    queue(configure)
    call = start().calls.get()
    assert placing.give_up(call.pk, "broker_unavailable")
    assert not placing.give_up(call.pk, "broker_unavailable")
    assert used() == {}
    call.refresh_from_db()
    assert (call.is_open, call.counted) == (False, "")


def test_a_call_that_waits_while_its_verification_is_approved_is_given_back_once(
    outbox: list[Sent], configure: Callable[..., None]
) -> None:
    verification = start()
    queue(configure)
    verifications.resend(verification.id, request=RequestFactory().get("/", REMOTE_ADDR=ADDRESS))
    second = verification.calls.get(state="queued")
    start("79990000002")
    approve(verification, outbox)
    assert used()["site:"] == 1
    expected = {
        f"phone:{PHONE}": 1,
        "phone:79990000002": 1,
        f"ip:{ADDRESS}": 1,
        "prefix:7999000": 1,
        "site:": 1,
        "block:7999000 open": 1,
        "block:7999000 approved": 2,
    }
    # The object is older than the approval; so the second time it is older than the first.
    for _ in range(2):
        limits.give_back(second)
        assert used() == expected


def test_two_processes_give_a_call_back_once() -> None:
    """Both have read it before; the others were counted in the same moment."""
    with freeze_time(timezone.now()):
        calls = [start(f"799900000{number:02}").calls.get() for number in range(3)]
    same = CallRequest.objects.get(pk=calls[0].pk)
    limits.close_approved([calls[0]])
    limits.close_approved([same])
    counted = used()
    assert (counted["site:"], counted["block:7999000 open"]) == (2, 2)
    assert counted["block:7999000 approved"] == 1


def test_a_wrong_code_and_an_end_without_one_give_nothing_back(outbox: list[Sent]) -> None:
    verification = start()
    with pytest.raises(
        verifications.WrongCode if hasattr(verifications, "WrongCode") else Exception
    ):
        verifications.check(verification.id, f"{(int(outbox[-1].code) + 1) % 10000:04}")
    verifications.cancel(verification.id)
    assert used()["site:"] == used()[f"ip:{ADDRESS}"] == 1


def test_the_sends_of_a_test_number_come_back_to_its_address(
    configure: Callable[..., None],
) -> None:
    configure(TEST_NUMBERS={PHONE: "482139"}, LIMITS=LIMITS)
    verification = start()
    assert used() == {f"ip:{ADDRESS}": 1}
    verifications.check(verification.id, "482139")
    assert used() == {}
    # It costs nothing and rings nowhere: it never was an open send.
    assert not CallRequest.objects.filter(is_open=True).exists()


def test_a_proven_send_counts_for_its_number_alone() -> None:
    assert reserve(lane="proven") == "phone"
    assert used() == {f"phone:{PHONE}": 1}


def test_a_proven_send_pays_from_the_devices_when_strangers_used_up_the_number(
    configure: Callable[..., None],
) -> None:
    configure(LIMITS={**LIMITS, "phone": ["2/h"], "device": ["3/d"]})
    assert [reserve(lane="proven") for _ in range(5)] == ["phone"] * 2 + ["device"] * 3
    counted, moment = used(), timezone.now()
    for paid_by in ("phone", "device", "phone_solved"):
        values = {"phone": PHONE, "counted": paid_by, "created_at": moment, "is_open": True}
        limits.close_approved([CallRequest.objects.create(channel="flashcall", **values)])
    # An approval does not give back what counts for the number alone.
    assert set(CallRequest.objects.values_list("counted", flat=True)) == {
        "phone",
        "device",
        "phone_solved",
    }
    assert used() == counted
    with pytest.raises(RateLimited, match="device") as caught:
        reserve(lane="proven")
    # Whichever has room first.
    assert caught.value.retry_after <= 3600
    configure(LIMITS={**LIMITS, "phone": ["2/h"], "device": []})
    assert accepted(9, lane="proven") == 9


def test_a_solved_challenge_has_ten_times_the_rate_of_its_own(
    configure: Callable[..., None],
) -> None:
    configure(LIMITS={"phone": [], "ip": ["2/h"], "prefix": [], "site": []}, FRAUD_GUARD="off")
    assert accepted(4) == 2
    assert accepted(23, is_solved=True) == 20
    assert used() == {f"ip:{ADDRESS}": 2, f"ip_solved:{ADDRESS}": 20}


def test_a_solved_challenge_has_three_sends_where_the_number_is_used_up(
    configure: Callable[..., None],
) -> None:
    configure(LIMITS={**LIMITS, "phone": ["2/d"]})
    assert accepted(4) == 2
    assert accepted(5, is_solved=True) == 3
    counted = used()
    assert (counted[f"phone:{PHONE}"], counted[f"phone_solved:{PHONE}"]) == (2, 3)
    with freeze_time(timezone.now() + timedelta(days=1)):
        assert accepted(9, is_solved=True) == 5


def trip(kind: str, subject: str, threshold: int) -> FraudTrip:
    return FraudTrip(kind=kind, subject=subject, threshold=threshold)


def test_long_codes_are_bounded_by_the_threshold_of_each_trip(
    configure: Callable[..., None],
) -> None:
    configure(LIMITS={"phone": [], "ip": []}, FRAUD_GUARD="enforce")
    prefix: dict[str, Any] = {"is_long": True, "trips": (trip("prefix", "7999", 30),)}
    # Of a network it is a tenth.
    assert accepted(5, address="192.0.2.1", **prefix) == 3
    assert accepted(5, address="192.0.2.200", **prefix) == 0
    assert sum(accepted(5, address=f"198.51.{n}.1", **prefix) for n in range(20)) == 27
    with pytest.raises(RateLimited, match="guard"):
        reserve(address="203.0.113.1", **prefix)
    network = {"is_long": True, "trips": (trip("network", "203.0.113.0/24", 12),)}
    assert accepted(20, address="203.0.113.1", **network) == 12
    small = {"is_long": True, "trips": (trip("block", "7999000", 2),)}
    assert sum(accepted(3, address=f"10.0.{n}.1", **small) for n in range(4)) == 2
    with freeze_time(timezone.now() + timedelta(hours=1)):
        assert accepted(5, address="192.0.2.1", **prefix) == 3


def test_open_long_codes_alone_count(configure: Callable[..., None]) -> None:
    configure(LIMITS={"phone": [], "ip": []})
    terms: dict[str, Any] = {
        "is_long": True,
        "trips": (trip("site", "", 4), trip("prefix", "7999", 4)),
    }
    with freeze_time(timezone.now()):
        for _ in range(6):
            call = CallRequest.objects.create(
                phone=PHONE,
                channel="flashcall",
                counted=reserve(**terms),
                counted_address=ADDRESS,
                created_at=timezone.now(),
                is_open=True,
            )
            assert used()["long_site:"] == used()["long_site_network::192.0.2.0/24"] == 1
            limits.close_approved([call])
        assert accepted(3, **terms) == 1


def test_a_block_trips_at_a_fifth_of_the_floor(configure: Callable[..., None]) -> None:
    configure(LIMITS={"phone": [], "ip": []}, FRAUD_FLOOR=25)
    for number in range(5):
        reserve(phone=f"7999000{number:04}", usual=0.6)
    before = used()
    with pytest.raises(limits.BlockTripped) as caught:
        reserve(phone="79990000009", usual=0.6)
    tripped = caught.value
    assert (tripped.failures, tripped.threshold, tripped.conversion) == (5, 5, 0.0)
    # Nothing is counted; nor is it judged where an outage or a trip says so, or in another block.
    assert used() == before
    reserve(phone="79990000009", usual=None)
    reserve(phone="79990010009", usual=0.6)
    reserve(phone="79990000009", lane="proven")
    reserve(phone="79990000009", is_solved=True)
    assert used()["block:7999000 open"] == 6
    with freeze_time(timezone.now() + timedelta(hours=1, seconds=37)):
        reserve(phone="79990000009", usual=0.6)


def test_a_block_that_converts_does_not_trip(
    configure: Callable[..., None], outbox: list[Sent]
) -> None:
    configure(LIMITS={"phone": [], "ip": []}, FRAUD_FLOOR=25)
    for number in range(10):
        verification = start(f"7999000{number:04}")
        if number < 2:
            approve(verification, outbox)
    # Two of ten are a third of 0.6.
    reserve(usual=0.6)
    with pytest.raises(limits.BlockTripped) as caught:
        reserve(usual=0.6)
    assert (caught.value.failures, round(caught.value.conversion, 3)) == (9, 0.182)


def test_without_the_guard_no_block_is_counted(configure: Callable[..., None]) -> None:
    configure(LIMITS=LIMITS, FRAUD_GUARD="off")
    reserve()
    assert not any(name.startswith("block") for name in used())


def test_an_approval_gives_back_with_three_statements(
    outbox: list[Sent], django_assert_max_num_queries: Any
) -> None:
    calls = list(start().calls.all())
    with django_assert_max_num_queries(3):
        limits.close_approved(calls)
    with django_assert_max_num_queries(0):
        limits.close_approved(calls)
