"""What every page guarantees: secrets, sessions, transactions, caching and markup."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth import HASH_SESSION_KEY, get_user_model
from django.contrib.auth import SESSION_KEY as USER_KEY
from django.core.signals import got_request_exception
from django.db import connection
from django.http import HttpRequest
from django.test import Client
from django.urls import resolve
from django.utils import timezone
from django.views.debug import ExceptionReporter
from freezegun import freeze_time

from django_voicepassword.accounts.confirmation import SESSION_KEY as CONFIRMED_KEY
from django_voicepassword.models import Verification
from django_voicepassword.testing import outbox
from django_voicepassword.web.session import NUMBER_KEPT_FOR, SESSION_KEY
from tests.web.page_client import Page, PageClient

PHONE = "+79990000001"
NUMBERS = ("9990000001", "999 000-00-01", "999 000 00 01")


@pytest.fixture
def pages(page_client: PageClient, configure: Callable[..., None]) -> list[Page]:
    """Every page, in every state."""
    visited = [page_client.open("/auth/login/?next=/x/")]
    visited.append(page_client.press("Call me", phone="12"))
    visited.append(page_client.press("Call me", phone="+1 201 555 0123"))
    visited.append(page_client.press("Call me", phone=PHONE))
    visited.append(page_client.press("Log in", code=""))
    visited.append(page_client.press("Log in", code=wrong_code(outbox[-1].code)))
    token = page_client.page.forms[0].fields["csrfmiddlewaretoken"]
    early = page_client.client.post(
        "/auth/login/code/resend/", {"channel": "sms", "next": "/x/", "csrfmiddlewaretoken": token}
    )
    visited.append(Page(early.content.decode()))
    with freeze_time(timezone.now() + timedelta(seconds=61)):
        visited.append(page_client.reload())
        visited.append(page_client.press("Let a robot say the code"))
    with freeze_time(timezone.now() + timedelta(seconds=301)):
        visited.append(page_client.reload())
    configure(LIMITS={"phone": ["0/h"]})
    limited = PageClient()
    limited.open("/auth/login/")
    visited.append(limited.press("Call me", phone=PHONE))
    page_client.client.force_login(get_user_model().objects.create(username="someone"))
    visited.append(page_client.open("/auth/logout/"))
    return visited


def wrong_code(code: str) -> str:
    return code[:-1] + str((int(code[-1]) + 1) % 10)


def test_no_inline_script_or_style(pages: list[Page]) -> None:
    assert len(pages) == 12
    for page in pages:
        for tag, attributes in page.elements:
            assert tag not in ("style", "base")
            assert "style" not in attributes
            assert not [name for name in attributes if name.startswith("on")]
            if tag == "script":
                assert attributes["src"] == "/static/voicepassword/voicepassword.js"


def test_no_page_loads_or_sends_to_another_site(pages: Any) -> None:
    for page in pages:
        for tag, attributes in page.elements:
            for name in ("src", "href", "action"):
                address = attributes.get(name, "/")
                assert address.startswith("/"), f"{tag} {name}={address!r} leaves this site"
                assert not address.startswith("//")


def test_every_form_carries_next(pages: list[Page]) -> None:
    for page in pages[:-2]:
        for form in page.forms:
            assert form.fields["next"] == "/x/"


def test_every_field_has_a_label(pages: Any) -> None:
    for page in pages:
        labels = {attributes.get("for") for tag, attributes in page.elements if tag == "label"}
        for tag, attributes in page.elements:
            if tag == "input" and attributes.get("type") != "hidden":
                assert attributes["id"] in labels


def test_every_id_is_unique_and_every_reference_leads_to_one(pages: Any) -> None:
    for page in pages:
        ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
        assert len(ids) == len(set(ids))
        for _, attributes in page.elements:
            for name in ("aria-describedby", "aria-labelledby"):
                for reference in attributes.get(name, "").split():
                    assert reference in ids, f"{name}={reference!r} refers to no element"


def test_every_page_has_one_heading_one_main_part_and_a_title(pages: Any) -> None:
    for page in pages:
        assert sum(tag == "h1" for tag, _ in page.elements) == 1
        assert sum(tag == "main" for tag, _ in page.elements) == 1
        assert page.title.strip()


def test_no_page_contains_a_code(pages: Any) -> None:
    codes = {sent.code for sent in outbox}
    assert codes
    # Random, the beginning of a random id, and the number as it was typed: any of them may contain
    # the four digits.
    others = {"csrfmiddlewaretoken", "verification", "phone"}
    for page in pages:
        visible = page.text + " ".join(
            " ".join(attributes.values())
            for tag, attributes in page.elements
            if tag == "input" and attributes["name"] not in others
        )
        assert not any(code in visible for code in codes)


@pytest.mark.parametrize("path", ["login/", "login/code/", "login/code/state/"])
def test_only_the_browser_that_typed_a_number_sees_it_whole(
    on_code_page: PageClient, path: str
) -> None:
    html = on_code_page.client.get(f"/auth/{path}").content.decode()
    # The script of the page needs no number.
    assert any(number in html for number in NUMBERS) is (path != "login/code/state/")
    stranger = Client().get(f"/auth/{path}", follow=True).content.decode()
    assert not any(number in stranger for number in NUMBERS)


def test_a_number_is_forgotten_soon_after_its_code_has_expired(on_code_page: PageClient) -> None:
    for seconds, is_shown in ((301, True), (300 + NUMBER_KEPT_FOR + 1, False)):
        with freeze_time(timezone.now() + timedelta(seconds=seconds)):
            page = on_code_page.open("/auth/login/")
            assert bool(page.element(name="phone").get("value")) is is_shown
            closed = on_code_page.open("/auth/login/code/")
            assert not any(number in closed.html for number in NUMBERS)


def test_a_number_that_was_proved_is_not_shown_to_whoever_comes_next(
    on_code_page: PageClient,
) -> None:
    on_code_page.press("Log in", code=outbox[-1].code)
    on_code_page.client.logout()
    assert not any(number in on_code_page.open("/auth/login/").html for number in NUMBERS)


def test_the_session_holds_the_id_alone(on_code_page: PageClient) -> None:
    key = str(Verification.objects.get().id)
    assert on_code_page.session == {SESSION_KEY: key}
    on_code_page.press("Log in", code=wrong_code(outbox[-1].code))
    assert on_code_page.session == {SESSION_KEY: key}
    on_code_page.press("Log in", code=outbox[-1].code)
    assert SESSION_KEY not in on_code_page.session
    # Four digits may well stand in the hash of the password, and in the id.
    session = {**on_code_page.session, HASH_SESSION_KEY: ""}
    assert session.pop(CONFIRMED_KEY) == key
    assert not any(number in json.dumps(session) for number in (*NUMBERS, outbox[-1].code))


def test_a_typed_code_is_not_repeated(on_code_page: PageClient) -> None:
    wrong = wrong_code(outbox[-1].code)
    page = on_code_page.press("Log in", code=wrong)
    assert page.element(name="code").get("value", "") == ""
    assert f"{wrong}" not in page.text


@pytest.mark.parametrize("phone", ["+7 999 12", "+1 201 555 0123", "8 (495) 123-45-67", PHONE])
def test_a_number_that_is_not_called_is_kept_for_correction(
    page_client: PageClient, configure: Callable[..., None], phone: str
) -> None:
    configure(LIMITS={"phone": ["0/h"]})
    page_client.open("/auth/login/")
    page = page_client.press("Call me", phone=phone)
    assert page.alerts
    assert page.element(name="phone")["value"] == phone


def test_the_session_key_changes_at_the_login(on_code_page: PageClient) -> None:
    before = on_code_page.client.session.session_key
    assert before
    on_code_page.press("Log in", code=outbox[-1].code)
    assert on_code_page.client.session.session_key != before
    assert USER_KEY in on_code_page.session
    other_client = Client()
    other_client.cookies["sessionid"] = before
    assert USER_KEY not in other_client.session


def test_a_poll_that_the_login_overtook_leaves_the_new_session_alone(
    on_code_page: PageClient,
) -> None:
    """The page polled with the old cookie; the browser has got the new one when it is answered."""
    late = Client()
    late.cookies["sessionid"] = on_code_page.client.session.session_key or ""
    on_code_page.press("Log in", code=outbox[-1].code)
    response = late.get("/auth/login/code/state/")
    assert response.status_code == 404
    assert "sessionid" not in response.cookies


@pytest.mark.parametrize("engine", ["cached_db", "signed_cookies", "cache", "file"])
def test_every_session_engine_works(settings: Any, tmp_path: Path, db: Any, engine: Any) -> None:
    settings.SESSION_ENGINE = f"django.contrib.sessions.backends.{engine}"
    settings.SESSION_FILE_PATH = str(tmp_path)
    page_client = PageClient()
    page_client.open("/auth/login/")
    page_client.press("Call me", phone=PHONE)
    page_client.press("Log in", code=outbox[-1].code)
    assert USER_KEY in page_client.session


def test_replaying_an_old_session_cookie_restores_no_attempt(settings: Any, db: Any) -> None:
    settings.SESSION_ENGINE = "django.contrib.sessions.backends.signed_cookies"
    page_client = PageClient()
    page_client.open("/auth/login/")
    page_client.press("Call me", phone=PHONE)
    old_cookie = page_client.client.cookies["sessionid"].value
    page_client.press("Log in", code=wrong_code(outbox[-1].code))
    page_client.client.cookies["sessionid"] = old_cookie
    page = page_client.press("Log in", code=wrong_code(outbox[-1].code))
    assert page.alerts == ["Wrong code. 3 attempts are left."]


PATHS = [
    "login/",
    "login/code/",
    "login/code/resend/",
    "login/code/cancel/",
    "login/code/state/",
    "logout/",
]


@pytest.mark.parametrize("path", PATHS)
def test_pages_are_never_cached(page_client: PageClient, path: Any) -> None:
    assert "no-store" in page_client.client.get(f"/auth/{path}")["Cache-Control"]


@pytest.mark.parametrize("path", PATHS)
def test_pages_are_not_atomic_and_need_no_login(path: str) -> None:
    view: Any = resolve(f"/auth/{path}").func
    assert "default" in view._non_atomic_requests
    assert view.login_required is False


@pytest.mark.django_db(transaction=True)
def test_a_guess_stays_counted_under_atomic_requests(
    settings: Any, page_client: PageClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(connection.settings_dict, "ATOMIC_REQUESTS", True)
    page_client.open("/auth/login/")
    page_client.press("Call me", phone=PHONE)
    monkeypatch.setattr("django_voicepassword.web.views.CodeView.render_error", _break)
    page_client.client.raise_request_exception = False
    token = page_client.page.forms[0].fields["csrfmiddlewaretoken"]
    response = page_client.client.post(
        "/auth/login/code/", {"code": wrong_code(outbox[-1].code), "csrfmiddlewaretoken": token}
    )
    assert response.status_code == 500
    assert Verification.objects.get().attempts == 1


def _break(*args: object) -> None:
    raise RuntimeError("the page cannot be made")


@pytest.mark.parametrize(
    "path", ["login/", "login/code/", "login/code/resend/", "login/code/cancel/", "logout/"]
)
@pytest.mark.parametrize("has_middleware", [True, False])
def test_a_form_without_its_token_is_refused(
    on_code_page: PageClient, settings: Any, path: Any, has_middleware: Any
) -> None:
    if not has_middleware:
        settings.MIDDLEWARE = [path for path in settings.MIDDLEWARE if "Csrf" not in path]
        on_code_page.client.handler.load_middleware()
    data = {"phone": "+79990000002", "code": outbox[-1].code, "channel": "voice"}
    assert on_code_page.client.post(f"/auth/{path}", data).status_code == 403
    assert len(outbox) == 1
    assert Verification.objects.get().status == Verification.Status.PENDING


@pytest.mark.parametrize(
    ("broken", "path", "secret"),
    [
        ("django_voicepassword.verifications.start", "/auth/login/", "9990000002"),
        ("django_voicepassword.phones.normalize", "/auth/login/", "9990000002"),
        (
            "django_voicepassword.accounts.login.authenticate_phone",
            "/auth/login/code/",
            "code-of-six",
        ),
    ],
)
def test_an_error_report_contains_neither_phone_nor_code(
    on_code_page: PageClient,
    monkeypatch: pytest.MonkeyPatch,
    settings: Any,
    broken: Any,
    path: Any,
    secret: Any,
) -> None:
    reports: list[str] = []

    def report(sender: object, request: HttpRequest, **kwargs: object) -> None:
        reports.append(ExceptionReporter(request, *sys.exc_info()).get_traceback_html())

    settings.DEBUG = False
    token = on_code_page.page.forms[0].fields["csrfmiddlewaretoken"]
    on_code_page.client.raise_request_exception = False
    monkeypatch.setattr(broken, None)
    got_request_exception.connect(report)
    try:
        data = {"phone": "+79990000002", "code": "code-of-six", "csrfmiddlewaretoken": token}
        assert on_code_page.client.post(path, data).status_code == 500
    finally:
        got_request_exception.disconnect(report)
    assert len(reports) == 1
    assert "callable" in reports[0]
    assert secret not in reports[0]


def test_login_required_middleware_exempts_the_pages(
    page_client: PageClient, settings: Any
) -> None:
    settings.MIDDLEWARE = [
        *settings.MIDDLEWARE,
        "django.contrib.auth.middleware.LoginRequiredMiddleware",
    ]
    page_client.open("/auth/login/")
    page_client.press("Call me", phone=PHONE)
    page_client.press("Log in", code=outbox[-1].code)
    assert USER_KEY in page_client.session


def test_a_project_replaces_the_base_template(
    page_client: PageClient, settings: Any, tmp_path: Path
) -> None:
    (tmp_path / "voicepassword").mkdir()
    (tmp_path / "voicepassword" / "base.html").write_text(
        "<b>mine</b>{% block content %}{% endblock %}"
    )
    settings.TEMPLATES = [{**settings.TEMPLATES[0], "DIRS": [str(tmp_path)]}]
    response = page_client.client.get("/auth/login/")
    assert b"<b>mine</b>" in response.content
    assert b'name="phone"' in response.content


def test_a_replaced_base_template_may_extend_the_original(
    page_client: PageClient, settings: Any, tmp_path: Path
) -> None:
    (tmp_path / "voicepassword").mkdir()
    (tmp_path / "voicepassword" / "base.html").write_text(
        '{% extends "voicepassword/base.html" %}{% block header %}<b>mine</b>{% endblock %}'
    )
    settings.TEMPLATES = [{**settings.TEMPLATES[0], "DIRS": [str(tmp_path)]}]
    html = page_client.client.get("/auth/login/").content
    assert (
        html.index(b"voicepassword.css") < html.index(b"<b>mine</b>") < html.index(b'name="phone"')
    )
