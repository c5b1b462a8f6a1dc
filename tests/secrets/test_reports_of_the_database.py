"""The database fails while it has a number or a guess: no report about it contains them."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import OperationalError
from django.test import Client as Browser

from django_voicepassword import transactions
from django_voicepassword.models import CallRequest, Verification
from django_voicepassword.security import callback_tokens
from tests.secrets.actions import API, client_at_code_page, place_call, post
from tests.secrets.assertions import assert_no_secret_reported
from tests.secrets.faults import GUESS, PHONE, PHONE_AS_TYPED, broken_sql, fail

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("production")]

START = ["INSERT limitcounter", "INSERT verification", "INSERT callrequest"]
GUESSING = ["UPDATE verification", "INSERT limitcounter", "SELECT callrequest"]


@pytest.mark.parametrize("form", [True, False])
@pytest.mark.parametrize("statement", START)
def test_at_the_start(statement: str, form: bool) -> None:
    with assert_no_secret_reported(), broken_sql(statement):
        assert post("/auth/login/" if form else API, form, phone=PHONE_AS_TYPED) == 500


@pytest.mark.parametrize("path", ["check/", "login/"])
@pytest.mark.parametrize("statement", GUESSING)
def test_at_a_guess(verification: Verification, statement: str, path: str) -> None:
    address = "/api/login/" if path == "login/" else f"{API}{verification.id}/check/"
    with assert_no_secret_reported(), broken_sql(statement):
        assert post(address, verification=str(verification.id), code=GUESS) == 500


@pytest.mark.parametrize("statement", GUESSING)
def test_at_a_guess_on_the_page(verification: Verification, statement: str) -> None:
    browser = client_at_code_page(verification)
    with assert_no_secret_reported(), broken_sql(statement):
        assert browser.post("/auth/login/code/", {"code": GUESS}).status_code == 500


@pytest.mark.parametrize(
    "statement", ["INSERT limitcounter", "SELECT verifiedphone", "INSERT verifiedphone"]
)
def test_when_the_user_is_made(called_verification: Verification, statement: str) -> None:
    with assert_no_secret_reported(), broken_sql(statement):
        status = post("/api/login/", verification=str(called_verification.id), code=GUESS)
    # A user who cannot be created is refused like an unknown one.
    assert status == (403 if statement == "INSERT verifiedphone" else 500)


@pytest.mark.parametrize("statement", ["UPDATE callrequest", "INSERT callstatus"])
def test_in_the_worker(verification: Verification, provider_code: None, statement: str) -> None:
    with assert_no_secret_reported(), broken_sql(statement):
        place_call(verification)


@pytest.mark.django_db(transaction=True)
def test_when_a_refund_of_the_limits_fails_in_the_worker(
    verification: Verification, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each attempt is logged with its error, and the last one raises it."""
    monkeypatch.setattr(transactions, "WRITE_TRIES", 2)
    Verification.objects.update(expires_at=verification.created_at + timedelta(seconds=2))
    with (
        assert_no_secret_reported() as reports,
        broken_sql("INSERT limitcounter", OperationalError),
    ):
        place_call(verification)
    assert any("went away" in line for line in reports.lines)


@pytest.mark.parametrize("statement", ["SELECT callrequest", "INSERT callstatus"])
def test_at_a_callback(verification: Verification, statement: str) -> None:
    call = verification.calls.get()
    CallRequest.objects.update(state="placed", claimed_at=call.created_at)
    path = f"/auth/callback/{callback_tokens.make_callback_token(call.pk)}/"
    with assert_no_secret_reported(), broken_sql(statement):
        assert post(path, form=True, id="17", number=PHONE, state=f"{GUESS} {PHONE}") == 500


def test_before_a_callback_is_read(
    verification: Verification, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Django's report would parse the body then, and a form has the number."""
    monkeypatch.setattr(callback_tokens, "parse_callback_token", fail)
    with assert_no_secret_reported():
        assert post("/auth/callback/any/", form=True, id="17", number=PHONE, state=GUESS) == 500


@pytest.mark.parametrize("action", ["do/unblock/", "", "unblock/"])
def test_at_the_pages_of_the_admin(
    verification: Verification, admin_client: Browser, action: str
) -> None:
    """Also for somebody who may see whole numbers, because the report goes to others.

    Not for a search: there the number is in the address itself.
    """
    call = verification.calls.get()
    CallRequest.objects.create(phone=PHONE, channel="voice")
    admin_client.raise_request_exception = False
    row = "" if action == "unblock/" else f"{call.pk}/"
    address = f"/admin/django_voicepassword/callrequest/{row}{action or 'change/'}"
    # The third SELECT reads the other calls of the number.
    statement, after = ("DELETE limitcounter", 0) if action else ("SELECT callrequest", 2)
    with assert_no_secret_reported(), broken_sql(statement, after=after):
        answer = (
            admin_client.post(address, {"phone": PHONE_AS_TYPED} if action == "unblock/" else {})
            if action
            else admin_client.get(address)
        )
        assert answer.status_code == 500
