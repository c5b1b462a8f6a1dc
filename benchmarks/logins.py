"""Whole logins under load: their rate, their latency, their cost, and whether all records agree.

    python -m benchmarks logins
    python -m benchmarks logins --web 2 --workers 2 --clients 16 --seconds 30
    python -m benchmarks logins --web 2 --servers threads processes asgi --rounds 2
    python -m benchmarks logins --broker rabbitmq --pool prefork
    python -m benchmarks logins --limits phone phone_guesses ip prefix

Everything runs on this machine: gunicorn and Celery as in docs/deployment.md, a new PostgreSQL and
a new broker, the sandbox, and a process with subscribers, each of whom logs in again and again. The
exit code is 1 if a login was lost or doubled, or if the records disagree. The programs of
PostgreSQL and of Redis or RabbitMQ must be installed.
"""

from __future__ import annotations

import argparse
import json
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections import Counter
from contextlib import ExitStack
from datetime import datetime, timezone
from importlib.util import find_spec
from pathlib import Path
from statistics import quantiles
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "example_project"))

import psycopg  # noqa: E402
import redis  # noqa: E402

from benchmarks import logins_checks, logins_costs, logins_model  # noqa: E402
from benchmarks.logins_deployment import ALLOWED, Database, Deployment, address_of, broker_of  # noqa: E402

#: Seconds between two samples of the wait events of the database.
SAMPLE_INTERVAL = 0.25
#: Entries that each row of the limit ``site`` has for each of its rates before the run, as on a
#: site that has been busy for long; and the rows.
ENTRIES, ROWS = 99, 64
STEPS = {
    "start": ("began", "started"),
    "rings after": ("began", "rang"),
    "login": ("typed", "ended"),
    "whole": ("began", "ended"),
}


def main(arguments: list[str] | None = None) -> int:
    parser = _parser()
    options = parser.parse_args(arguments)
    if "asgi" in options.servers:
        missing = [name for name in ("uvicorn", "psycopg_pool") if find_spec(name) is None]
        if missing:
            parser.error(f"asgi needs packages that are not installed: {', '.join(missing)}")
    # SIGTERM raises KeyboardInterrupt, so that the context managers stop every process.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    codes, rows = [], []
    for _ in range(options.rounds):
        for server in options.servers:
            options.server = server
            code, figures = _measure(options)
            codes.append(code)
            rows.append(figures)
    if len(rows) > 1:
        _print_table(rows)
    return max(codes)


def _measure(options: Any) -> tuple[int, dict[str, str]]:
    """Run a site of its own and measure it. Return the exit code and a row of the table."""
    print(f"web server: {options.server}", flush=True)
    with ExitStack() as stack:
        var = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="voicepassword-")))
        database, broker = (
            stack.enter_context(Database()),
            stack.enter_context(broker_of(options.broker)),
        )
        log = stack.enter_context((var / "log").open("w"))
        deployment = stack.enter_context(
            Deployment(var / "site", database, address_of(broker), options, log)
        )
        if options.history:
            deployment.manage(
                "demo_data",
                f"--calls={options.history}",
                "--yes",
                DEBUG="1",
                DJANGO_SETTINGS_MODULE="config.settings",
            )
        connection = stack.enter_context(psycopg.connect(database.url, autocommit=True))
        assert database._process is not None
        parts = {
            **deployment.processes(),
            "database": [database._process.pid],
            "broker": [broker._process.pid],
        }
        client = (
            stack.enter_context(redis.Redis(port=broker.port))
            if options.broker == "redis"
            else None
        )
        return _run(options, deployment, connection, logins_costs.Meter(parts, connection, client))


def _run(
    options: Any,
    deployment: Deployment,
    database: psycopg.Connection[Any],
    meter: logins_costs.Meter,
) -> tuple[int, dict[str, str]]:
    since = datetime.now(timezone.utc)
    before = _fill_site_limit(database) if "site" in options.limits else 0
    empty = logins_costs.sizes(database)
    result = deployment.var / "logins"
    port = deployment.web_url.rpartition(":")[2]
    words = [
        port,
        str(deployment.pipe),
        str(result),
        str(options.clients),
        str(options.warm_up + options.seconds),
    ]
    subscribers = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.logins_subscribers", *words], cwd=ROOT
    )
    meter.parts["subscribers"] = [subscribers.pid]
    try:
        time.sleep(options.warm_up)
        database.execute("CHECKPOINT")
        database.execute("SELECT pg_stat_statements_reset()")
        seen: Counter[str] = Counter()
        first = meter.read()
        while time.monotonic() < first.at + options.seconds - SAMPLE_INTERVAL:
            time.sleep(SAMPLE_INTERVAL)
            logins_costs.waits(database, seen)
        last = meter.read()
        memory = logins_costs.memory(meter.parts["web"])
        subscribers.wait()
    finally:
        subscribers.kill()
    logins_checks.settle(database, since)
    lines = [json.loads(line) for line in result.read_text().splitlines()]
    figures = _report(lines, first, last, seen, database, options.statements, options.model)
    figures = {"server": options.server, **figures, "web, MB": f"{memory / 2**20:.0f}"}
    _report_sizes(empty, logins_costs.sizes(database), sum("ended" in line for line in lines))
    with urllib.request.urlopen(f"{deployment.sandbox_url}/control/ledger.json") as answer:
        ledger = json.load(answer)
    faults = logins_checks.faults(database, since, lines, ledger, options.limits, before)
    for fault, count in Counter(faults).most_common(20):
        print(f"WRONG, {count} times: {fault}")
    done = sum("ended" in line for line in lines)
    print(
        "the books disagree"
        if faults
        else f"{done} logins: none lost, none doubled, every book agrees"
    )
    return (1 if faults or not done else 0), figures


