"""The part of ``benchmarks.hosts`` that runs on the hub, which the command starts there."""

from __future__ import annotations

import json
import shutil
import sys
import threading
import time
import urllib.request
from argparse import Namespace
from collections import Counter
from contextlib import ExitStack
from pathlib import Path
from statistics import quantiles
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "example_project")]

import psycopg  # noqa: E402

from benchmarks import hosts_checks, logins_costs  # noqa: E402
from benchmarks.hosts_network import Network  # noqa: E402
from benchmarks.hosts_people import Balancer, Crowd  # noqa: E402
from benchmarks.hosts_site import HOSTS, PRICE, Hosts, HubRabbitMQ, PgBouncer  # noqa: E402
from benchmarks.logins_deployment import Database  # noqa: E402
from benchmarks.logins_subscribers import Phones  # noqa: E402

#: People who ask at the same time when a limit is used up.
RUSH = 32
#: Seconds in which every call has to be settled. A call whose worker died is given up after 66.
SETTLE = 240
CUT_WORKER, CUT_WEB = "work2", "web2"


class Run:
    """One run: the logins with the cuts, the two rushes, the end."""

    def __init__(self, options: Namespace, network: Network) -> None:
        self.options, self.network = options, network
        self.limit_site = 64 + options.logins // 10
        #: As much as the logins and the open sends cost, and something for known people.
        calls = options.logins + options.logins // 20 + self.limit_site + 40
        self.budget = int(PRICE * calls)
        self.began = time.monotonic()
        #: What happened: title -> seconds of the monotonic clock.
        self.moments: dict[str, float] = {}

    def log_in(self, crowd: Crowd) -> None:
        places = crowd.log_in(self.options.logins, self.options.clients)
        try:
            for share, host in ((1 / 3, CUT_WORKER), (2 / 3, CUT_WEB)):
                while len(crowd.lines) < share * self.options.logins and _any_alive(places):
                    time.sleep(0.05)
                self._cut(host)
            for place in places:
                place.join()
        finally:
            crowd.is_closed.set()
        crowd.is_closed.clear()
        self.note("the logins are done")

    def rush(self, crowd: Crowd) -> list[list[dict[str, Any]]]:
        """Use up the limit ``site``, then DAILY_BUDGET by people whose devices are known."""
        strangers = crowd.ring_until_refused(None, 2 * self.limit_site, RUSH)
        known = [(line["number"], line["device"]) for line in crowd.lines if "ended" in line]
        holders = crowd.ring_until_refused(known, len(known), RUSH)
        self.note("both limits are used up")
        return [strangers, holders]

    def note(self, title: str) -> None:
        self.moments[title] = time.monotonic()
        print(f"{time.monotonic() - self.began:6.1f} s  {title}", flush=True)

    def _cut(self, host: str) -> None:
        if not self.options.cut:
            return
        self.network.cut_off(host)
        self.note(f"{host} is cut off")
        time.sleep(self.options.cut)
        self.network.connect(host)
        self.note(f"{host} is back")


def main() -> int:
    made_by, folder, options = sys.argv[1:]
    run = Run(Namespace(**json.loads(options)), Network(HOSTS, int(made_by)))
    with ExitStack() as stack:
        database = stack.enter_context(Database())
        bouncer = stack.enter_context(PgBouncer(database))
        broker = stack.enter_context(HubRabbitMQ())
        hosts = Hosts(
            run.network,
            Path(folder),
            bouncer.url,
            broker.url,
            run.options,
            run.limit_site,
            run.budget,
        )
        stack.callback(_keep_logs, Path(folder), run.options.keep_logs)
        stack.enter_context(hosts)
        servers = {"database": database, "PgBouncer": bouncer, "broker": broker}
        parts = {
            **hosts.processes(),
            **{name: [server._process.pid] for name, server in servers.items() if server._process},
        }
        connection = stack.enter_context(psycopg.connect(database.url, autocommit=True))
        return _measure(run, hosts, connection, parts)


