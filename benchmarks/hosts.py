"""Logins over two web hosts and two worker hosts, while one of each is cut off and comes back.

    python -m benchmarks hosts --logins 500
    python -m benchmarks hosts --logins 20000

The hosts are network namespaces of this machine, which only root can make; PostgreSQL behind
PgBouncer (transaction pooling), RabbitMQ and the imitated provider are in a namespace too. The
limit ``site`` and DAILY_BUDGET are on, and used up at the end. When a third of the logins has
begun, the cable of one worker host is pulled for a while, and after two thirds that of one web
host. The exit code is 1 if a limit or the budget was passed, if anything was lost or doubled, or if
the books differ from the provider's journal. Everything is removed at the end.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "example_project")]

from benchmarks import hosts_network  # noqa: E402
from tests.conftest import find_program  # noqa: E402

PROGRAMS = ("ip", "pgbouncer", "initdb", "postgres", "pg_ctl", "pg_isready", "rabbitmq-server")
#: No run takes longer: seconds for the start and the end, and for a login.
LONGEST, LONGEST_LOGIN = 900, 0.5
#: Seconds in which a run that is told to stop has to end.
END_PATIENCE = 30


def main(arguments: list[str] | None = None) -> int:
    options = _options(arguments)
    missing = [name for name in PROGRAMS if find_program(name) is None]
    reason = f"not installed: {', '.join(missing)}" if missing else hosts_network.obstacle()
    if reason:
        print(f"benchmarks hosts: {reason}", file=sys.stderr)
        return 2
    # SIGTERM raises KeyboardInterrupt, so that everything is removed.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    from benchmarks.hosts_site import HOSTS

    with (
        tempfile.TemporaryDirectory(prefix="voicepassword-hosts-") as folder,
        hosts_network.Network(HOSTS) as network,
    ):
        # PostgreSQL and PgBouncer run as users of their own.
        Path(folder).chmod(0o755)
        words = [str(network.made_by), folder, json.dumps(vars(options))]
        # In a session of its own, because Ctrl-C would reach it and this process at once.
        run = subprocess.Popen(
            network.inside("hub", sys.executable, "-m", "benchmarks.hosts_run", *words),
            cwd=ROOT,
            env={**os.environ, "TMPDIR": folder},
            start_new_session=True,
        )
        return _wait(run, LONGEST + LONGEST_LOGIN * options.logins)


def _wait(run: subprocess.Popen[bytes], seconds: float) -> int:
    try:
        return run.wait(seconds)
    except subprocess.TimeoutExpired:
        print(f"benchmarks hosts: not done after {seconds:.0f} s", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("benchmarks hosts: stopped, removing everything", file=sys.stderr)
        return 130
    finally:
        if run.poll() is None:
            run.send_signal(signal.SIGINT)
            with suppress(subprocess.TimeoutExpired):
                run.wait(END_PATIENCE)


def _options(arguments: list[str] | None) -> Any:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks hosts",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--logins", type=int, default=500, help="default: %(default)s")
    parser.add_argument("--clients", type=int, default=16, help="people at the same time")
    parser.add_argument(
        "--cut",
        type=float,
        help="seconds that a host is cut off; default: a hundredth of the logins, at most 30",
    )
    parser.add_argument(
        "--latency",
        type=float,
        default=0.3,
        help="seconds that the provider needs for an answer; default: %(default)s",
    )
    parser.add_argument("--keep-logs", metavar="FOLDER", help="copy the logs of all processes here")
    options = parser.parse_args(arguments)
    if not 100 <= options.logins <= 100_000 or not 1 <= options.clients <= 64:
        parser.error("100 to 100,000 logins, and 1 to 64 people at the same time")
    if options.cut is None:
        options.cut = min(options.logins / 100, 30)
    if not 0 <= options.cut <= 120:
        parser.error("a host is cut off for 0 to 120 seconds")
    return options


if __name__ == "__main__":
    sys.exit(main())
