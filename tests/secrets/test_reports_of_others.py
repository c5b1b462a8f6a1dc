"""A template, a serializer, a receiver, a hook of the project breaks, or an error of ours is caught
by nobody.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from django.dispatch import Signal

from django_voicepassword import signals, verifications
from django_voicepassword.exceptions import VerificationError
from django_voicepassword.models import Verification
from django_voicepassword.security import codes
from tests.secrets.faults import GUESS, PHONE, WRITTEN, Fault, broken_sql, raising
from tests.secrets.scene import API, at_code, no_report_tells, place, post
from tests.secrets.traces import Known
from tests.secrets.walker import told

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("production")]


@pytest.fixture
def broken_pages(settings: Any, tmp_path: Path) -> None:
    """Each page of ours ends in a fault of the project's base."""
    (tmp_path / "voicepassword").mkdir()
    base = "{% block content %}{% endblock %}{% include missing|default:'no/such.html' %}"
    (tmp_path / "voicepassword" / "base.html").write_text(base)
    settings.TEMPLATES = [{**settings.TEMPLATES[0], "DIRS": [str(tmp_path)]}]


@pytest.mark.parametrize("limit", ["0/h", "3/h"])
@pytest.mark.parametrize("written", [WRITTEN, f"{WRITTEN} 99"])
def test_the_page_of_the_phone(
    broken_pages: None, configure: Callable[..., None], written: str, limit: str
) -> None:
    """Too often, or no number: the page comes again. A number that is taken leads on to the next
    page.
    """
    configure(TRANSPORT="memory", LIMITS={"phone": [limit]})
    if (written, limit) == (WRITTEN, "3/h"):
        assert post("/auth/login/", form=True, phone=written) == 302
        return
    with no_report_tells("no/such.html"):
        assert post("/auth/login/", form=True, phone=written) == 500


def test_the_page_of_the_code(verification: Verification, broken_pages: None) -> None:
    browser = at_code(verification)
    with no_report_tells("no/such.html", {codes.make(verification.id)}):
        assert browser.post("/auth/login/code/", {"code": GUESS}).status_code == 500


@pytest.mark.parametrize(
    "method", ["StartSerializer.validate", "VerificationSerializer.to_representation"]
)
def test_a_serializer_at_the_start(
    monkeypatch: pytest.MonkeyPatch, configure: Callable[..., None], method: str
) -> None:
    configure(TRANSPORT="memory")
    monkeypatch.setattr(f"django_voicepassword.api.serializers.{method}", raising)
    for form in (True, False):
        with no_report_tells():
            assert post(API, form, phone=WRITTEN) == 500


@pytest.mark.parametrize("path", ["check/", "login/"])
def test_a_serializer_at_a_guess(
    verification: Verification, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    monkeypatch.setattr("django_voicepassword.api.serializers.CheckSerializer.validate", raising)
    address = "/api/login/" if path == "login/" else f"{API}{verification.id}/check/"
    for form in (True, False):
        with no_report_tells():
            assert post(address, form, verification=str(verification.id), code=GUESS) == 500


@contextmanager
def broken(signal: Signal) -> Iterator[None]:
    signal.connect(raising)
    try:
        yield
    finally:
        signal.disconnect(raising)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("signal", [signals.call_placed, signals.call_state_changed])
def test_a_receiver_in_the_worker(
    verification: Verification, provider_makes_the_code: None, signal: Signal
) -> None:
    """It is logged, with its own variables: the row, which shows nothing."""
    with no_report_tells() as kept, broken(signal):
        place(verification)
    assert any("in Signal.send_robust()" in line for line in kept.lines)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("is_right", [True, False])
def test_a_receiver_at_a_guess(rung: Verification, is_right: bool) -> None:
    with (
        no_report_tells() as kept,
        broken(signals.phone_verified if is_right else signals.verification_failed),
    ):
        status = post(f"{API}{rung.id}/check/", code=GUESS if is_right else f"{GUESS}0")
    assert status == (200 if is_right else 400)
    assert any("in Signal.send_robust()" in line for line in kept.lines)


def test_a_hook_before_a_send(configure: Callable[..., None]) -> None:
    configure(TRANSPORT="memory", BEFORE_SEND="tests.secrets.faults.raising")
    for form in (True, False):
        with no_report_tells():
            assert post("/auth/login/" if form else API, form, phone=WRITTEN) == 500


@pytest.mark.parametrize("hook", ["LOGIN", "create_user"])
def test_a_hook_at_the_login(
    rung: Verification, settings: Any, configure: Callable[..., None], hook: str
) -> None:
    if hook == "LOGIN":
        configure(LOGIN="tests.secrets.faults.raising")
    else:
        settings.AUTHENTICATION_BACKENDS = ["tests.secrets.faults.BackendThatBreaks"]
    with no_report_tells():
        assert post("/api/login/", verification=str(rung.id), code=GUESS) == 500


@pytest.mark.parametrize(
    "rule",
    [{"LIMITS": {"phone": ["0/h"]}}, {"ALLOWED_PREFIXES": ["1"]}, {"CHANNELS": ["voice"]}, {}],
)
def test_an_error_of_ours_that_nobody_caught(
    configure: Callable[..., None], rule: dict[str, Any]
) -> None:
    """As where a project calls us and forgets to."""
    configure(TRANSPORT="memory", **rule)
    with pytest.raises(VerificationError) as caught:
        verifications.start(WRITTEN if rule else f"{WRITTEN} 99", channel="flashcall")
    assert Known(phones={PHONE[1:]}).find(told(caught.value)) == []


def test_a_wrong_guess_that_nobody_caught(verification: Verification) -> None:
    with pytest.raises(VerificationError) as caught:
        verifications.check(verification.id, GUESS)
    assert Known({GUESS}, phones={PHONE[1:]}).find(told(caught.value)) == []


def test_under_debug_the_developer_sees_everything(settings: Any) -> None:
    """And so do these tests: what they search for is found where it is."""
    settings.DEBUG = True
    with pytest.raises(Fault) as caught, broken_sql("INSERT verification"):
        verifications.start(WRITTEN)
    assert Known(phones={PHONE[1:]}).find(told(caught.value))