def _report(
    lines: list[dict[str, Any]],
    first: Any,
    last: Any,
    seen: Counter[str],
    database: Any,
    statements: int,
    model: float,
) -> dict[str, str]:
    """Print the figures of a run; return those of the table."""
    inside = [line for line in lines if "ended" in line and first.at <= line["ended"] < last.at]
    count, seconds = len(inside), last.at - first.at
    if count < 2:
        print("too few logins ended in this time to report figures")
        return {}
    print(f"{count / seconds:.1f} logins a second ({count} in {seconds:.0f} s)")
    figures = {
        "logins a second": f"{count / seconds:.1f}",
        **_report_times(inside),
        **_report_processors(first, last, count),
    }
    _report_database(first, last, count)
    if model:
        _print_model(model, first, last, count)
    samples = sum(seen.values())
    print(
        "  the database's connections: "
        + ", ".join(f"{name} {n / samples:.1%}" for name, n in seen.most_common(10))
    )
    for role, calls, mean, text in logins_costs.heaviest(database, statements):
        print(f"  {role:6} {calls / count:5.2f} x {mean:6.3f} ms  {text}")
    return figures


def _report_times(inside: list[dict[str, Any]]) -> dict[str, str]:
    figures = {}
    for step, (begin, end) in STEPS.items():
        cuts = quantiles([line[end] - line[begin] for line in inside], n=100, method="inclusive")
        print(
            f"  {step:12} p50 {cuts[49] * 1000:7.0f} ms   p95 {cuts[94] * 1000:7.0f} ms"
            f"   p99 {cuts[98] * 1000:7.0f} ms"
        )
        figures[f"{step} p50, p95, ms"] = f"{cuts[49] * 1000:.0f}, {cuts[94] * 1000:.0f}"
    return figures


def _report_processors(first: Any, last: Any, count: int) -> dict[str, str]:
    """Print what each part used, and what bounded the rate."""
    figures, seconds = {}, last.at - first.at
    for part in first.seconds:
        used = last.seconds[part] - first.seconds[part]
        print(
            f"  {part:11} {used / count * 1000:6.2f} ms of a processor for a login,"
            f" {used / seconds:5.2f} processors"
        )
        figures[f"{part}, ms"] = f"{used / count * 1000:.1f}"
    machine = {what: last.machine[what] - first.machine[what] for what in first.machine}
    whole = sum(machine.values())
    print(
        "  machine     "
        + ", ".join(f"{what} {ticks / whole:.0%}" for what, ticks in machine.items())
    )
    print(f"  bound by    {_bound(first, last, 1 - machine['idle'] / whole)}")
    return figures


def _report_database(first: Any, last: Any, count: int) -> None:
    for role in ("web", "worker"):
        asked = last.statements.get(role, 0) - first.statements.get(role, 0)
        print(f"  {role:11} {asked / count:6.2f} statements for a login")
    if last.commands:
        print(f"  broker      {(last.commands - first.commands) / count:6.2f} commands for a login")
    commits, syncs = last.commits - first.commits, last.syncs - first.syncs
    print(
        f"  database    {commits / count:6.2f} transactions for a login,"
        f" {syncs / count:.2f} writes to the disk"
    )
    full_pages = last.full_pages - first.full_pages
    print(
        f"  WAL         {(last.wal - first.wal) / count:6.0f} bytes for a login,"
        f" {full_pages} full pages in all"
    )


def _print_model(rate: float, first: Any, last: Any, count: int) -> None:
    """Print what ``rate`` logins a second would need, as a table of the documentation."""
    used = {
        part: (last.seconds[part] - first.seconds[part]) / count * 1000 for part in first.seconds
    }
    statements = sum(
        last.statements.get(role, 0) - first.statements.get(role, 0) for role in ("web", "worker")
    )
    costs = logins_model.Costs(
        **{name: used[name] for name in ("web", "worker", "database", "broker")},
        statements=statements / count,
        transactions=(last.commits - first.commits) / count,
        flushes=(last.syncs - first.syncs) / count,
        wal=(last.wal - first.wal) / count,
    )
    print(f"| resource | calculation | at {rate:,.0f} logins/s |\n|---|---|---|")
    for row in logins_model.table(rate, costs):
        print("| " + " | ".join(row) + " |")


