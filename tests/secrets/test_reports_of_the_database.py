"""The database breaks under a number or a guess: no report of it, Django's or a tracker's, tells
them.
"""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import OperationalError
from django.test import Client as Browser

from django_voicepassword import transactions
from django_voicepassword.models import CallRequest, Verification
from django_voicepassword.security import callback_tokens
from tests.secrets.faults import GUESS, PHONE, WRITTEN, broken_sql, raising
from tests.secrets.scene import API, at_code, no_report_tells, place, post

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("production")]

START = ["INSERT limitcounter", "INSERT verification", "INSERT callrequest"]
GUESSING = ["UPDATE verification", "INSERT limitcounter", "SELECT callrequest"]


@pytest.mark.parametrize("form", [True, False])
@pytest.mark.parametrize("statement", START)
def test_at_the_start(statement: str, form: bool) -> None:
    with no_report_tells(), broken_sql(statement):
        assert post("/auth/login/" if form else API, form, phone=WRITTEN) == 500


@pytest.mark.parametrize("path", ["check/", "login/"])
@pytest.mark.parametrize("statement", GUESSING)
def test_at_a_guess(verification: Verification, statement: str, path: str) -> None:
    address = "/api/login/" if path == "login/" else f"{API}{verification.id}/check/"
    with no_report_tells(), broken_sql(statement):
        assert post(address, verification=str(verification.id), code=GUESS) == 500


@pytest.mark.parametrize("statement", GUESSING)
def test_at_a_guess_on_the_page(verification: Verification, statement: str) -> None:
    browser = at_code(verification)
    with no_report_tells(), broken_sql(statement):
        assert browser.post("/auth/login/code/", {"code": GUESS}).status_code == 500


@pytest.mark.parametrize(
    "statement", ["INSERT limitcounter", "SELECT verifiedphone", "INSERT verifiedphone"]
)
def test_when_the_user_is_made(rung: Verification, statement: str) -> None:
    with no_report_tells(), broken_sql(statement):
        assert post("/api/login/", verification=str(rung.id), code=GUESS) == 500


@pytest.mark.parametrize("statement", ["UPDATE callrequest", "INSERT callstatus"])
def test_in_the_worker(
    verification: Verification, provider_makes_the_code: None, statement: str
) -> None:
    with no_report_tells(), broken_sql(statement):
        place(verification)


@pytest.mark.django_db(transaction=True)
def test_when_it_went_away_and_what_was_counted_cannot_be_given_back(
    verification: Verification, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is logged at each try, with what broke, and raised at the last."""
    monkeypatch.setattr(transactions, "WRITE_TRIES", 2)
    Verification.objects.update(expires_at=verification.created_at + timedelta(seconds=2))
    with no_report_tells() as kept, broken_sql("INSERT limitcounter", OperationalError):
        place(verification)
    assert any("went away" in line for line in kept.lines)


@pytest.mark.parametrize("statement", ["SELECT callrequest", "INSERT callstatus"])
def test_at_a_callback(verification: Verification, statement: str) -> None:
    call = verification.calls.get()
    CallRequest.objects.update(state="placed", claimed_at=call.created_at)
    path = f"/auth/callback/{callback_tokens.make_callback_token(call.pk)}/"
    with no_report_tells(), broken_sql(statement):
        assert post(path, form=True, id="17", number=PHONE, state=f"{GUESS} {PHONE}") == 500


def test_before_a_callback_is_read(
    verification: Verification, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Django's report would read it then: a form has the number."""
    monkeypatch.setattr(callback_tokens, "parse_callback_token", raising)
    with no_report_tells():
        assert post("/auth/callback/any/", form=True, id="17", number=PHONE, state=GUESS) == 500


@pytest.mark.parametrize("deed", ["do/unblock/", "", "unblock/"])
def test_at_the_pages_of_the_admin(
    verification: Verification, admin_client: Browser, deed: str
) -> None:
    """Also of who may see whole numbers: a report goes to others. A number that is searched for is
    in the address itself.
    """
    call = verification.calls.get()
    CallRequest.objects.create(phone=PHONE, channel="voice")
    admin_client.raise_request_exception = False
    address = f"/admin/django_voicepassword/callrequest/{'' if deed == 'unblock/' else f'{call.pk}/'}{deed or 'change/'}"
    # The third look is for the other calls of the number.
    statement, after = ("DELETE limitcounter", 0) if deed else ("SELECT callrequest", 2)
    with no_report_tells(), broken_sql(statement, after=after):
        answer = (
            admin_client.post(address, {"phone": WRITTEN} if deed == "unblock/" else {})
            if deed
            else admin_client.get(address)
        )
        assert answer.status_code == 500
