"""The project's templates, receivers and hooks fail, or it does not catch an error of the app."""

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
from tests.secrets.actions import API, client_at_code_page, place_call, post
from tests.secrets.assertions import assert_no_secret_reported
from tests.secrets.error_tracker import report_text
from tests.secrets.faults import GUESS, PHONE, PHONE_AS_TYPED, Fault, broken_sql, fail
from tests.secrets.secret_search import Secrets

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("production")]


@pytest.fixture
def broken_pages(settings: Any, tmp_path: Path) -> None:
    """Rendering any page of the app fails in the project's base template."""
    (tmp_path / "voicepassword").mkdir()
    base = "{% block content %}{% endblock %}{% include missing|default:'no/such.html' %}"
    (tmp_path / "voicepassword" / "base.html").write_text(base)
    settings.TEMPLATES = [{**settings.TEMPLATES[0], "DIRS": [str(tmp_path)]}]


@pytest.mark.parametrize("limit", ["0/h", "3/h"])
@pytest.mark.parametrize("written", [PHONE_AS_TYPED, f"{PHONE_AS_TYPED} 99"])
def test_the_page_of_the_phone(
    broken_pages: None, configure: Callable[..., None], written: str, limit: str
) -> None:
    """The page is rendered again after a limit or an invalid number.

    An accepted number redirects without rendering.
    """
    configure(TRANSPORT="memory", LIMITS={"phone": [limit]})
    if (written, limit) == (PHONE_AS_TYPED, "3/h"):
        assert post("/auth/login/", form=True, phone=written) == 302
        return
    with assert_no_secret_reported("no/such.html"):
        assert post("/auth/login/", form=True, phone=written) == 500


def test_the_page_of_the_code(verification: Verification, broken_pages: None) -> None:
    browser = client_at_code_page(verification)
    with assert_no_secret_reported("no/such.html", {codes.make(verification.id)}):
        assert browser.post("/auth/login/code/", {"code": GUESS}).status_code == 500


@pytest.mark.parametrize(
    "method", ["StartSerializer.validate", "VerificationSerializer.to_representation"]
)
def test_a_serializer_at_the_start(
    monkeypatch: pytest.MonkeyPatch, configure: Callable[..., None], method: str
) -> None:
    configure(TRANSPORT="memory")
    monkeypatch.setattr(f"django_voicepassword.api.serializers.{method}", fail)
    for form in (True, False):
        with assert_no_secret_reported():
            assert post(API, form, phone=PHONE_AS_TYPED) == 500


@pytest.mark.parametrize("path", ["check/", "login/"])
def test_a_serializer_at_a_guess(
    verification: Verification, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    monkeypatch.setattr("django_voicepassword.api.serializers.CheckSerializer.validate", fail)
    address = "/api/login/" if path == "login/" else f"{API}{verification.id}/check/"
    for form in (True, False):
        with assert_no_secret_reported():
            assert post(address, form, verification=str(verification.id), code=GUESS) == 500


@contextmanager
def failing_receiver(signal: Signal) -> Iterator[None]:
    signal.connect(fail)
    try:
        yield
    finally:
        signal.disconnect(fail)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("signal", [signals.call_placed, signals.call_state_changed])
def test_a_receiver_in_the_worker(
    verification: Verification, provider_code: None, signal: Signal
) -> None:
    """It is logged with its variables: the row, whose repr has no secret."""
    with assert_no_secret_reported() as reports, failing_receiver(signal):
        place_call(verification)
    assert any("in Signal.send_robust()" in line for line in reports.lines)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("is_right", [True, False])
def test_a_receiver_at_a_guess(called_verification: Verification, is_right: bool) -> None:
    if not is_right:
        other = codes.digest(called_verification.id, PHONE, GUESS[::-1])
        called_verification.calls.update(code_digest=other)
    with (
        assert_no_secret_reported() as reports,
        failing_receiver(signals.phone_verified if is_right else signals.verification_failed),
    ):
        status = post(f"{API}{called_verification.id}/check/", code=GUESS)
    assert status == (200 if is_right else 400)
    assert any("in Signal.send_robust()" in line for line in reports.lines)


def test_a_hook_before_a_send(configure: Callable[..., None]) -> None:
    configure(TRANSPORT="memory", BEFORE_SEND="tests.secrets.faults.fail")
    for form in (True, False):
        with assert_no_secret_reported():
            assert post("/auth/login/" if form else API, form, phone=PHONE_AS_TYPED) == 500


@pytest.mark.parametrize("hook", ["LOGIN", "create_user"])
def test_a_hook_at_the_login(
    called_verification: Verification, settings: Any, configure: Callable[..., None], hook: str
) -> None:
    if hook == "LOGIN":
        configure(LOGIN="tests.secrets.faults.fail")
    else:
        settings.AUTHENTICATION_BACKENDS = ["tests.secrets.faults.BrokenBackend"]
    with assert_no_secret_reported():
        status = post("/api/login/", verification=str(called_verification.id), code=GUESS)
    # A user who cannot be created is refused like an unknown one.
    assert status == (500 if hook == "LOGIN" else 403)


@pytest.mark.parametrize(
    "rule",
    [{"LIMITS": {"phone": ["0/h"]}}, {"ALLOWED_PREFIXES": ["1"]}, {"CHANNELS": ["voice"]}, {}],
)
def test_an_error_of_the_app_that_nobody_caught(
    configure: Callable[..., None], rule: dict[str, Any]
) -> None:
    """As when a project calls the app and forgets the ``except`` clause."""
    configure(TRANSPORT="memory", **rule)
    with pytest.raises(VerificationError) as caught:
        verifications.start(PHONE_AS_TYPED if rule else f"{PHONE_AS_TYPED} 99", channel="flashcall")
    assert Secrets(phones={PHONE[1:]}).find(report_text(caught.value)) == []


def test_a_wrong_guess_that_nobody_caught(verification: Verification) -> None:
    with pytest.raises(VerificationError) as caught:
        verifications.check(verification.id, GUESS)
    assert Secrets({GUESS}, phones={PHONE[1:]}).find(report_text(caught.value)) == []


def test_under_debug_the_developer_sees_everything(settings: Any) -> None:
    """It also shows that the search of these tests can find the number."""
    settings.DEBUG = True
    with pytest.raises(Fault) as caught, broken_sql("INSERT verification"):
        verifications.start(PHONE_AS_TYPED)
    assert Secrets(phones={PHONE[1:]}).find(report_text(caught.value))
