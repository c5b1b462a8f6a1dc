"""After a run: no login was lost or doubled, and all records agree."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import psycopg

CALLS = (
    "SELECT v.id::text, v.phone, v.status, v.user_id, c.state, c.provider_id,"
    " (SELECT string_agg(s.source, ',' ORDER BY s.id)"
    " FROM django_voicepassword_callstatus s WHERE s.call_id = c.id)"
    " FROM django_voicepassword_verification v"
    " JOIN django_voicepassword_callrequest c ON c.verification_id = v.id"
    " WHERE v.created_at >= %s"
)
UNREPORTED = (
    "SELECT count(*) FROM django_voicepassword_callrequest"
    " WHERE finished_at IS NULL AND created_at >= %s"
)
USERS = (
    "SELECT count(*), count(DISTINCT user_id) FROM django_voicepassword_verifiedphone"
    " WHERE verified_at >= %s"
)


def settle(database: psycopg.Connection[Any], since: datetime, seconds: float = 30) -> None:
    """Wait until the final state of every call has been reported."""
    ends = time.monotonic() + seconds
    while database.execute(UNREPORTED, [since]).fetchone() != (0,) and time.monotonic() < ends:
        time.sleep(0.2)


def faults(
    database: psycopg.Connection[Any],
    since: datetime,
    lines: list[dict[str, Any]],
    ledger: dict[str, Any],
    limits: list[str],
    before: int,
) -> list[str]:
    """Describe each fault. ``lines``: results of the subscribers; ``before``: events that the limit
    ``site`` had counted before the run.
    """
    logins = {line["verification"]: line for line in lines if "ended" in line}
    started = {line["verification"] for line in lines if "verification" in line}
    rows = list(database.execute(CALLS, [since]))
    return [
        *(f"a subscriber got an error: {line['error']}" for line in lines if "error" in line),
        *_counts(rows, started, ledger),
        *_rows(rows, logins, ledger),
        *_users(database, since, len(logins)),
        *_limits(database, limits, len(started), before),
    ]


def _counts(rows: list[Any], started: set[str], ledger: dict[str, Any]) -> Iterator[str]:
    """Check that each verification has one row, and each number one call."""
    rung = Counter(call["number"] for call in ledger["calls"])
    yield from (f"{count} calls for one number" for count in rung.values() if count != 1)
    if len(rows) != len(started) or {row[0] for row in rows} != started:
        yield f"{len(started)} verifications were started, {len(rows)} calls are stored"
    if len(ledger["calls"]) != len(rows):
        yield f"{len(rows)} calls are stored, {len(ledger['calls'])} rang"


def _rows(
    rows: list[Any], logins: dict[str, dict[str, Any]], ledger: dict[str, Any]
) -> Iterator[str]:
    """Check that each row says what its subscriber and the provider say."""
    numbers = {call["id"]: call["number"] for call in ledger["calls"]}
    for key, phone, status, user, state, provider_id, sources in rows:
        login = logins.get(key)
        if login and (status, user, phone) != ("approved", login["user"], login["number"]):
            yield f"a verification is {status}, but its subscriber got another answer"
        if state != "no_answer" or sorted((sources or "").split(",")) != ["callback", "send"]:
            yield f"a call is {state}, reported by {sources}"
        if numbers.get(provider_id) != phone:
            yield "the ledger has another number for the id of a call"


def _users(database: psycopg.Connection[Any], since: datetime, logins: int) -> Iterator[str]:
    """Check that each login made one user with one number and one session."""
    users = database.execute(USERS, [since]).fetchone()
    sessions = database.execute("SELECT count(*) FROM django_session").fetchone()
    if users != (logins, logins) or sessions != (logins,):
        yield f"{logins} logins, {users} phones and users, {sessions} sessions"


def _limits(
    database: psycopg.Connection[Any], limits: list[str], started: int, before: int
) -> list[str]:
    """Check that ``phone`` has one event for each start, and that logins gave back the others."""
    counted: Counter[str] = Counter()
    for key, events in database.execute(
        "SELECT key, events FROM django_voicepassword_limitcounter WHERE key NOT LIKE 'guard:%'"
    ):
        per_rate = [sum(count for _, count in entries) for entries in json.loads(events).values()]
        counted[key.partition(":")[0]] += max(per_rate, default=0)
    wanted = {"ip": 0, "prefix": 0, "site": before}
    if "phone" in limits:
        wanted["phone"] = started
    found = {name: counted[name] for name in wanted}
    wrong = [f"limits counted {found}, not {wanted}"] if found != wanted else []
    return [*wrong, *(["right guesses are still counted"] if counted["phone_guesses"] else [])]
