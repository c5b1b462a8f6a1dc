"""The daily statistics: rows a second of ``sync_day`` beside a floor on the same database, and its
memory.

    python -m benchmarks.daily_sync                                    # SQLite
    python -m benchmarks.daily_sync --rows 1000000 postgres://postgres@127.0.0.1:5432/bench
    python -m benchmarks.daily_sync --memory --rows 1000000
    python -m benchmarks.daily_sync mysql://root@127.0.0.1:3306/bench

The database must be empty. The floor writes rows that are already in memory: on PostgreSQL by COPY
into a temporary table and one INSERT of calls and statuses from there; on SQLite and MariaDB by
``executemany`` of an upsert of the calls only.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from django_voicepassword.sandbox import bulk_statistics

DAY = datetime.date(2026, 3, 10)
CHUNK = 10_000


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "address", nargs="?", default="", help="address of an empty database; default: SQLite"
    )
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument(
        "--memory",
        action="store_true",
        help="a single run over HTTP from the sandbox: the growth of the peak memory",
    )
    options = parser.parse_args()
    os.environ["DJANGO_SETTINGS_MODULE"] = "tests.settings"
    os.environ["DATABASE_URL"] = options.address
    import django

    django.setup()
    from django.core.management import call_command
    from django.db import connection

    with tempfile.TemporaryDirectory() as folder:
        if not options.address:
            connection.settings_dict["NAME"] = str(Path(folder) / "bench.sqlite3")
            connection.settings_dict["OPTIONS"] = {
                **connection.settings_dict["OPTIONS"],
                "init_command": PRAGMAS,
            }
        call_command("migrate", verbosity=0)
        path = Path(folder) / "day.json"
        if not options.memory:
            write_answer(path, options.rows)
        (weigh if options.memory else measure)(options.rows, path)
    return 0


PRAGMAS = "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL"


def measure(count: int, path: Path) -> dict[str, tuple[float, float]]:
    """Map each run to its rows a second, and to its share of the rows a second of the floor."""
    from django.conf import settings
    from django.db import connection

    from benchmarks import daily_sync
    from django_voicepassword import statistics
    from django_voicepassword.models import CallRequest

    usual = settings.VOICEPASSWORD
    settings.VOICEPASSWORD = {"TRANSPORT": "benchmarks.daily_sync.Provider"}
    # With python -m this module is __main__, but the setting names benchmarks.daily_sync.
    daily_sync.Provider.path = path
    print(f"{connection.vendor}, {count:,} rows", flush=True)

    floor_count = min(count, 200_000)
    floor = timed("floor: rows in hand, written", floor_count, lambda: write_floor(floor_count))
    empty()

    def run() -> None:
        statistics.sync_day(DAY)

    rates = {"first run: every row imported": timed("first run: every row imported", count, run)}
    rates["second run: nothing changed"] = timed("second run: nothing changed", count, run)
    # Make a tenth of the day differ from the report of the provider.
    CallRequest.objects.filter(provider_id__endswith="3").update(
        price="0.10", origin="app", claimed_at="2026-03-10T09:00:00Z"
    )
    rates["third run: a tenth differs"] = timed("third run: a tenth differs", count, run)
    settings.VOICEPASSWORD = usual
    for name, rate in rates.items():
        print(f"  {rate / floor:5.2f} of the floor: {name}")
    return {name: (rate, rate / floor) for name, rate in rates.items()}


def weigh(count: int, path: Path) -> None:
    """Measure the memory of one run over HTTP, in a process that has done nothing else. The sandbox
    generates the day.
    """
    from django.conf import settings

    from django_voicepassword import statistics
    from tests.sandbox_process import SandboxProcess

    with SandboxProcess() as sandbox:
        settings.VOICEPASSWORD = {
            "TRANSPORT": "http",
            "API_KEY": sandbox.key,
            "API_URL": sandbox.api_url,
        }
        sandbox.generate(f"{DAY:%d.%m.%Y}", count)
        before = peak()
        timed(f"{count:,} rows of the sandbox imported", count, lambda: statistics.sync_day(DAY))
        print(f"  memory: {peak() - before:.0f} MB more than the {before:.0f} MB before the run")


def timed(name: str, count: int, work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    rate = count / (time.perf_counter() - began)
    print(f"  {rate:9,.0f} rows/s  {name}", flush=True)
    return rate


def peak() -> float:
    """The most memory that the process has used so far, in megabytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def write_answer(path: Path, count: int) -> None:
    """Write the answer of the provider to a file, byte for byte."""
    with path.open("wb") as file:
        file.writelines(bulk_statistics.answer(f"{DAY:%d.%m.%Y}", count, []))


