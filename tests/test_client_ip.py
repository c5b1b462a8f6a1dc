"""The address of the client behind trusted proxies, and what the limit ``ip`` counts it by."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from django.test import Client, RequestFactory
from django.utils import timezone
from freezegun import freeze_time

from django_voicepassword import verifications
from django_voicepassword.calls import errors, placing
from django_voicepassword.exceptions import RateLimited, WrongCode
from django_voicepassword.history import retention
from django_voicepassword.limits import client_ip
from django_voicepassword.models import CallRequest, LimitCounter, Verification
from django_voicepassword.testing import Sent
from tests.concurrency import run_at_once

TEST_NUMBER = "79000000001"


@pytest.mark.parametrize(
    ("proxies", "direct", "forwarded", "address"),
    [
        (0, "192.0.2.1", "", "192.0.2.1"),
        # Anybody can send the header, so it is ignored without a trusted proxy.
        (0, "192.0.2.1", "198.51.100.1", "192.0.2.1"),
        (1, "10.0.0.1", "198.51.100.1", "198.51.100.1"),
        (1, "10.0.0.1", "203.0.113.9, 198.51.100.1", "198.51.100.1"),
        (2, "10.0.0.1", "203.0.113.9, 198.51.100.1, 10.0.0.2", "198.51.100.1"),
        (2, "10.0.0.1", "198.51.100.1", "10.0.0.1"),
        (1, "10.0.0.1", "unknown", "10.0.0.1"),
        (1, "10.0.0.1", "198.51.100.1:4711", "198.51.100.1"),
        (1, "10.0.0.1", "[2001:db8::1]:4711", "2001:db8::1"),
        (0, "2001:DB8:0:0::1", "", "2001:db8::1"),
        (0, "::ffff:192.0.2.1", "", "192.0.2.1"),
        (0, "fe80::1%eth0", "", "fe80::1"),
        (0, "", "", None),
    ],
)
def test_only_headers_of_trusted_proxies_are_read(
    configure: Callable[..., None], proxies: int, direct: str, forwarded: str, address: str | None
) -> None:
    configure(TRUSTED_PROXIES=proxies)
    request = RequestFactory().get("/", REMOTE_ADDR=direct, HTTP_X_FORWARDED_FOR=forwarded)
    assert client_ip.client_address(request) == address


def test_ipv6_addresses_are_counted_by_their_64_network() -> None:
    assert (
        client_ip.subject("2001:db8:1:2:3:4:5:6")
        == client_ip.subject("2001:db8:1:2::1")
        == "2001:db8:1:2::/64"
    )
    assert client_ip.subject("2001:db8:1:3::1") != client_ip.subject("2001:db8:1:2::1")
    assert client_ip.subject("192.0.2.1") == "192.0.2.1"
    assert client_ip.subject(client_ip.UNKNOWN) == client_ip.UNKNOWN == "unknown"
    assert client_ip.client_address(None) is None


def test_ipv6_addresses_are_counted_by_their_48_network_too() -> None:
    assert client_ip.network("2001:db8:ffff:ffff::1") == "2001:db8:ffff::/48"
    assert client_ip.network("2001:db8:1:8000::1") == "2001:db8:1::/48"
    assert client_ip.network("192.0.2.1") == client_ip.network(client_ip.UNKNOWN) == ""


def request_from(address: str) -> Any:
    return RequestFactory().get("/", REMOTE_ADDR=address)


def number(position: int) -> str:
    return f"7999{position:07}"


def accepted(addresses: list[str], first: int = 0) -> int:
    """How many of these addresses can start a verification, each of another number."""
    count = 0
    for position, address in enumerate(addresses, first):
        try:
            verifications.start(number(position), request=request_from(address))
        except RateLimited:
            continue
        count += 1
    return count


@pytest.mark.django_db(transaction=True)
def test_clients_without_an_address_share_one_limit(
    outbox: list[Sent], configure: Callable[..., None]
) -> None:
    """As behind a Unix socket without X-Forwarded-For."""
    configure(LIMITS={"ip": ["3/h"]})
    client = Client(REMOTE_ADDR="")

    def start(position: int) -> int:
        body = {"phone": f"+{number(position)}"}
        return client.post("/api/verifications/", body, "application/json").status_code

    statuses = run_at_once([partial(start, position) for position in range(12)])
    assert sorted(map(str, statuses)) == ["201"] * 3 + ["429"] * 9
    assert len(outbox) == 3
    assert set(Verification.objects.values_list("ip", flat=True)) == {None}
    assert accepted(["192.0.2.1"], first=20) == 1


@pytest.mark.django_db
@pytest.mark.parametrize("proxies", [1, 2])
def test_a_wrong_number_of_proxies_does_not_switch_the_limit_off(
    configure: Callable[..., None], proxies: int
) -> None:
    configure(LIMITS={"ip": ["2/h"]}, TRUSTED_PROXIES=proxies)
    request = RequestFactory().get("/", REMOTE_ADDR="", HTTP_X_FORWARDED_FOR="unknown")
    for position in range(2):
        verifications.start(number(position), request=request)
    with pytest.raises(RateLimited, match="ip"):
        verifications.start(number(3), request=request)


@pytest.mark.django_db
def test_a_48_network_has_ten_times_the_rate_of_a_64_network(
    configure: Callable[..., None],
) -> None:
    configure(LIMITS={"ip": ["2/h"]}, FRAUD_GUARD="off")
    assert accepted(["2001:db8:1:1::1", "2001:db8:1:1::2", "2001:db8:1:1::3"]) == 2
    assert accepted([f"2001:db8:1:{n:x}::1" for n in range(2, 40)], first=10) == 18
    assert accepted(["2001:db8:2::1"], first=100) == 1
    with freeze_time(timezone.now() + timedelta(hours=1, minutes=1)):
        assert accepted(["2001:db8:1:1::1"], first=110) == 1


@pytest.mark.django_db
def test_the_code_of_the_project_counts_for_no_address(
    outbox: list[Sent], configure: Callable[..., None]
) -> None:
    configure(LIMITS={"ip": ["0/h"]}, RESEND_AFTER=0)
    verification = verifications.start(number(1))
    verifications.resend(verification.id)
    with pytest.raises(RateLimited, match="ip"):
        verifications.resend(verification.id, request=request_from("192.0.2.1"))
    assert len(outbox) == 2


@pytest.mark.django_db
@pytest.mark.parametrize("address", ["192.0.2.1", "2001:db8:1:2::3", ""])
def test_a_send_that_never_left_is_given_back_to_the_address(
    configure: Callable[..., None], address: str
) -> None:
    configure(LIMITS={"ip": ["1/h"]}, DISPATCH="celery", TRANSPORT="memory")
    for position in range(3):
        verification = verifications.start(number(position), request=request_from(address))
        placing.give_up(verification.calls.get().pk, errors.NOT_QUEUED)
    assert accepted([address, address], first=10) == 1


@pytest.mark.django_db
def test_a_resend_counts_for_the_address_that_asks_for_it(
    configure: Callable[..., None],
) -> None:
    configure(LIMITS={"ip": ["1/h"]}, RESEND_AFTER=0)
    verification = verifications.start(number(1), request=request_from("192.0.2.1"))
    verifications.resend(verification.id, request=request_from("192.0.2.2"))
    counted = CallRequest.objects.order_by("id").values_list("counted_address", flat=True)
    assert list(counted) == ["192.0.2.1", "192.0.2.2"]
    assert accepted(["192.0.2.1", "192.0.2.2"], first=10) == 0


@pytest.mark.django_db
def test_masking_removes_the_address_of_a_send(configure: Callable[..., None]) -> None:
    configure(RETENTION="mask", RETENTION_DAYS=1)
    verifications.start(number(1), request=request_from("192.0.2.1"))
    retention.purge(timezone.now() + timedelta(days=2))
    assert CallRequest.objects.get().counted_address == ""


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("meta", "text"),
    [
        ({"REMOTE_ADDR": ""}, "no client address"),
        ({"HTTP_X_FORWARDED_FOR": "198.51.100.1"}, "TRUSTED_PROXIES is 0"),
    ],
)
def test_one_line_an_hour_says_that_addresses_are_missing(
    outbox: list[Sent],
    configure: Callable[..., None],
    caplog: pytest.LogCaptureFixture,
    meta: dict[str, Any],
    text: str,
) -> None:
    configure(LIMITS={"phone": []}, RESEND_AFTER=0, MAX_SENDS=9)
    request = RequestFactory().get("/", **meta)
    now = timezone.now()
    for minutes, lines in ((0, 1), (59, 1), (61, 2), (100, 2), (122, 3)):
        with freeze_time(now + timedelta(minutes=minutes)):
            verification = verifications.start(number(1), request=request)
            verifications.resend(verification.id, request=request)
            assert caplog.text.count(text) == lines
    assert "198.51.100.1" not in caplog.text
    configure(TRUSTED_PROXIES=1, LIMITS={"phone": []})
    caplog.clear()
    with freeze_time(now + timedelta(days=1)):
        forwarded = RequestFactory().get("/", HTTP_X_FORWARDED_FOR="198.51.100.1")
        for good in (forwarded, None):
            verifications.start(number(1), request=good)
    assert caplog.text == ""


@pytest.mark.django_db
def test_one_line_an_hour_says_that_trusted_proxies_is_too_great(
    configure: Callable[..., None], caplog: pytest.LogCaptureFixture
) -> None:
    configure(TRUSTED_PROXIES=2)
    for forwarded, lines in (("", 0), ("198.51.100.1", 1), ("198.51.100.1", 1)):
        request = RequestFactory().get("/", HTTP_X_FORWARDED_FOR=forwarded)
        verifications.start(number(lines), request=request)
        assert caplog.text.count("fewer entries (1) than TRUSTED_PROXIES says (2)") == lines
    caplog.clear()
    request = RequestFactory().get("/", HTTP_X_FORWARDED_FOR="198.51.100.1, 198.51.100.2")
    verifications.start(number(2), request=request)
    assert caplog.text == ""


@pytest.mark.django_db
def test_the_code_of_a_test_number_cannot_be_searched(
    outbox: list[Sent], configure: Callable[..., None]
) -> None:
    configure(
        TEST_NUMBERS={TEST_NUMBER: "482139"},
        LIMITS={"ip": ["20/h"], "phone": ["0/d"], "phone_guesses": ["7/d"]},
    )
    attacker, reviewer = request_from("192.0.2.1"), request_from("192.0.2.2")
    outcomes = []
    for _ in range(4):
        verification = verifications.start(TEST_NUMBER, request=attacker)
        for _ in range(3):
            try:
                verifications.check(verification.id, "000000", request=attacker)
            except (WrongCode, RateLimited) as error:
                outcomes.append(getattr(error, "limit", "wrong"))
    assert outcomes == ["wrong"] * 7 + ["phone_guesses"] * 5
    with pytest.raises(RateLimited):
        verifications.check(verification.id, "482139", request=attacker)
    # Nobody locks a reviewer out, who comes from another address.
    verification = verifications.start(TEST_NUMBER, request=reviewer)
    assert verifications.check(verification.id, "482139", request=reviewer).status == "approved"
    assert outbox == []


@pytest.mark.django_db
def test_guesses_at_a_test_number_count_for_ipv6_networks(configure: Callable[..., None]) -> None:
    configure(TEST_NUMBERS={TEST_NUMBER: "482139"}, LIMITS={"phone_guesses": ["1/d"]})
    wrong, limits = 0, set()
    for subnet in range(14):
        request = request_from(f"2001:db8:1:{subnet:x}::1")
        verification = verifications.start(TEST_NUMBER)
        try:
            verifications.check(verification.id, "000000", request=request)
        except WrongCode:
            wrong += 1
        except RateLimited as error:
            limits.add(error.limit)
    assert (wrong, limits) == (10, {"phone_guesses"})


@pytest.mark.django_db
def test_sends_to_a_test_number_count_for_the_address(configure: Callable[..., None]) -> None:
    configure(
        TEST_NUMBERS={TEST_NUMBER: "482139"},
        LIMITS={"ip": ["2/h"], "site": ["0/d"], "prefix": ["0/d"]},
        RESEND_AFTER=0,
    )
    request = request_from("192.0.2.1")
    verification = verifications.start(TEST_NUMBER, request=request)
    verifications.resend(verification.id, request=request)
    with pytest.raises(RateLimited, match="ip"):
        verifications.start(TEST_NUMBER, request=request)
    with pytest.raises(RateLimited, match="ip"):
        verifications.resend(verification.id, request=request)
    verification.refresh_from_db()
    assert (verification.sends, CallRequest.objects.count()) == (2, 2)
    assert set(LimitCounter.objects.values_list("key", flat=True)) == {"ip:192.0.2.1"}
