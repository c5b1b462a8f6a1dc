"""``benchmarks.logins_model``: what a rate of logins needs, by its own arithmetic."""

from __future__ import annotations

from benchmarks.logins_model import Costs, table


def test_the_needs_of_a_thousand_logins_a_second() -> None:
    costs = Costs(
        web=26,
        worker=8,
        database=10,
        broker=0.4,
        statements=44,
        transactions=17,
        flushes=9,
        wal=12_700,
    )
    assert {resource: amount for resource, _, amount in table(1000, costs)} == {
        # 1,000 × 26 ms are 26 s of a core in each second, of which a core gives 0.6 s: 43.3.
        "web": "44 cores, as many processes",
        "workers": "14 cores",
        "worker threads": "1,000, as 50 processes with 20",
        "PostgreSQL": "17 cores",
        "broker": "40 % of a core",
        "connections": "1,176",
        "statements, transactions, flushes": "44,000/s, 17,000/s, 9,000/s",
        "write-ahead log": "12.7 MB/s",
        "a row of site or of the budget": "locked 16% of the time",
    }


def test_workers_without_a_slow_provider_need_as_many_processes_as_cores() -> None:
    costs = Costs(1, 600, 1, 1, 1, 1, 1, 1)
    needs = {resource: amount for resource, _, amount in table(1, costs)}
    assert (needs["workers"], needs["worker threads"]) == ("1 cores", "1, as 1 processes with 20")