def _measure(
    run: Run, hosts: Hosts, database: psycopg.Connection[Any], parts: dict[str, list[int]]
) -> int:
    run.note("every host is ready")
    crowd = Crowd(Balancer(hosts.web), Phones(hosts.pipe))
    meter = logins_costs.Meter(parts, database, None)
    first = meter.read()
    run.log_in(crowd)
    last = meter.read()
    rushes = run.rush(crowd)
    seconds = hosts_checks.settle(database, SETTLE)
    run.note(f"every call is settled, after {seconds:.0f} s")
    hosts.manage("voicepassword_sync", "--days", "2")
    with urllib.request.urlopen(f"{hosts.provider_url}/control/ledger.json") as answer:
        ledger = json.load(answer)["calls"]
    records = hosts_checks.read(database, ledger, crowd.lines)
    _report(run, crowd.lines, first, last, records)
    _report_rushes(rushes)
    faults = [
        *hosts_checks.faults(records, run.limit_site, run.budget),
        *(f"{name} has ended" for name in hosts.ended()),
        *_wrong_refusals(rushes),
    ]
    for fault, count in Counter(faults).most_common(20):
        print(f"WRONG, {count} times: {fault}")
    if not faults:
        print("no limit passed, no budget passed, nothing lost, nothing doubled, the books agree")
    return 1 if faults else 0


def _report(
    run: Run, lines: list[dict[str, Any]], first: Any, last: Any, records: hosts_checks.Records
) -> None:
    done = [line for line in lines if "ended" in line]
    gave_up = sum("gave_up" in line for line in lines)
    print(
        f"{len(done)} logins, {gave_up} people gave up; {len(done) / (last.at - first.at):.1f}"
        " logins a second, cuts included"
    )
    bounds = [("before the first cut", first.at)]
    bounds += [(title, at) for title, at in run.moments.items() if first.at < at < last.at]
    for (title, begin), (_, end) in zip(bounds, [*bounds[1:], ("", last.at)], strict=True):
        some = [line["ended"] - line["began"] for line in done if begin <= line["ended"] < end]
        if len(some) > 1:
            cuts = quantiles(some, n=100, method="inclusive")
            print(
                f"  {title:22} {len(some) / (end - begin):6.1f} logins a second,"
                f" p50 {cuts[49]:5.2f} s, p99 {cuts[98]:5.2f} s, longest {max(some):5.1f} s"
            )
    for part in first.seconds:
        used = last.seconds[part] - first.seconds[part]
        print(f"  {part:11} {used / len(done) * 1000:6.2f} ms of a processor for a login")
    met: Counter[str] = sum((line["met"] for line in lines), Counter())
    for what, count in met.most_common():
        print(f"  {count:5} times {what}")
    states = Counter(f"{call['state']} {call['error_code']}".strip() for call in records.calls)
    print("  calls: " + ", ".join(f"{count} {state}" for state, count in states.most_common()))
    print(
        f"  site: {run.limit_site} open sends allowed; budget: {run.budget}, spent {records.spent}"
    )


def _report_rushes(rushes: list[list[dict[str, Any]]]) -> None:
    for lines in rushes:
        refused = Counter(line["error"] for line in lines if "error" in line)
        accepted = sum("error" not in line for line in lines)
        print(f"  a rush: {accepted} calls accepted, then {dict(refused)}")


def _wrong_refusals(rushes: list[list[dict[str, Any]]]) -> list[str]:
    """Each rush has to end with its own refusal, at every place."""
    expected = ("verifications/ answered 429 rate_limited site", "503 budget_exhausted")
    faults = []
    for lines, words in zip(rushes, expected, strict=True):
        errors = [line["error"] for line in lines if "error" in line]
        faults += [f"refused by another limit: {error}" for error in errors if words not in error]
        if not errors:
            faults.append(f"nobody was refused: {words}")
    return faults


def _any_alive(threads: list[threading.Thread]) -> bool:
    return any(thread.is_alive() for thread in threads)


def _keep_logs(folder: Path, target: str | None) -> None:
    if target:
        Path(target).mkdir(parents=True, exist_ok=True)
        for path in folder.glob("*.log"):
            shutil.copy(path, target)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        # The command says so, and removes what is left.
        sys.exit(130)
