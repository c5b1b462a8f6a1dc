"""``manage.py demo_data``: a history as the app writes it; the statistics agree to the kopeck."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import uuid
from collections import Counter, defaultdict
from contextlib import closing
from datetime import date, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from demo_data.reports import ProviderCall, provider_time

from django_voicepassword.provider.protocol import parse_callback, parse_report
from django_voicepassword.provider.protocol.daily_rows import RowReader
from tests import python_programs
from tests.databases import MARIADB, POSTGRESQL, execute

EXAMPLE = Path(__file__).parent.parent.parent / "example_project"
CALLS, DAYS = 1000, 14
#: A Wednesday afternoon in Moscow.
NOW = "2026-03-11T15:40:00+03:00"
MOSCOW = ZoneInfo("Europe/Moscow")
FINAL = {"answered", "no_answer", "busy", "canceled", "failed", "delivered", "not_delivered"}


class Place:
    """A folder with the database of the example project."""

    def __init__(self, var: Path, database: str = "") -> None:
        self.path = var / "db.sqlite3"
        inherited = {
            name: value
            for name, value in os.environ.items()
            if name not in ("DATABASE_URL", "VOICEPASSWORD", "DEBUG")
        }
        self._environment = {
            **inherited,
            "VAR_DIR": str(var),
            "DJANGO_SETTINGS_MODULE": "config.settings",
        }
        if database:
            self._environment["DATABASE_URL"] = database
        self.manage("migrate", "--verbosity=0")

    def manage(self, *arguments: str, **environment: str) -> str:
        done = self.run(*arguments, **environment)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def run(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return python_programs.run(
            ["-W", "error", "manage.py", *arguments], EXAMPLE, {**self._environment, **environment}
        )

    def rows(self, table: str, order: str = "id") -> list[dict[str, Any]]:
        with closing(sqlite3.connect(self.path)) as connection:
            connection.row_factory = sqlite3.Row
            rows = connection.execute(
                f"SELECT * FROM django_voicepassword_{table} ORDER BY {order}"
            )
            return [dict(row) for row in rows]

    def execute(self, statement: str) -> list[tuple[Any, ...]]:
        with closing(sqlite3.connect(self.path)) as connection, connection:
            return connection.execute(statement).fetchall()


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    place = Place(tmp_path_factory.mktemp("var"))
    place.manage("demo_data", f"--calls={CALLS}", f"--days={DAYS}", "--seed=1", f"--now={NOW}")
    return place


def moment(stored: str) -> datetime:
    return datetime.fromisoformat(f"{stored}+00:00")


def day_of(stored: str) -> str:
    return moment(stored).astimezone(MOSCOW).date().isoformat()


def test_each_day_has_calls_and_their_sum_is_as_requested(place: Place) -> None:
    calls = place.rows("callrequest")
    days = Counter(day_of(call["created_at"]) for call in calls)
    last = date(2026, 3, 11)
    assert len(calls) == CALLS
    assert sorted(days) == [
        (last - timedelta(days=ago)).isoformat() for ago in reversed(range(DAYS))
    ]
    assert max(call["created_at"] for call in calls) > "2026-03-11 12:39:55"
    assert not [call for call in calls if moment(call["created_at"]) > datetime.fromisoformat(NOW)]


def test_no_row_violates_a_constraint_or_a_foreign_key(place: Place) -> None:
    assert (
        "voicepassword_call_claimed"
        in place.execute(
            "SELECT sql FROM sqlite_master WHERE name = 'django_voicepassword_callrequest'"
        )[0][0]
    )
    assert place.execute("PRAGMA integrity_check") == [("ok",)]
    assert place.execute("PRAGMA foreign_key_check") == []


def test_the_daily_statistics_agree_with_the_calls_to_the_kopeck(place: Place) -> None:
    expected: dict[str, Counter[Any]] = defaultdict(Counter)
    for call in place.rows("callrequest"):
        if call["listed_at"] is None:
            continue
        figures = expected[day_of(call["occurred_at"])]
        figures["rows"] += 1
        figures["total_price"] += int(Decimal(str(call["price"])) * 100)
        figures["imported" if call["origin"] == "imported" else "matched"] += 1
        figures["mismatched"] += call["difference"] > 0
    days = place.rows("dailystatistics", "date")
    assert len(days) == DAYS
    for day in days:
        stored = {name: day[name] for name in ("rows", "matched", "imported", "mismatched")}
        stored["total_price"] = int(Decimal(str(day["total_price"])) * 100)
        assert stored == {name: expected[day["date"]][name] for name in stored}
    totals = [sum(day[name] for day in days) for name in ("imported", "mismatched", "missing")]
    assert all(totals), totals


def test_the_figures_of_each_day_are_aggregated(place: Place) -> None:
    counted = place.execute(
        "SELECT date, calls, refused FROM django_voicepassword_dayfigures WHERE channel = ''"
    )
    calls = Counter(
        day_of(call["created_at"])
        for call in place.rows("callrequest")
        if call["state"] != "queued"
    )
    assert {day: sent + refused for day, sent, refused in counted} == calls


def test_a_call_has_the_history_that_leads_to_its_state(place: Place) -> None:
    lines: dict[int, list[dict[str, Any]]] = defaultdict(list)
    for line in place.rows("callstatus"):
        lines[line["call_id"]].append(line)
    for call in place.rows("callrequest"):
        history = lines[call["id"]]
        received = [line["received_at"] for line in history]
        assert received == sorted(received)
        assert call["phone"] not in str(history)
        is_listed = bool(history) and history[-1]["source"] == "daily"
        assert is_listed == (call["listed_at"] is not None)
        assert_history_fits(call, history)


def assert_history_fits(call: dict[str, Any], history: list[dict[str, Any]]) -> None:
    """Assert that the first and the last line fit the state of the call."""
    if call["state"] == "queued":
        assert history == []
    if call["state"] in {*FINAL, "refused"}:
        assert history[-1]["state"] == call["state"]
        assert call["finished_at"] is not None
    was_accepted = call["provider_id"] and call["origin"] == "app"
    if call["state"] == "refused":
        assert [line["source"] for line in history] == ["send"]
        assert history[0]["raw_state"] == call["error_code"]
    elif was_accepted and call["error_code"] != "matched_by_time":
        assert (history[0]["source"], history[0]["raw_state"]) == ("send", "ok")


def test_every_state_channel_and_refusal_occurs(place: Place) -> None:
    calls = place.rows("callrequest")
    assert {"placed", "unknown", "refused", *FINAL} <= {call["state"] for call in calls}
    assert {call["channel"] for call in calls} == {"flashcall", "voice", "sms"}
    assert {"number_in_spam_list", "not_enough_money", "unreachable"} <= {
        call["error_code"] for call in calls
    }
    statuses = Counter(row["status"] for row in place.rows("verification"))
    assert set(statuses) == {"approved", "expired", "canceled", "max_attempts", "pending"}
    assert 0.75 < statuses["approved"] / sum(statuses.values()) < 0.95


def test_an_sms_follows_an_accepted_call(place: Place) -> None:
    chains: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for call in place.rows("callrequest"):
        if call["verification_id"] is not None:
            chains[call["verification_id"]].append(call)
    for verification in place.rows("verification", "created_at"):
        chain = chains[verification["id"]]
        assert chain[0]["created_at"] == verification["created_at"]
        assert {call["phone"] for call in chain} == {verification["phone"]}
        assert (
            verification["approved_at"] is None
            or verification["approved_at"] < verification["expires_at"]
        )
        for number, call in enumerate(chain):
            assert call["channel"] != "sms" or any(
                earlier["provider_id"] for earlier in chain[:number]
            )
    assert max(map(len, chains.values())) <= 3


def test_the_balance_falls_with_what_is_spent_and_is_empty_once(place: Place) -> None:
    readings = [
        (moment(row["read_at"]), Decimal(str(row["balance"])))
        for row in place.rows("balancereading", "read_at")
    ]
    assert min(left for _, left in readings) == Decimal("0.2")
    paid = [call for call in place.rows("callrequest") if call["price"] is not None]
    spent = [
        (moment(call["created_at"]) + timedelta(seconds=2), Decimal(str(call["price"])))
        for call in paid
    ]
    hour = timedelta(hours=1)
    falls = [
        (earlier, later)
        for earlier, later in pairwise(readings)
        if earlier[1] >= later[1] and later[0] - earlier[0] == hour
    ]
    assert len(falls) > 300
    for (before, first), (after, second) in falls:
        assert first - second == sum(price for at, price in spent if before <= at < after)


def test_everybody_who_logged_in_has_an_account_and_a_verified_number(place: Place) -> None:
    phones = {row["phone"]: row["user_id"] for row in place.rows("verifiedphone")}
    logins = {
        row["phone"]: row["user_id"]
        for row in place.rows("verification", "created_at")
        if row["status"] == "approved" and row["purpose"] == "login"
    }
    assert phones
    assert logins == phones


def test_the_same_seed_and_moment_make_the_same_history(place: Place, tmp_path: Path) -> None:
    again = Place(tmp_path)
    again.manage("demo_data", f"--calls={CALLS}", f"--days={DAYS}", "--seed=1", f"--now={NOW}")
    tables = {
        "callrequest": {"verification_id"},
        "callstatus": set(),
        "dailystatistics": set(),
        "balancereading": set(),
    }
    for table, random_columns in tables.items():
        first, second = (
            [
                {name: value for name, value in row.items() if name not in random_columns}
                for row in folder.rows(table)
            ]
            for folder in (place, again)
        )
        assert first == second
    output = again.manage(
        "demo_data", f"--calls={CALLS}", f"--days={DAYS}", "--seed=1", f"--now={NOW}"
    )
    assert "1,000 calls of 14 days" in output
    # A second history beside the first: the same people, other calls, statistics of both.
    ids = [call["provider_id"] for call in again.rows("callrequest") if call["provider_id"]]
    assert len(ids) == len(set(ids)) > CALLS
    assert sum(day["rows"] for day in again.rows("dailystatistics")) == 2 * sum(
        day["rows"] for day in place.rows("dailystatistics")
    )
    assert len(again.rows("verifiedphone")) == len(place.rows("verifiedphone"))


#: Prints the rows of a database without the random columns.
PROGRAM = """
import json
from django_voicepassword.models import BalanceReading, CallRequest, CallStatus, DailyStatistics
for model in (CallRequest, CallStatus, DailyStatistics, BalanceReading):
    for row in model.objects.order_by("pk").values():
        row.pop("verification_id", None)
        print(json.dumps(row, sort_keys=True, default=str))