def _bound(first: Any, last: Any, busy: float) -> str:
    """Say what kept the rate down: the machine, a part that waits for one core, or none of them."""
    used = {part: last.seconds[part] - first.seconds[part] for part in first.seconds}
    shares = sorted(used.items(), key=lambda item: -item[1])
    of_parts = ", ".join(f"{part} {one / sum(used.values()):.0%}" for part, one in shares)
    if busy > 0.9:
        return f"the processors of this machine; of what the parts used: {of_parts}"
    part, most = shares[0]
    cores = most / (last.at - first.at)
    return f"no processor: {busy:.0%} were busy; {part} used most, {cores:.2f} of them ({of_parts})"


def _print_table(rows: list[dict[str, str]]) -> None:
    """Print the runs side by side, as a table of the documentation."""
    titles = list(dict.fromkeys(title for row in rows for title in row))
    print("| " + " | ".join(titles) + " |")
    print("|---" * len(titles) + "|")
    for row in rows:
        print("| " + " | ".join(row.get(title, "") for title in titles) + " |")


def _report_sizes(empty: dict[str, Any], full: dict[str, Any], count: int) -> None:
    count = max(count, 1)
    grown = {
        name: tuple(new - old for new, old in zip(full[name], empty[name], strict=True))
        for name in full
    }
    for name, (rows, indexes) in sorted(grown.items(), key=lambda item: -sum(item[1])):
        if rows + indexes > count * 10:
            print(
                f"  {name:40} {rows / count:6.0f} bytes of rows"
                f" and {indexes / count:6.0f} of indexes for a login"
            )


def _fill_site_limit(database: psycopg.Connection[Any]) -> int:
    """Fill each row of the limit ``site`` as an hour and a day would. Return how many entries."""
    now = int(time.time() * 1000)
    periods = {rate: {"h": 3_600_000, "d": 86_400_000}[rate[-1]] for rate in ALLOWED["site"]}
    events = {
        rate: [
            [now - period + (index + 2) * period // (ENTRIES + 3), 1] for index in range(ENTRIES)
        ]
        for rate, period in periods.items()
    }
    database.execute(
        "INSERT INTO django_voicepassword_limitcounter (key, events, amount, updated_at)"
        " SELECT 'site:#' || number, %s, 0, now() FROM generate_series(0, %s) AS number",
        [json.dumps(events, separators=(",", ":")), ROWS - 1],
    )
    return ENTRIES * ROWS


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--web", type=int, default=1, help="processes of the web server")
    parser.add_argument(
        "--web-threads",
        type=int,
        default=4,
        help="threads of each process; so many connections to the database with asgi",
    )
    parser.add_argument(
        "--servers",
        nargs="+",
        choices=("threads", "processes", "asgi"),
        default=["threads"],
        help="measured one after the other: gunicorn with threads; gunicorn with a process in place"
        " of each thread; uvicorn with a pool of connections",
    )
    parser.add_argument("--rounds", type=int, default=1, help="how often each server is measured")
    parser.add_argument(
        "--prepared",
        action="store_true",
        help="have PostgreSQL keep the plans of repeated statements (server_side_binding and"
        " prepare_threshold in DATABASES)",
    )
    parser.add_argument("--workers", type=int, default=1, help="Celery workers")
    parser.add_argument(
        "--worker-threads",
        type=int,
        default=8,
        help="threads of each worker; processes with --pool prefork",
    )
    parser.add_argument("--pool", choices=("threads", "prefork"), default="threads")
    parser.add_argument("--broker", choices=("redis", "rabbitmq"), default="redis")
    parser.add_argument(
        "--clients", type=int, default=8, help="subscribers that log in at the same time"
    )
    parser.add_argument("--seconds", type=float, default=30, help="length of the measurement")
    parser.add_argument("--warm-up", type=float, default=5, help="seconds before the measurement")
    parser.add_argument(
        "--latency", type=float, default=0, help="seconds that the provider needs for an answer"
    )
    parser.add_argument(
        "--history",
        type=int,
        default=0,
        help="number of generated calls in the database before the run",
    )
    parser.add_argument(
        "--model",
        type=float,
        metavar="RATE",
        default=0,
        help="reckon from the costs what so many logins a second would need",
    )
    parser.add_argument(
        "--statements",
        type=int,
        default=8,
        help="number of SQL statements to show, those that take most time first",
    )
    parser.add_argument(
        "--limits",
        nargs="*",
        choices=[*ALLOWED, "budget"],
        default=[*ALLOWED],
        help="enabled limits; default: all except budget",
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
