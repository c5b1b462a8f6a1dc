"""Measures what the app does beside floors of the same run; tables of ratios.

    python -m benchmarks                                   # everything, SQLite
    python -m benchmarks callback start --history 0 1000000
    python -m benchmarks --database postgres://postgres@127.0.0.1:5432 --broker redis://127.0.0.1:6379/9
    python -m benchmarks place_call --database mysql://root@127.0.0.1:3306 --broker redis://127.0.0.1:6379/9

Databases of their own, ``voicepassword_bench_…``, are made and dropped.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

VIEWS = ("callback", "start", "check", "login")
NAMES = (*VIEWS, "client", "place_call", "sync", "admin")


def main() -> int:
    given = _arguments()
    os.environ["DJANGO_SETTINGS_MODULE"] = "benchmarks.settings"
    os.environ["BENCHMARK_BROKER"] = given.broker
    os.environ["DATABASE_URL"] = f"{given.database}/voicepassword_bench" if given.database else ""
    import django

    django.setup()
    from benchmarks import worker  # noqa: F401

    names = given.names or [
        name for name in NAMES if name != "place_call" or given.broker.startswith("redis")
    ]
    views = [name for name in VIEWS if name in names]
    if views:
        _views(views, given)
    for name in names:
        if name not in VIEWS:
            OTHERS[name](given)
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(NAMES)}; all")
    parser.add_argument(
        "--database",
        default="",
        help="address of a server, without a name; without one an SQLite file",
    )
    parser.add_argument("--broker", default="memory://", help="of Celery; place_call needs Redis")
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--batch", type=int, default=100, help="requests of each kind in a round")
    parser.add_argument(
        "--history",
        type=int,
        nargs="+",
        default=[0],
        metavar="CALLS",
        help="calls that are there before",
    )
    parser.add_argument("--rows", type=int, default=200_000, help="of the day that sync reads")
    parser.add_argument("--markdown", action="store_true", help="tables for the documentation")
    parser.add_argument(
        "--keep", action="store_true", help="keep the databases, and use them again"
    )
    given = parser.parse_args()
    unknown = set(given.names) - set(NAMES)
    if unknown:
        parser.error(f"there is no {', '.join(sorted(unknown))}: choose of {', '.join(NAMES)}")
    return given


def _views(names: list[str], given: argparse.Namespace) -> None:
    from benchmarks import web
    from benchmarks.databases import Database

    with ExitStack() as stack:
        databases = {}
        for rows in sorted(set(given.history)):
            databases[rows] = stack.enter_context(Database(given.database, str(rows), given.keep))
            databases[rows].fill(rows)
        web.measure(names, databases, given.rounds, given.batch).print(given.markdown)


def _client(given: argparse.Namespace) -> None:
    from benchmarks import client

    client.measure(given.rounds, given.batch).print(given.markdown)


def _place_call(given: argparse.Namespace) -> None:
    from benchmarks import place_call
    from benchmarks.databases import Database

    with Database(given.database, "place_call") as database:
        place_call.measure(
            database, given.broker, max(given.rounds // 3, 2), 2 * given.batch
        ).print(given.markdown)


def _sync(given: argparse.Namespace) -> None:
    from benchmarks import daily_sync
    from benchmarks.databases import Database
    from benchmarks.measuring import Table

    with Database(given.database, "sync") as database, tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "day.json"
        daily_sync.write_answer(path, given.rows)
        title = f"The daily sync, {database.connection.vendor}, {given.rows:,} rows"
        table = Table(title, "run", "rows a second", "of the floor")
        for name, (rate, ratio) in daily_sync.measure(given.rows, path).items():
            table.add(name, f"{rate:,.0f}", f"{ratio:.2f}")
    table.print(given.markdown)


def _admin(given: argparse.Namespace) -> None:
    from benchmarks import admin_pages
    from benchmarks.databases import Database
    from benchmarks.measuring import Table

    short, long = 10_000, max(given.history) or 1_000_000
    with (
        Database(given.database, str(short), given.keep) as few,
        Database(given.database, str(long), given.keep) as many,
    ):
        few.fill(short)
        many.fill(long)
        table = Table(
            f"Pages of the admin, {few.connection.vendor}",
            "page",
            f"{short:,}, ms",
            f"{long:,}, ms",
            "ratio",
        )
        for page, one, other in admin_pages.measure(few.use, many.use):
            table.add(page, f"{one:.1f}", f"{other:.1f}", f"{other / one:.2f}")
    table.print(given.markdown)


OTHERS = {"client": _client, "place_call": _place_call, "sync": _sync, "admin": _admin}

if __name__ == "__main__":
    sys.exit(main())
