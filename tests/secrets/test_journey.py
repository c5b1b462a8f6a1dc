"""Promise 6 over one run of everything: no key, code or whole number in anything the site outputs.

Other figures may equal a code of four digits by chance. So the run uses only codes that no usual
figure equals (``Journey.accept_code``), and the search ignores figures whose surroundings show
that they are no code (``secret_search``). Any other match is a leak.
"""

from __future__ import annotations

import re

import pytest

from tests.secrets.conftest import Run
from tests.secrets.evidence import LIMIT_KEYS, files_with, find_leaks
from tests.secrets.journey import PAGES
from tests.secrets.secret_search import decodings

pytestmark = [pytest.mark.processes, pytest.mark.long]


@pytest.mark.parametrize(
    "kind", ["log", "console", "broker", "result", "mail", "database", "answer"]
)
def test_no_output_contains_a_key_a_code_or_a_whole_number(run: Run, kind: str) -> None:
    evidence = run.of(kind)
    assert evidence
    assert find_leaks(evidence, run.secrets) == []


def test_no_file_contains_the_key_of_the_account_or_of_the_site(run: Run) -> None:
    for secret in run.secrets.secrets:
        assert files_with(run.var, secret) == []


def test_whole_numbers_are_in_the_database_and_the_sql_log_only(run: Run) -> None:
    """They must be there: it shows that the search can find them."""
    places = {piece.place for piece in run.evidence if PAGES in piece.text}
    own = "database django_voicepassword_"
    assert places == {
        f"{own}verification.phone",
        f"{own}callrequest.phone",
        f"{own}verifiedphone.phone",
        f"{own}trusteddevice.phone",
        f"database {LIMIT_KEYS}",
        "log sql.log",
    }


def test_the_journey_took_every_path(run: Run) -> None:
    """Each kind of output exists and has what the journey must cause."""
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
    sessions = "".join(decodings(run.text("database django_session.session_data")))
    assert "voicepassword_confirmed" in sessions
    assert "+7 *** ***-**-07" in run.text("answer to GET /admin/")


def test_the_journey_opened_every_page_of_the_admin(run: Run) -> None:
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
