"""A provider that is down, slow, broken or hangs up: each call rings once and has a named state."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from processes import free_port

from tests.faults.faulty_site import FaultySite
from tests.faults.provider import FakeProvider, fake_provider, http
from tests.waiting import until

pytestmark = pytest.mark.program("redis-server")


def _drip(reply: bytes) -> Iterator[bytes]:
    yield b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n"
    while True:
        time.sleep(0.1)
        yield b" "


def _silent(reply: bytes) -> Iterator[bytes]:
    time.sleep(10)
    yield http(reply)


def _slow(reply: bytes) -> Iterator[bytes]:
    time.sleep(0.5)
    yield http(reply)


#: Answers that cannot be read, each for a number of its own.
BROKEN = {
    "500": lambda reply: [http(b"Internal Server Error", "500 Internal Server Error")],
    "502, an answer none the less": lambda reply: [http(reply, "502 Bad Gateway")],
    "HTML": lambda reply: [http(b"<html><body>Bad gateway</body></html>")],
    "half a JSON": lambda reply: [http(reply[: len(reply) // 2])],
    "a list": lambda reply: [http(b"[%s]" % reply)],
    "neither ok nor error": lambda reply: [http(reply.replace(b'"ok"', b'"perhaps"'))],
    "nothing": lambda reply: [http(b"")],
    "no HTTP": lambda reply: [b"\x00\xff" * 50],
    "a redirect": lambda reply: [
        b"HTTP/1.1 302 Found\r\nLocation: /send/\r\nContent-Length: 0\r\n\r\n"
    ],
    "too long": lambda reply: [http(reply.replace(b"}", b" " * 100_000 + b"}"))],
    "silence": _silent,
    "a drip": _drip,
}


#: An answer that comes late, but before the read timeout.
SLOW = "slow"


def start_all(site: FaultySite, numbers: list[str]) -> dict[str, str]:
    """Start a verification for each number, four at a time; return number -> id."""
    with ThreadPoolExecutor(4) as pool:
        return dict(zip(numbers, pool.map(site.start_verification, numbers), strict=True))


def assert_rang_once(site: FaultySite, provider: FakeProvider, numbers: list[str]) -> None:
    """Assert one ring for each number, also after every task is enqueued once more."""
    until(
        lambda: site.database.is_settled(*numbers) or provider.most_rings() > 1,
        60,
        "an end of every call",
    )
    assert provider.most_rings() == 1
    for call in site.database.calls(*numbers):
        site.enqueue("place_call", call.pk)
    until(lambda: site.messages() == (0, 0), what="the end of every task")
    assert {number: provider.rings[number] for number in numbers} == dict.fromkeys(numbers, 1)


def test_broken_answers_are_unknown_and_the_code_counts(site: FaultySite) -> None:
    answers = {**BROKEN, SLOW: _slow}
    numbers = {site.new_number(): name for name in answers}
    with fake_provider(lambda number, reply: iter(answers[numbers[number]](reply))) as provider:
        site.start_worker(API_URL=provider.url, TIMEOUT=[1, 4])
        verifications = start_all(site, list(numbers))
        assert_rang_once(site, provider, list(numbers))
        outcomes = {
            numbers[call.phone]: (call.state, call.error_code)
            for call in site.database.calls(*numbers)
        }
        assert outcomes.pop(SLOW) == ("placed", "")
        assert {state for state, _ in outcomes.values()} == {"unknown"}, outcomes
        assert {reason for _, reason in outcomes.values()} == {"no_reply", "unreadable_reply"}
        for number, key in verifications.items():
            assert site.log_in(key, provider.codes[number]).status_code == 200, numbers[number]


def test_a_call_without_an_id_is_given_up_and_stops_no_other_poll(site: FaultySite) -> None:
    """It rang, but its state cannot be requested. Its code counts."""
    numbers = [site.new_number(), site.new_number()]
    with fake_provider(lambda *_: iter([http(b'{"result": "ok"}')])) as provider:
        site.start_worker(API_URL=provider.url)
        verifications = start_all(site, numbers)
        assert_rang_once(site, provider, numbers)
        assert site.database.states(*numbers) == ["placed", "placed"]
        site.settle(*numbers)
        until(lambda: site.database.states(*numbers) == ["unknown"] * 2, what="giving up both")
        for number, key in verifications.items():
            assert site.log_in(key, provider.codes[number]).status_code == 200


def _cut(number: str, reply: bytes) -> Iterator[bytes]:
    """Hang up after as many bytes as the last four digits of the number say."""
    yield http(reply)[: int(number[-4:])]


def test_hanging_up_at_every_byte_of_the_answer_rings_once(site: FaultySite) -> None:
    numbers = [f"7999200{place:04}" for place in range(_length(f"7999200{0:04}") + 1)]
    *broken, complete = numbers
    with fake_provider(_cut) as provider:
        site.start_worker(API_URL=provider.url, TIMEOUT=[2, 10])
        verifications = start_all(site, numbers)
        assert_rang_once(site, provider, numbers)
        assert set(site.database.states(*broken)) == {"unknown"}
        assert site.database.states(complete) == ["placed"]
        for number in [*numbers[::20], complete]:
            answer = site.log_in(verifications[number], provider.codes[number])
            assert answer.status_code == 200


def _length(number: str) -> int:
    """Return the number of bytes of a complete answer."""
    reply = {"result": "ok", "id": f"id-{number}", "number": number, "price": "0.35"}
    return len(http(json.dumps(reply).encode()))


def test_a_provider_down_and_back_again_rings_once(site: FaultySite) -> None:
    """A refused connection certainly did not ring, so the call is retried."""
    port = free_port()
    site.start_worker(API_URL=f"http://127.0.0.1:{port}/api/")
    number = site.new_number()
    key = site.start_verification(number)
    until(lambda: site.log().count("the provider cannot be reached, next try"), what="a try")
    assert site.database.states(number) == ["queued"]
    with fake_provider(port=port) as provider:
        until(lambda: site.database.states(number) == ["placed"], what="a ring")
        assert provider.rings[number] == 1
        assert site.log_in(key, provider.codes[number]).status_code == 200
