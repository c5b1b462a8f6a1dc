"""Promise 6 over one run of everything: neither key nor code nor whole number, wherever the site
leaves a trace.

Codes of four digits are met by chance as well: the run takes only codes that no other figure can be
(``Journey.take``), and where a figure stands tells that it is none (``traces``). What is left is a
code.
"""

from __future__ import annotations

import re

import pytest

from tests.secrets.conftest import Run
from tests.secrets.evidence import LIMIT_KEYS, files_with, found
from tests.secrets.journey import PAGES
from tests.secrets.traces import forms

pytestmark = pytest.mark.processes


@pytest.mark.parametrize(
    "kind", ["log", "console", "broker", "result", "mail", "database", "answer"]
)
def test_nothing_tells_a_key_a_code_or_a_whole_number(run: Run, kind: str) -> None:
    pieces = run.of(kind)
    assert pieces
    assert found(pieces, run.known) == []


def test_no_file_holds_the_key_of_the_account_or_of_the_site(run: Run) -> None:
    for secret in run.known.secrets:
        assert files_with(run.var, secret) == []


def test_numbers_are_where_they_are_meant_to_be(run: Run) -> None:
    """Else nothing was searched for: the database has them, and SQL that is logged."""
    places = {piece.place for piece in run.pieces if PAGES in piece.text}
    own = "database django_voicepassword_"
    assert places == {
        f"{own}verification.phone",
        f"{own}callrequest.phone",
        f"{own}verifiedphone.phone",
        f"database {LIMIT_KEYS}",
        "log sql.log",
    }


def test_every_way_was_gone(run: Run) -> None:
    """Each kind of trace is there, and speaks of what it should."""
    log = run.text("log everything.log")
    for line in (
        "the provider refused: number_in_spam_list",
        "the provider refused: authorisation_failed",
        "the balance is low",
        "no readable answer, it may have rung: the connection broke",
        "no readable answer, it may have rung: not JSON",
        "the provider cannot be reached, next try",
        'POST /api/voice-password/send/ HTTP/1.1" 200',
    ):
        assert line in log
    events = set(re.findall(r"task\.[a-z]+", run.text("broker celeryev")))
    assert {"task.sent", "task.received", "task.succeeded", "task.failed"} <= events
    assert '"status": "FAILURE"' in run.text("result")
    assert "raised unexpected" in run.text("mail")
    calls = "database django_voicepassword_call"
    assert {"busy", "delivered", "refused", "queued"} <= set(
        run.text(f"{calls}request.state").split()
    )
    assert set(run.text(f"{calls}status.source").split()) == {"send", "callback", "poll", "daily"}
    sessions = "".join(forms(run.text("database django_session.session_data")))
    assert "voicepassword_confirmed" in sessions
    assert "+7 *** ***-**-07" in run.text("answer to GET /admin/")


def test_the_admin_was_seen(run: Run) -> None:
    own = "/admin/django_voicepassword/"
    kinds = {
        path.removeprefix(own).partition("/")[0] for path in run.opened if path.startswith(own)
    }
    assert {
        "callrequest",
        "verification",
        "verifiedphone",
        "dailystatistics",
        "balancereading",
        "dashboard",
    } <= kinds
    assert "***-**-07" in run.text(f"answer to POST {own}callrequest/export/")
