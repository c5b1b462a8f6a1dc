"""Measure the app beside floors in the same run, and print tables of ratios.

    python -m benchmarks                                   # everything, on SQLite
    python -m benchmarks --quick                           # a first look in a few seconds
    python -m benchmarks callback start --history 0 1000000
    python -m benchmarks --database postgres://postgres@127.0.0.1:5432
    python -m benchmarks start check login --peers         # with the extra "peers"
    python -m benchmarks place_call --database mysql://root@127.0.0.1:3306 \\
        --broker redis://127.0.0.1:6379/9

callback, start, check and login are views. Each is compared with two floors: the floor is a plain
Django view that writes the same rows as the app, the lean floor does the least database work that
the job needs (benchmarks/floors.py, benchmarks/lean_floors.py). The table shows the median of the
ratios of all rounds and, in brackets, their quartiles.

The databases voicepassword_bench_… are created and dropped.

    python -m benchmarks attacks --quick                   # attacks, simulated: who gets in
    python -m benchmarks logins                            # whole logins over HTTP, under load
    python -m benchmarks hosts                             # the same over four hosts, two cut off

These have options of their own: python -m benchmarks attacks --help.
"""

from __future__ import annotations

import argparse
import importlib
import os
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

from benchmarks import peers

VIEWS = ("callback", "start", "check", "login")
NAMES = (*VIEWS, "client", "place_call", "sync", "admin")
#: Commands with options of their own, and with processes that have settings of their own.
OF_THEIR_OWN = {
    "attacks": "benchmarks.attacks.command",
    "hosts": "benchmarks.hosts",
    "logins": "benchmarks.logins",
}
#: Measured by --quick without names: what takes a few seconds.
QUICK = (*VIEWS, "client")


def main() -> int:
    if sys.argv[1:2] and sys.argv[1] in OF_THEIR_OWN:
        module = importlib.import_module(OF_THEIR_OWN[sys.argv[1]])
        return int(module.main(sys.argv[2:]))
    options = _options()
    os.environ["DJANGO_SETTINGS_MODULE"] = "benchmarks.settings"
    os.environ["BENCHMARK_BROKER"] = options.broker
    os.environ["DATABASE_URL"] = (
        f"{options.database}/voicepassword_bench" if options.database else ""
    )
    os.environ["BENCHMARK_PEERS"] = "yes" if options.peers else ""
    import django
    from django.conf import settings

    django.setup()
    from benchmarks import measuring, worker  # noqa: F401

    if options.peers:
        settings.MIDDLEWARE.remove(peers.MIDDLEWARE)

    if options.cpu:
        measuring.clock = time.process_time
    views = [name for name in VIEWS if name in options.names]
    if views:
        _views(views, options)
    for name in options.names:
        if name not in VIEWS:
            OTHERS[name](options)
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "names",
        nargs="*",
        metavar="NAME",
        help=f"what to measure: {', '.join(NAMES)}; default: all, place_call only with Redis",
    )
    parser.add_argument(
        "--quick",
        action="store_true",
        help=f"few rounds, short batches and 10,000 rows; without names only {', '.join(QUICK)}."
        " The figures are rough",
    )
    parser.add_argument(
        "--database",
        default="",
        metavar="URL",
        help="address of a database server, without a database name; default: an SQLite file",
    )
    parser.add_argument(
        "--peers",
        action="store_true",
        help="measure other packages beside start, check and login, in the same run; needs the"
        ' extra "peers"',
    )
    parser.add_argument(
        "--durable",
        action="store_true",
        help="on PostgreSQL, each commit of a view waits for the disk (synchronous_commit). Without"
        " it the disk, which is the same for the app and for a floor, does not blur the ratios",
    )
    parser.add_argument(
        "--cpu",
        action="store_true",
        help="time views and client by the processor time of this process, and place_call by that"
        " of the worker, which other processes of a busy machine hardly change; it does not include"
        " the database server",
    )
    parser.add_argument(
        "--broker",
        default="memory://",
        metavar="URL",
        help="Celery broker; place_call needs Redis; default: %(default)s",
    )
    parser.add_argument("--rounds", type=int, help="default: 30, with --quick 6")
    parser.add_argument(
        "--batch", type=int, help="requests of each kind in a round; default: 100, with --quick 20"
    )
    parser.add_argument(
        "--history",
        type=int,
        nargs="+",
        default=[0],
        metavar="CALLS",
        help="number of calls in the database before the measurement; default: 0",
    )
    parser.add_argument(
        "--rows", type=int, help="rows of the day for sync; default: 200,000, with --quick 10,000"
    )
    parser.add_argument(
        "--markdown", action="store_true", help="print the tables for the documentation"
    )
    parser.add_argument(
        "--keep", action="store_true", help="keep the databases, and use them in the next run"
    )
    options = parser.parse_args()
    unknown = set(options.names) - set(NAMES)
    if unknown:
        parser.error(f"unknown: {', '.join(sorted(unknown))}; choose from {', '.join(NAMES)}")
    if options.peers and (missing := peers.missing()):
        parser.error(
            f"--peers needs {', '.join(missing)}: in an environment of its own,"
            " pip install 'django-voicepassword[test,peers]'"
        )
    _set_defaults(options)
    return options


