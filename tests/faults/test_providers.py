"""A provider that is down, slow, broken or hangs up, seen through web, worker and database: one
ring, one named state.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from processes import free_port

from tests.faults.provider import Provider, http, provider
from tests.faults.stage import Stage
from tests.faults.until import until

pytestmark = pytest.mark.program("redis-server")


def _drip(reply: bytes) -> Iterator[bytes]:
    yield b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n"
    while True:
        time.sleep(0.1)
        yield b" "


def _silent(reply: bytes) -> Iterator[bytes]:
    time.sleep(3)
    yield http(reply)


def _slow(reply: bytes) -> Iterator[bytes]:
    time.sleep(0.5)
    yield http(reply)


#: What is sent in place of an answer, one number for each.
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


#: An answer that comes late, and in time.
SLOW = "slow"


def begin_all(stage: Stage, numbers: list[str]) -> dict[str, str]:
    """Number -> id of a verification, several started at a time."""
    with ThreadPoolExecutor(4) as pool:
        return dict(zip(numbers, pool.map(stage.begin, numbers), strict=True))


def assert_rang_once(stage: Stage, asked: Provider, begun: dict[str, str]) -> None:
    """Also when everything is handed in once more."""
    until(
        lambda: stage.books.is_settled(*begun) or asked.most_rings() > 1, 60, "an end of every call"
    )
    assert asked.most_rings() == 1
    for call in stage.books.calls(*begun):
        stage.hand_in("place_call", call.pk)
    until(lambda: stage.waiting() == (0, 0), what="the end of every task")
    assert {number: asked.rings[number] for number in begun} == dict.fromkeys(begun, 1)


def test_broken_answers_are_unknown_and_the_code_counts(stage: Stage) -> None:
    answers = {**BROKEN, SLOW: _slow}
    numbers = {stage.number(): how for how in answers}
    with provider(lambda number, reply: iter(answers[numbers[number]](reply))) as asked:
        stage.work(API_URL=asked.url, TIMEOUT=[1, 1])
        begun = begin_all(stage, list(numbers))
        assert_rang_once(stage, asked, begun)
        ended = {
            numbers[call.phone]: (call.state, call.error_code) for call in stage.books.calls(*begun)
        }
        assert ended.pop(SLOW) == ("placed", "")
        assert {state for state, _ in ended.values()} == {"unknown"}, ended
        assert {reason for _, reason in ended.values()} == {"no_reply", "unreadable_reply"}
        for number, key in begun.items():
            assert stage.log_in(key, asked.codes[number]).status_code == 200, numbers[number]


def test_an_answer_without_an_id_is_given_up_and_stops_no_other(stage: Stage) -> None:
    """It rang, and nothing can be asked of it any more: polling goes on, and the code counts."""
    numbers = [stage.number(), stage.number()]
    with provider(lambda *_: iter([http(b'{"result": "ok"}')])) as asked:
        stage.work(API_URL=asked.url)
        begun = begin_all(stage, numbers)
        assert_rang_once(stage, asked, begun)
        assert stage.books.states(*numbers) == ["placed", "placed"]
        stage.settle(*numbers)
        until(lambda: stage.books.states(*numbers) == ["unknown", "unknown"], what="giving up both")
        for number, key in begun.items():
            assert stage.log_in(key, asked.codes[number]).status_code == 200


def _cut(number: str, reply: bytes) -> Iterator[bytes]:
    """The last digits of the number tell after how many bytes the provider hangs up."""
    yield http(reply)[: int(number[-4:])]


def test_hanging_up_at_every_byte_of_the_answer(stage: Stage) -> None:
    numbers = [f"7999200{place:04}" for place in range(_length(f"7999200{0:04}") + 1)]
    *broken, complete = numbers
    with provider(_cut) as asked:
        stage.work(API_URL=asked.url, TIMEOUT=[2, 10])
        begun = begin_all(stage, numbers)
        assert_rang_once(stage, asked, begun)
        assert set(stage.books.states(*broken)) == {"unknown"}
        assert stage.books.states(complete) == ["placed"]
        for number in [*numbers[::20], complete]:
            assert stage.log_in(begun[number], asked.codes[number]).status_code == 200


def _length(number: str) -> int:
    """Bytes of a whole answer."""
    reply = {"result": "ok", "id": f"id-{number}", "number": number, "price": "0.35"}
    return len(http(json.dumps(reply).encode()))


def test_down_and_back_again(stage: Stage) -> None:
    """A refused connection surely did not ring: it is tried again, and rings once."""
    port = free_port()
    stage.work(API_URL=f"http://127.0.0.1:{port}/api/")
    number = stage.number()
    key = stage.begin(number)
    until(lambda: stage.log().count("the provider cannot be reached, next try"), what="a try")
    assert stage.books.states(number) == ["queued"]
    with provider(port=port) as asked:
        until(lambda: stage.books.states(number) == ["placed"], what="a ring")
        assert asked.rings[number] == 1
        assert stage.log_in(key, asked.codes[number]).status_code == 200
