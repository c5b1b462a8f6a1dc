"""The rows that all starts share, of the limit ``site`` and of DAILY_BUDGET: how many starts a
second PostgreSQL can do with them and without them.

    python -m benchmarks.logins_row
    python -m benchmarks.logins_row --clients 16 64 --gaps 0 2

pgbench sends the statements of a start. It needs hardly any processor time, so the rates are those
of the database and its row locks. A gap is the pause between two statements: on a real site Python
runs in it, and the network takes its time. The last column is not what the app does: the same
statements with one row for each limit instead of 64. ``benchmarks.contention`` measures the
app itself.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "example_project"))

from benchmarks.logins_deployment import Database  # noqa: E402
from tests.faults.servers import program  # noqa: E402

_KEYS = ["'block:' || :n / 10000", "'ip:' || :n", "'phone:' || :n", "'prefix:' || :n / 10000"]
#: What all starts share; ``:r`` is the row of each.
_SHARED = ["'budget:1#' || :r", "'budget_unproven:1#' || :r", "'site:#' || :r"]
_LOCK = (
    "INSERT INTO django_voicepassword_limitcounter (key, events, amount, updated_at)"
    " VALUES {} ON CONFLICT (key)"
    " DO UPDATE SET updated_at = EXCLUDED.updated_at RETURNING key, events, amount;"
)
_WRITE = (
    "INSERT INTO django_voicepassword_limitcounter (key, events, amount, updated_at)"
    " VALUES {} ON CONFLICT (key)"
    " DO UPDATE SET events = EXCLUDED.events, amount = EXCLUDED.amount;"
)
_VERIFICATION = (
    "INSERT INTO django_voicepassword_verification"
    " (id, phone, purpose, status, attempts, earlier_attempts, sends, code_length, is_long,"
    " created_at, expires_at, last_sent_at, ip)"
    " VALUES (md5(:n || clock_timestamp()::text)::uuid, :n, 'login', 'pending', 0, 0, 1, 4, FALSE,"
    " now(), now() + interval '5 min', now(), '10.0.0.1') RETURNING id \\gset"
)
_CALL = (
    "INSERT INTO django_voicepassword_callrequest (verification_id, phone, channel, state,"
    " provider_id, service, origin, error_code, created_at, polls, code_digest,"
    " counted_address, lane, is_open, counted, difference)"
    " VALUES (':id', :n, 'flashcall', 'queued', '', '', 'app', '', now(), 0, '', '10.0.0.1',"
    " 'unproven', TRUE, 'phone ip site#1 block', 0)"
    " RETURNING id;"
)
#: The entries of one rate, and of two rates with a hundred entries each, as in the row of a busy
#: ``site``.
_ONE = json.dumps({"20/h": [[1764000000000, 1]]}, separators=(",", ":"))
_BUSY = json.dumps(
    {rate: [[1764000000000 + n, 1000] for n in range(100)] for rate in ("1/h", "1/d")},
    separators=(",", ":"),
)


def statements(is_shared: bool) -> list[str]:
    """The statements of one start, in their order."""
    keys = [*_KEYS, *_SHARED] if is_shared else _KEYS
    locks = ", ".join(f"({key}, '{{}}', 0, now())" for key in keys)
    writes = ", ".join(
        f"({key}, '{_BUSY if key == _SHARED[-1] else _ONE}', 0, now())" for key in keys
    )
    limits, rows = [_LOCK.format(locks), _WRITE.format(writes)], [_VERIFICATION, _CALL]
    return ["BEGIN;", *limits, *rows, "COMMIT;"]


#: Title -> (statements, rows of each shared counter).
COLUMNS = {
    "without both": (statements(is_shared=False), 64),
    "site and budget": (statements(is_shared=True), 64),
    "in one row": (statements(is_shared=True), 1),
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clients", type=int, nargs="+", default=[1, 4, 16, 64])
    parser.add_argument("--gaps", type=float, nargs="+", default=[0, 0.5, 1], help="milliseconds")
    parser.add_argument("--seconds", type=int, default=3)
    options = parser.parse_args()
    with Database() as database, tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "DATABASE_URL": database.url, "VAR_DIR": folder}
        migrate = [sys.executable, "manage.py", "migrate", "--verbosity=0"]
        subprocess.run(
            migrate,
            cwd=ROOT / "example_project",
            env={**environment, "PYTHONPATH": str(ROOT)},
            check=True,
        )
        print("starts a second   clients  gap ms  " + "".join(f"{name:>17}" for name in COLUMNS))
        for gap in options.gaps:
            for clients in options.clients:
                rates = [
                    measure(database, Path(folder), *one, clients, gap, options.seconds)
                    for one in COLUMNS.values()
                ]
                print(
                    f"{clients:25} {gap:7.1f}  " + "".join(f"{rate:17,.0f}" for rate in rates),
                    flush=True,
                )
    return 0


def measure(
    database: Database,
    folder: Path,
    lines: list[str],
    rows: int,
    clients: int,
    gap: float,
    seconds: int,
) -> float:
    path = folder / "start.sql"
    pause = f"\\sleep {int(gap * 1000)} us\n" if gap else ""
    path.write_text(
        "\\set n random(79000000000, 79999999999)\n"
        f"\\set r random(0, {rows - 1})\n" + pause.join(f"{line}\n" for line in lines)
    )
    options = [
        "--no-vacuum",
        f"--file={path}",
        f"--client={clients}",
        f"--time={seconds}",
        "--jobs=1",
    ]
    done = subprocess.run(
        [program("pgbench"), *options, database.url], capture_output=True, text=True
    )
    if done.returncode:
        raise SystemExit(done.stderr)
    return float(done.stdout.rpartition("tps = ")[2].split()[0])


if __name__ == "__main__":
    sys.exit(main())