class Response:
    def __init__(self, path: Path) -> None:
        self.raw = path.open("rb")

    def close(self) -> None:
        self.raw.close()


class Provider:
    path = Path()

    def daily(self, day: datetime.date) -> Any:
        from django_voicepassword.provider.daily_report import DailyReport

        return DailyReport(Response(self.path), "key")  # type: ignore[arg-type]


def empty() -> None:
    from django.db import connection

    # After a DELETE, PostgreSQL would vacuum the rows in the background during the next run.
    statements = {
        "postgresql": ["TRUNCATE {} CASCADE"],
        "mysql": ["SET FOREIGN_KEY_CHECKS = 0", "TRUNCATE {}", "SET FOREIGN_KEY_CHECKS = 1"],
    }.get(connection.vendor, ["DELETE FROM {}"])
    with connection.cursor() as cursor:
        for table in ("django_voicepassword_callstatus", "django_voicepassword_callrequest"):
            for statement in statements:
                cursor.execute(statement.format(table))
        if connection.vendor == "sqlite":
            cursor.execute("DROP INDEX floor_key")
        elif connection.vendor == "mysql":
            cursor.execute("DROP INDEX floor_key ON django_voicepassword_callrequest")


_COLUMNS = (
    "phone, channel, state, provider_id, service, price, duration, origin, error_code, created_at,"
    " placed_at, finished_at, occurred_at, polls, code_digest, counted_address, lane, is_open,"
    " counted, listed_at, difference"
)


def write_floor(count: int) -> None:
    from django.db import connection, transaction

    moment = "2026-03-10 09:00:00"
    states = ["answered", "busy", "no_answer", "canceled", "failed"]
    rows = [
        (
            "79990000001",
            "voice",
            states[n % 5],
            str(10000000 + n),
            "Voice Password",
            "0.35",
            n % 20,
            "imported",
            "",
            moment,
            moment,
            moment,
            moment,
            0,
            "",
            "",
            "unproven",
            False,
            "",
            moment,
            0,
        )
        for n in range(count)
    ]
    chunks = [rows[start : start + CHUNK] for start in range(0, count, CHUNK)]
    payload = json.dumps(bulk_statistics.row(f"{DAY:%d.%m.%Y}", 1))
    with connection.cursor() as cursor:
        if connection.vendor != "postgresql":
            cursor.execute(
                "CREATE UNIQUE INDEX floor_key"
                " ON django_voicepassword_callrequest (provider_id, channel)"
            )
    for chunk in chunks:
        with transaction.atomic(), connection.cursor() as cursor:
            if connection.vendor == "postgresql":
                cursor.execute(
                    "CREATE TEMPORARY TABLE floor ON COMMIT DROP AS "
                    f"SELECT {_COLUMNS} FROM django_voicepassword_callrequest WHERE false"
                )
                text = "".join("\t".join(map(str, row)) + "\n" for row in chunk)
                with cursor.cursor.copy(f"COPY floor ({_COLUMNS}) FROM STDIN") as copy:
                    copy.write(text)
                cursor.execute(
                    f"WITH n AS (INSERT INTO django_voicepassword_callrequest ({_COLUMNS})"
                    f" SELECT {_COLUMNS} FROM floor RETURNING id, state)"
                    " INSERT INTO django_voicepassword_callstatus"
                    " (call_id, state, raw_state, source, received_at, payload)"
                    " SELECT id, state, '', 'daily', now(), %s FROM n",
                    [payload],
                )
                continue
            marks = ", ".join(["%s"] * len(chunk[0]))
            conflict = (
                "ON DUPLICATE KEY UPDATE state = VALUES(state), price = VALUES(price)"
                if connection.vendor == "mysql"
                else "ON CONFLICT (provider_id, channel)"
                " DO UPDATE SET state = excluded.state, price = excluded.price"
            )
            statement = (
                f"INSERT INTO django_voicepassword_callrequest ({_COLUMNS})"
                f" VALUES ({marks}) {conflict}"
            )
            cursor.executemany(statement, chunk)


if __name__ == "__main__":
    sys.exit(main())
