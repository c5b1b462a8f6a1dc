"""The export: rows a second and memory, beside a floor that writes the same columns unformatted.

    python -m benchmarks.export                                        # SQLite, 1,000,000 rows
    python -m benchmarks.export --rows 100000 postgres://postgres@127.0.0.1:5432/bench
    python -m benchmarks.export mysql://root@127.0.0.1:3306/bench

The database must be empty. Each run is a separate process, because the peak of its memory is
measured.
"""

from __future__ import annotations

import argparse
import csv
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

PRAGMAS = "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL"
#: Maps a run to its title.
RUNS = {
    "fill": "",
    "floor": "floor: the columns unformatted",
    "csv": "CSV",
    "whole": "CSV, whole numbers",
    "xlsx": "XLSX",
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "address", nargs="?", default="", help="address of an empty database; default: SQLite"
    )
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--run", choices=RUNS, help=argparse.SUPPRESS)
    parser.add_argument("--file", default="", help=argparse.SUPPRESS)
    options = parser.parse_args()
    set_up(options.address, options.file)
    if options.run:
        (fill(options.rows) if options.run == "fill" else run(options.run, options.rows))
        return 0
    with tempfile.TemporaryDirectory() as folder:
        file = "" if options.address else str(Path(folder) / "bench.sqlite3")
        for name in RUNS:
            command = [
                sys.executable,
                "-m",
                "benchmarks.export",
                options.address,
                "--rows",
                str(options.rows),
            ]
            subprocess.run([*command, "--run", name, "--file", file], check=True)
    return 0


def set_up(address: str, file: str) -> None:
    os.environ["DJANGO_SETTINGS_MODULE"] = "tests.settings"
    os.environ["DATABASE_URL"] = address
    import django
    from django.db import connection

    django.setup()
    if file:
        connection.settings_dict["NAME"] = file
        connection.settings_dict["OPTIONS"] = {
            **connection.settings_dict["OPTIONS"],
            "init_command": PRAGMAS,
        }


def fill(count: int) -> None:
    """Write a month of generated calls. A tenth of them have a verification with a user."""
    from django.contrib.auth import get_user_model
    from django.core.management import call_command
    from django.utils import timezone

    from django_voicepassword.models import CallRequest, Verification

    call_command("migrate", verbosity=0)
    users = get_user_model().objects.bulk_create(
        [get_user_model()(username=f"user{number}") for number in range(100)]
    )
    now = timezone.now()
    began = time.perf_counter()
    for first in range(0, count, 10_000):
        numbers = range(first, min(first + 10_000, count))
        verifications = [
            Verification(
                phone=phone(number),
                user=users[number % 100],
                expires_at=now + timedelta(minutes=5),
                created_at=now,
            )
            for number in numbers[::10]
        ]
        Verification.objects.bulk_create(verifications)
        CallRequest.objects.bulk_create(
            [
                CallRequest(
                    phone=phone(number),
                    channel="flashcall",
                    state="no_answer",
                    origin="app",
                    provider_id=str(10**9 + number),
                    service="Voice Password",
                    price="0.35",
                    duration=number % 30,
                    verification=verifications[(number - first) // 10]
                    if number % 10 == 0
                    else None,
                    created_at=now - timedelta(seconds=(count - number) * 2_592_000 // count),
                    claimed_at=now,
                    placed_at=now,
                    finished_at=now,
                    occurred_at=now,
                )
                for number in numbers
            ],
            batch_size=2000,
        )
    print(f"{count:,} rows, written in {time.perf_counter() - began:.0f} s", flush=True)


def phone(number: int) -> str:
    return f"7999{number * 7919 % 10_000_000:07}"


def run(name: str, count: int) -> None:
    from django.db import connection

    from django_voicepassword.history import cells
    from django_voicepassword.history.export import Export
    from django_voicepassword.models import CallRequest

    connection.ensure_connection()
    calls = CallRequest.objects.all()

    def floor() -> None:
        names = [column.field for column in cells.COLUMNS if column.field]
        with Path(os.devnull).open("w") as file:
            csv.writer(file).writerows(
                calls.order_by("-created_at", "-id").values_list(*names).iterator(2000)
            )

    def stream(whole_phones: bool = False) -> None:
        with Path(os.devnull).open("wb") as file:
            file.writelines(Export(calls, whole_phones).csv())

    def book() -> None:
        with tempfile.TemporaryFile() as file:
            Export(calls).xlsx(file)
            print(f"  {file.seek(0, 2) / 1e6:9,.0f} MB      the XLSX file")

    work: dict[str, Callable[[], None]] = {
        "floor": floor,
        "csv": stream,
        "whole": lambda: stream(True),
        "xlsx": book,
    }
    before = peak()
    began, process_began = time.perf_counter(), time.process_time()
    work[name]()
    rate = count / (time.perf_counter() - began)
    # Other processes of a busy machine hardly change the processor time.
    processor_time = (time.process_time() - process_began) / count * 1e6
    grown = peak() - before
    print(
        f"  {rate:9,.0f} rows/s  {processor_time:6.0f} µs/row of processor time"
        f"  {grown:4.0f} MB more than before  {RUNS[name]}",
        flush=True,
    )


def peak() -> float:
    """The most memory that the process has used so far, in megabytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    sys.exit(main())
