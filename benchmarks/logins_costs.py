"""The costs of a run: processor seconds of each part, SQL statements, Redis commands, WAL, and the
size of tables.
"""

from __future__ import annotations

import os
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import redis

TICKS = os.sysconf("SC_CLK_TCK")
TABLES = (
    "SELECT relname, pg_table_size(relid), pg_indexes_size(relid)"
    " FROM pg_stat_user_tables WHERE schemaname = 'public'"
)
WAL = "SELECT wal_bytes, wal_fpi, wal_sync FROM pg_stat_wal"
COMMITS = "SELECT xact_commit FROM pg_stat_database WHERE datname = current_database()"
STATEMENTS = (
    "SELECT rolname, sum(calls) FROM pg_stat_statements"
    " JOIN pg_roles ON userid = pg_roles.oid GROUP BY rolname"
)
#: Quoted values are removed: a statement that was running when the counting began is stored with
#: its values, which would make each such statement another one.
HEAVIEST = (
    "SELECT rolname, calls, mean_exec_time,"
    " left(regexp_replace(query, '''[^'']*''|\"|django_voicepassword_', '', 'g'), 110)"
    " FROM pg_stat_statements JOIN pg_roles ON userid = pg_roles.oid"
    " WHERE rolname IN ('web', 'worker')"
    " AND query !~ 'SAVEPOINT' ORDER BY total_exec_time DESC LIMIT %s"
)


@dataclass(frozen=True)
class Moment:
    """Totals since the start of the processes. ``at``: the monotonic clock, which all of them
    share.
    """

    at: float
    seconds: dict[str, float]
    machine: dict[str, int]
    statements: dict[str, int]
    commands: int
    wal: int
    full_pages: int
    commits: int
    syncs: int


class Meter:
    """``parts`` maps each part to its processes. Their descendants are counted too."""

    def __init__(
        self,
        parts: dict[str, list[int]],
        database: psycopg.Connection[Any],
        broker: redis.Redis | None,
    ) -> None:
        self.parts, self._database, self._broker = parts, database, broker

    def read(self) -> Moment:
        children = _children()
        seconds = {
            part: sum(_seconds(pid, children) for pid in pids) for part, pids in self.parts.items()
        }
        statements = {role: int(calls) for role, calls in self._database.execute(STATEMENTS)}
        wal, full_pages, syncs = self._database.execute(WAL).fetchone() or (0, 0, 0)
        (commits,) = self._database.execute(COMMITS).fetchone() or (0,)
        commands = self._broker.info("commandstats") if self._broker is not None else {}
        calls = sum(one["calls"] for name, one in commands.items() if name != "cmdstat_info")
        return Moment(
            time.monotonic(),
            seconds,
            _machine(),
            statements,
            calls,
            int(wal),
            int(full_pages),
            int(commits),
            int(syncs),
        )


def _machine() -> dict[str, int]:
    """Clock ticks of all processors: used, idle, waiting for the disk, or stolen by another guest
    of the host.
    """
    user, nice, system, idle, disk, hard, soft, stolen = map(
        int, Path("/proc/stat").read_text().split()[1:9]
    )
    return {
        "used": user + nice + system + hard + soft,
        "idle": idle,
        "waiting for the disk": disk,
        "stolen": stolen,
    }


def _children() -> dict[int, list[int]]:
    found: dict[int, list[int]] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = _fields(path)
        except OSError:
            continue
        found.setdefault(int(fields[1]), []).append(int(path.parent.name))
    return found


def _seconds(pid: int, children: dict[int, list[int]]) -> float:
    """Processor seconds of a process and its descendants, also of those that have exited and were
    waited for.
    """
    try:
        own = sum(map(int, _fields(Path(f"/proc/{pid}/stat"))[11:15])) / TICKS
    except OSError:
        own = 0.0
    return own + sum(_seconds(child, children) for child in children.get(pid, []))


def memory(pids: list[int]) -> int:
    """Bytes of memory of processes and their descendants. What they share is divided among them."""
    children, found, total = _children(), [*pids], 0
    while found:
        pid = found.pop()
        found += children.get(pid, [])
        with suppress(OSError):
            lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
            total += sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
    return total * 1024


def _fields(path: Path) -> list[str]:
    """The fields after the name, which may contain spaces: state, parent, …, user and system time,
    and the same of the children that have exited.
    """
    return path.read_text().rpartition(")")[2].split()


def sizes(database: psycopg.Connection[Any]) -> dict[str, tuple[int, int]]:
    """Map each table to the bytes of its rows and of its indexes."""
    return {name: (rows, indexes) for name, rows, indexes in database.execute(TABLES)}


def heaviest(database: psycopg.Connection[Any], count: int) -> list[tuple[Any, ...]]:
    """The statements that took most time in total: role, calls, mean milliseconds, text."""
    return database.execute(HEAVIEST, [count]).fetchall()


def waits(database: psycopg.Connection[Any], seen: Counter[str]) -> None:
    """Sample the state of each connection of web and workers: running, idle, or its wait event."""
    query = (
        "SELECT usename || ' ' || CASE WHEN state = 'active'"
        " THEN coalesce(wait_event_type || ':' || wait_event, 'running')"
        " ELSE state END FROM pg_stat_activity WHERE usename IN ('web', 'worker')"
    )
    seen.update(row[0] for row in database.execute(query))