def _set_defaults(options: argparse.Namespace) -> None:
    rounds, batch, rows, names = (
        (6, 20, 10_000, QUICK) if options.quick else (30, 100, 200_000, NAMES)
    )
    options.rounds = options.rounds or rounds
    options.batch = options.batch or batch
    options.rows = options.rows or rows
    options.names = options.names or [
        name for name in names if name != "place_call" or options.broker.startswith("redis")
    ]


def _views(names: list[str], options: argparse.Namespace) -> None:
    from benchmarks import web
    from benchmarks.databases import Database

    with ExitStack() as stack:
        databases = {}
        for rows in sorted(set(options.history)):
            databases[rows] = stack.enter_context(
                Database(options.database, str(rows), options.keep, options.durable)
            )
            databases[rows].fill(rows)
        web.measure(names, databases, options.rounds, options.batch, options.peers).print(
            options.markdown
        )


def _client(options: argparse.Namespace) -> None:
    from benchmarks import client

    client.measure(options.rounds, options.batch).print(options.markdown)


def _place_call(options: argparse.Namespace) -> None:
    from benchmarks import place_call
    from benchmarks.databases import Database

    with Database(options.database, "place_call") as database:
        place_call.measure(
            database, options.broker, max(options.rounds // 3, 2), 2 * options.batch, options.cpu
        ).print(options.markdown)


def _sync(options: argparse.Namespace) -> None:
    from benchmarks import daily_sync
    from benchmarks.databases import Database
    from benchmarks.measuring import Table

    with Database(options.database, "sync") as database, tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "day.json"
        daily_sync.write_answer(path, options.rows)
        title = f"The daily sync, {database.connection.vendor}, {options.rows:,} rows"
        table = Table(title, "run", "rows a second", "of the floor")
        for name, (rate, ratio) in daily_sync.measure(options.rows, path).items():
            table.add(name, f"{rate:,.0f}", f"{ratio:.2f}")
    table.print(options.markdown)


def _admin(options: argparse.Namespace) -> None:
    from benchmarks import admin_pages
    from benchmarks.databases import Database
    from benchmarks.measuring import Table

    short, long = 10_000, max(options.history) or (100_000 if options.quick else 1_000_000)
    with (
        Database(options.database, str(short), options.keep) as few,
        Database(options.database, str(long), options.keep) as many,
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
    table.print(options.markdown)


OTHERS = {"client": _client, "place_call": _place_call, "sync": _sync, "admin": _admin}

if __name__ == "__main__":
    sys.exit(main())
