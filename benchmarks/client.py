"""The client beside a bare ``requests.Session``: one flash call, answered by a process on the same
machine.
"""

from __future__ import annotations

from collections.abc import Sequence

import requests

from benchmarks.measuring import Ratio, Table, Work, alternate
from benchmarks.provider import Provider
from django_voicepassword.client import Client

NUMBER, CODE, CALLBACK = (
    "79990000001",
    "1234",
    "https://example.org/auth/callback/1234567890.signature/",
)


def measure(rounds: int, batch: int) -> Table:
    with Provider() as provider:
        client = Client("benchmark-key", base_url=provider.api_url)
        bare, alone = requests.Session(), requests.Session()
        alone.trust_env = False

        def post(session: requests.Session) -> None:
            answer = session.post(
                f"{provider.api_url}send/",
                json={"number": NUMBER, "flashcall": {"code": CODE}, "callback_url": CALLBACK},
                headers={"Authorization": "benchmark-key"},
                timeout=(3.05, 15),
            )
            assert answer.json()["id"] == "1234567890"

        def nothing(count: int) -> Sequence[None]:
            return [None] * count

        works = {
            "a bare requests.Session": Work(nothing, lambda _: post(bare)),
            "the same without trust_env": Work(nothing, lambda _: post(alone)),
            "Client.flash_call": Work(
                nothing, lambda _: client.flash_call(NUMBER, CODE, callback_url=CALLBACK)
            ),
        }
        alternate(list(works.values()), rounds, batch, "client")
    table = Table("The client: one flash call over HTTP", "work", "µs", "ratio to the first")
    floor = next(iter(works.values()))
    for name, work in works.items():
        table.add(name, f"{work.microseconds:.0f}", Ratio.of(work.times, floor.times))
    return table
