"""``benchmarks.hosts``: a host that is cut off and comes back, and that its checks find each fault.

The whole benchmark takes minutes: ``python -m benchmarks hosts``.
"""

from __future__ import annotations

import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from benchmarks import hosts_checks, hosts_network
from benchmarks.hosts_checks import Records
from tests.waiting import until

SITE, BUDGET = 1, 1
LISTEN = "import socket, time; server = socket.create_server(('', 8000)); time.sleep(60)"
CONNECT = "import socket, sys; socket.create_connection((sys.argv[1], 8000), timeout=1)"


@pytest.mark.program("ip")
def test_a_host_is_cut_off_and_comes_back_and_nothing_stays_behind() -> None:
    reason = hosts_network.obstacle()
    if reason:
        pytest.skip(reason)

    network = hosts_network.Network(["one"])
    with ExitStack() as stack:
        # The last to end: by then the network has killed the server.
        stack.callback(lambda: server.communicate(timeout=10))
        stack.enter_context(network)
        listen = network.inside("hub", sys.executable, "-c", LISTEN)
        server = subprocess.Popen(listen)
        until(lambda: _reaches_the_hub(network))
        network.cut_off("one")
        assert not _reaches_the_hub(network)
        network.connect("one")
        until(lambda: _reaches_the_hub(network))
    assert server.returncode == -signal.SIGKILL
    assert not list(Path("/run/netns").glob(f"vphosts{network.made_by}-*"))


def _reaches_the_hub(network: hosts_network.Network) -> bool:
    words = [sys.executable, "-c", CONNECT, hosts_network.HUB_ADDRESS]
    done = subprocess.run(network.inside("one", *words), stderr=subprocess.DEVNULL, timeout=20)
    return done.returncode == 0


def _records() -> Records:
    """A right run: one login, and one call that nobody answered with a code."""
    common = {"state": "no_answer", "error_code": "", "lane": "unproven", "origin": "app"}
    rung = {"price": "0.35", "date": "2026-01-31T12:00:00+03:00"}
    return Records(
        calls=[
            {**common, "verification": "v1", "phone": "1", "status": "approved", "user": 5}
            | {"provider_id": "p1"},
            {**common, "verification": "v2", "phone": "2", "status": "pending", "user": None}
            | {"provider_id": "p2"},
        ],
        books=tuple(map(Decimal, ("2", "0.70", "2", "0", "0", "0"))),
        people=(1, 1, 1, 1),
        ledger=[
            {**rung, "id": "p1", "number": "1", "callback_url": "u1"},
            {**rung, "id": "p2", "number": "2", "callback_url": "u2"},
        ],
        lines=[
            {"number": "1", "met": Counter(), "verifications": ["v1"], "ended": 1.0}
            | {"user": 5, "by": "v1"},
            {"number": "2", "met": Counter(), "verifications": ["v2"], "gave_up": True},
        ],
    )


def _ring_again(records: Records) -> None:
    records.ledger.append({**records.ledger[0], "id": "p3"})


def _lose(records: Records) -> None:
    del records.calls[1]


def _lose_the_session(records: Records) -> None:
    records.people = (0, 1, 1, 1)


FAULTS: dict[str, Callable[[Records], Any]] = {
    "a call rang twice": _ring_again,
    "a number was rung more often than it has calls": _ring_again,
    "an accepted start has no call": _lose,
    "a ring is not known": _lose,
    "open sends, where site allows": _lose,
    "a call stays placed": lambda records: records.calls[1].update(state="placed"),
    "a call is imported": lambda records: records.calls[1].update(origin="imported"),
    "has no id": lambda records: records.calls[1].update(provider_id=""),
    "another number for the id": lambda records: records.ledger[1].update(number="3"),
    "got stuck": lambda records: records.lines[1].update(error="no login in 3 rounds"),
    "the database says otherwise": lambda records: records.calls[0].update(user=6),
    "codes were accepted": lambda records: records.calls[1].update(status="approved"),
    "users are": lambda records: setattr(records, "people", (2, 1, 1, 1)),
    "sessions, proved numbers": _lose_the_session,
    "spent, of": lambda records: records.ledger[0].update(price="1.00"),
    "more than 3 calls to a number": lambda records: records.ledger.extend(
        {**records.ledger[0], "id": f"more{n}"} for n in range(3)
    ),
    "the books have": lambda records: setattr(records, "books", records.books[::-1]),
}


def test_a_right_run_has_no_fault() -> None:
    assert hosts_checks.faults(_records(), SITE, BUDGET) == []


@pytest.mark.parametrize("fault", FAULTS)
def test_each_fault_is_found(fault: str) -> None:
    records = _records()
    FAULTS[fault](records)
    found = hosts_checks.faults(records, SITE, BUDGET)
    assert any(fault in one for one in found), found
