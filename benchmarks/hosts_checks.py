"""After a run over several hosts: no limit and no budget was passed, nothing was lost or doubled,
and the books agree with the provider's own journal.
"""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import psycopg

#: No call in one of these states is left at the end.
UNSETTLED = ("queued", "placing", "placed", "dialing")
#: The rate of the limit ``phone`` that is checked.
PHONE_SENDS, PHONE_PERIOD = 3, timedelta(minutes=10)
_CALL = (
    *("verification", "phone", "status", "user", "state"),
    *("provider_id", "error_code", "lane", "origin"),
)
_CALLS = (
    "SELECT v.id::text, c.phone, v.status, v.user_id, c.state, c.provider_id, c.error_code,"
    " c.lane, c.origin FROM django_voicepassword_callrequest c"
    " LEFT JOIN django_voicepassword_verification v ON c.verification_id = v.id"
)
_OPEN = "SELECT count(*) FROM django_voicepassword_callrequest WHERE state = ANY(%s)"
_BOOKS = (
    "SELECT sum(rows), sum(total_price), sum(matched), sum(imported), sum(mismatched),"
    " sum(unreadable) FROM django_voicepassword_dailystatistics"
)
_PEOPLE = (
    "SELECT (SELECT count(*) FROM django_session),"
    " (SELECT count(*) FROM django_voicepassword_verifiedphone),"
    " (SELECT count(DISTINCT user_id) FROM django_voicepassword_verifiedphone),"
    " (SELECT count(*) FROM auth_user)"
)


@dataclass
class Records:
    """What the database, the provider's journal and the people themselves say.

    ``books``: rows, price, matched, imported, mismatched and unreadable rows of the daily
    statistics. ``people``: sessions, proved numbers, users with one, users.
    """

    calls: list[dict[str, Any]]
    books: tuple[Decimal, ...]
    people: tuple[int, ...]
    ledger: list[dict[str, Any]]
    lines: list[dict[str, Any]]

    @property
    def spent(self) -> Decimal:
        return sum((Decimal(call["price"]) for call in self.ledger), Decimal(0))

    @property
    def approved(self) -> dict[str, dict[str, Any]]:
        """The calls whose verification was approved, by verification."""
        return {call["verification"]: call for call in self.calls if call["status"] == "approved"}


def read(
    database: psycopg.Connection[Any], ledger: list[dict[str, Any]], lines: list[dict[str, Any]]
) -> Records:
    calls = [dict(zip(_CALL, row, strict=True)) for row in database.execute(_CALLS)]
    books = tuple(Decimal(value or 0) for value in database.execute(_BOOKS).fetchone() or ())
    return Records(calls, books, database.execute(_PEOPLE).fetchone() or (), ledger, lines)


def settle(database: psycopg.Connection[Any], seconds: float) -> float:
    """Wait until no call is under way any more; the seconds that it took."""
    began = time.monotonic()
    while database.execute(_OPEN, [list(UNSETTLED)]).fetchone() != (0,):
        if time.monotonic() > began + seconds:
            break
        time.sleep(0.5)
    return time.monotonic() - began


def faults(records: Records, limit_site: int, budget: int) -> list[str]:
    """Describe each fault."""
    return [
        *_rings(records),
        *_calls(records),
        *_logins(records),
        *_limits(records, limit_site, budget),
        *_books(records),
    ]


def _rings(records: Records) -> Iterator[str]:
    """Check that no call rang twice. The address for reports has a token for each call."""
    addresses = Counter(call["callback_url"] for call in records.ledger)
    yield from ("a call rang twice" for count in addresses.values() if count > 1)
    rows = Counter(call["phone"] for call in records.calls)
    rung = Counter(call["number"] for call in records.ledger)
    for number, count in rung.items():
        if count > rows[number]:
            yield "a number was rung more often than it has calls"


def _calls(records: Records) -> Iterator[str]:
    """Check that each call rang and is known by its id, or surely did not ring and is settled."""
    ids = {call["id"]: call["number"] for call in records.ledger}
    known: set[str] = set()
    for call in records.calls:
        if call["state"] in UNSETTLED:
            yield f"a call stays {call['state']}"
        if call["provider_id"]:
            known.add(call["provider_id"])
            if ids.get(call["provider_id"]) != call["phone"]:
                yield "the journal has another number for the id of a call"
        elif call["state"] not in ("refused", "unknown"):
            yield f"a call is {call['state']} and has no id"
    yield from ("a ring is not known" for _ in set(ids) - known)
    yield from ("a call is imported" for call in records.calls if call["origin"] != "app")
    ours = {call["verification"] for call in records.calls}
    for line in records.lines:
        for verification in line["verifications"]:
            if verification not in ours:
                yield "an accepted start has no call"


def _logins(records: Records) -> Iterator[str]:
    """Check that each person is logged in once, and no right code opened two sessions.

    A right code whose answer was lost is spent; the person was told so, and began again.
    """
    approved = records.approved
    for line in records.lines:
        if "error" in line:
            yield f"a person got stuck: {line['error']}"
        if "ended" in line:
            call = approved.get(line["by"])
            if call is None or (call["user"], call["phone"]) != (line["user"], line["number"]):
                yield "a person is logged in, and the database says otherwise"
    ended = {line["by"] for line in records.lines if "ended" in line}
    lost = sum(line["met"]["an answer to a right code lost"] for line in records.lines)
    if len(approved) - len(ended) != lost:
        yield (
            f"{len(approved)} codes were accepted, {len(ended)} answers arrived and {lost} were"
            " lost"
        )
    people = len({call["phone"] for call in approved.values()})
    sessions, *users = records.people
    # A host that is cut off between the approval and the session makes none, and answers nobody.
    if not len(ended) <= sessions <= len(approved) or users != [people] * 3:
        yield (
            f"{len(approved)} codes of {people} people were accepted; sessions, proved numbers,"
            f" users with one and users are {records.people}"
        )


def _limits(records: Records, limit_site: int, budget: int) -> Iterator[str]:
    """Check the limits ``site`` and ``phone``, and DAILY_BUDGET."""
    open_sends = sum(map(_is_open_send, records.calls))
    if open_sends != limit_site:
        yield f"{open_sends} open sends, where site allows {limit_site} and refused more"
    if records.spent > budget:
        yield f"{records.spent} spent, of {budget}"
    times = defaultdict(list)
    for call in records.ledger:
        times[call["number"]].append(datetime.fromisoformat(call["date"]))
    for moments in times.values():
        for first, last in zip(sorted(moments), sorted(moments)[PHONE_SENDS:], strict=False):
            if last - first < PHONE_PERIOD:
                yield f"more than {PHONE_SENDS} calls to a number in {PHONE_PERIOD}"


def _is_open_send(call: dict[str, Any]) -> bool:
    """Whether ``site`` counts a call: nobody typed its code, and it may have rung."""
    is_approved = call["status"] == "approved"
    return call["lane"] == "unproven" and not is_approved and call["state"] != "refused"


def _books(records: Records) -> Iterator[str]:
    """Check the figures of the daily statistics against the journal."""
    count = Decimal(len(records.ledger))
    wanted = (count, records.spent, count, *[Decimal(0)] * 3)
    if records.books != wanted:
        names = "rows, price, matched, imported, mismatched, unreadable"
        yield f"the books have {names} {records.books}, the journal {wanted}"