"""


@pytest.fixture(scope="module")
def history_in_sqlite(place: Place) -> list[str]:
    return place.manage("shell", "--command", PROGRAM).splitlines()


@pytest.mark.parametrize(
    "server",
    [
        pytest.param(POSTGRESQL, id="postgresql", marks=pytest.mark.service("postgresql")),
        pytest.param(MARIADB, id="mariadb", marks=pytest.mark.service("mariadb")),
    ],
)
def test_other_databases_get_the_same_rows(
    history_in_sqlite: list[str], server: str, tmp_path: Path
) -> None:
    name = f"voicepassword_demo_data_{uuid.uuid4().hex[:8]}"
    execute(server, f"CREATE DATABASE {name}")
    try:
        other = Place(tmp_path, f"{server}/{name}")
        other.manage("demo_data", f"--calls={CALLS}", f"--days={DAYS}", "--seed=1", f"--now={NOW}")
        rows = other.manage("shell", "--command", PROGRAM)
        # A second run shows that the sequence of keys has moved on.
        other.manage("demo_data", "--calls=50", "--days=1")
    finally:
        execute(server, f"DROP DATABASE {name}")
    assert rows.splitlines() == history_in_sqlite


@pytest.mark.processes
def test_it_refuses_to_run_where_it_would_do_harm(tmp_path: Path) -> None:
    place = Place(tmp_path)
    small = ["--calls=50", "--days=1", "--seed=1"]
    assert "DEBUG is off" in place.run("demo_data", *small, DEBUG="off").stderr
    assert "--calls must be" in place.run("demo_data", "--calls=50", "--days=30").stderr
    place.execute(
        "INSERT INTO django_voicepassword_callrequest"
        " (phone, channel, state, provider_id, service, origin, error_code,"
        " created_at, polls, code_digest, counted_address, lane, is_open, counted,"
        " difference)"
        " VALUES ('79990000001', 'voice', 'refused', '', '', 'app',"
        " 'user_disabled', '2026-03-01 10:00:00', 0, '', '', 'unproven', 0, '', 0)"
    )
    real = {"VOICEPASSWORD": '{"API_URL": "https://example.org/api/voice-password/"}'}
    refused = place.run("demo_data", *small, **real)
    assert refused.returncode == 1
    assert "add --yes" in refused.stderr
    assert len(place.rows("callrequest")) == 1
    place.manage("demo_data", *small, "--yes", **real)
    assert len(place.rows("callrequest")) == 51
    # Calls that the sandbox has imitated are nobody's.
    place.manage("demo_data", *small)
    assert len(place.rows("callrequest")) == 101


@pytest.fixture(scope="module")
def spare(tmp_path_factory: pytest.TempPathFactory) -> Place:
    return Place(tmp_path_factory.mktemp("spare"))


@pytest.mark.parametrize("clock", ["00:00:00", "00:00:01", "00:17:04", "23:59:59.900000"])
def test_the_history_may_end_at_any_time_of_day(spare: Place, clock: str) -> None:
    before = len(spare.rows("callrequest"))
    spare.manage("demo_data", "--calls=60", "--days=3", "--seed=2", f"--now=2026-03-11T{clock}")
    assert len(spare.rows("callrequest")) == before + 60
    assert len({day_of(call["created_at"]) for call in spare.rows("callrequest")}) == 3


@pytest.mark.parametrize(
    "state", ["answered", "no_answer", "busy", "canceled", "failed", "delivered", "not_delivered"]
)
def test_a_line_equals_what_the_app_parses_from_the_same_report(state: str) -> None:
    phone, at = "79581234567", datetime.fromisoformat(NOW)
    channel = "sms" if "delivered" in state else "voice"
    provider_call = ProviderCall(
        "9000000000000001", phone, channel, provider_time(at, MOSCOW), state, 7, Decimal("0.35")
    )
    for line in (provider_call.callback(at), provider_call.poll(at), provider_call.daily(at)):
        raw = {**line.payload, "number": phone}
        report = (
            parse_callback(json.dumps(raw).encode())
            if line.source == "callback"
            else parse_report(raw)
        )
        assert (report.state, report.raw_state) == (line.state, line.raw_state)
        assert (report.duration, report.price) == (line.duration, line.price)
        assert report.date == provider_time(at, MOSCOW).replace(tzinfo=None)
        if line.source == "daily":
            reader = RowReader()
            reader.read(raw)
            assert json.loads(reader.read(raw).payload) == line.payload
        else:
            assert report.raw == line.payload
