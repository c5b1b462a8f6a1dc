"""What the pages promise beside their way: secrets, sessions, transactions, caches, markup."""

from __future__ import annotations

import json
import sys
from datetime import timedelta

import pytest
from django.contrib.auth import SESSION_KEY as USER_KEY
from django.contrib.auth import get_user_model
from django.core.signals import got_request_exception
from django.db import connection
from django.http import HttpRequest
from django.test import Client
from django.urls import resolve
from django.utils import timezone
from django.views.debug import ExceptionReporter
from freezegun import freeze_time

from django_voicepassword.models import Verification
from django_voicepassword.testing import outbox
from django_voicepassword.web.session import SESSION_KEY
from tests.web.person import Page, Person

PHONE = "+79990000001"
NUMBERS = ("9990000001", "999 000-00-01", "999 000 00 01")


@pytest.fixture
def pages(person, configure) -> list[Page]:
    """Every page that there is, in every state."""
    seen = [person.open("/auth/login/?next=/x/")]
    seen.append(person.press("Call me", phone="12"))
    seen.append(person.press("Call me", phone="+1 201 555 0123"))
    seen.append(person.press("Call me", phone=PHONE))
    seen.append(person.press("Log in", code=""))
    seen.append(person.press("Log in", code=other_than(outbox[-1].code)))
    token = person.page.forms[0].fields["csrfmiddlewaretoken"]
    early = person.client.post(
        "/auth/login/code/resend/", {"channel": "sms", "next": "/x/", "csrfmiddlewaretoken": token}
    )
    seen.append(Page(early.content.decode()))
    with freeze_time(timezone.now() + timedelta(seconds=61)):
        seen.append(person.reload())
        seen.append(person.press("Let a robot say the code"))
    with freeze_time(timezone.now() + timedelta(seconds=301)):
        seen.append(person.reload())
    configure(LIMITS={"phone": ["0/h"]})
    limited = Person()
    limited.open("/auth/login/")
    seen.append(limited.press("Call me", phone=PHONE))
    person.client.force_login(get_user_model().objects.create(username="someone"))
    seen.append(person.open("/auth/logout/"))
    return seen


def other_than(code: str) -> str:
    return code[:-1] + str((int(code[-1]) + 1) % 10)


def test_no_inline_script_or_style(pages):
    assert len(pages) == 12
    for page in pages:
        for tag, attributes in page.elements:
            assert tag != "style"
            assert tag != "base"
            assert "style" not in attributes
            assert not [name for name in attributes if name.startswith("on")]
            for name in ("src", "href", "action"):
                address = attributes.get(name, "/")
                assert address.startswith("/"), f"{tag} {name}={address!r} leaves this site"
                assert not address.startswith("//")
            if tag == "script":
                assert attributes["src"] == "/static/voicepassword/voicepassword.js"
        assert not any(
            tag == "script" and "src" not in attributes for tag, attributes in page.elements
        )


def test_every_form_carries_next(pages):
    for page in pages[:-2]:
        for form in page.forms:
            assert form.fields["next"] == "/x/"


def test_every_field_has_a_label_and_every_id_is_one(pages):
    for page in pages:
        ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
        assert len(ids) == len(set(ids))
        labels = {attributes.get("for") for tag, attributes in page.elements if tag == "label"}
        for tag, attributes in page.elements:
            if tag == "input" and attributes.get("type") != "hidden":
                assert attributes["id"] in labels
            for name in ("aria-describedby", "aria-labelledby"):
                for wanted in attributes.get(name, "").split():
                    assert wanted in ids, f"{name}={wanted!r} leads nowhere"
        assert sum(tag == "h1" for tag, _ in page.elements) == 1
        assert sum(tag == "main" for tag, _ in page.elements) == 1
        assert page.title.strip()


def test_no_page_holds_a_code_or_a_whole_number(pages):
    codes = {sent.code for sent in outbox}
    assert codes
    for page in pages:
        assert not any(number in page.html for number in NUMBERS)
        shown = page.text + " ".join(
            " ".join(attributes.values())
            for tag, attributes in page.elements
            if tag == "input" and attributes["name"] != "csrfmiddlewaretoken"
        )
        assert not any(code in shown for code in codes)


def test_the_session_holds_the_id_alone(at_code):
    key = str(Verification.objects.get().id)
    assert at_code.session == {SESSION_KEY: key}
    at_code.press("Log in", code=other_than(outbox[-1].code))
    assert at_code.session == {SESSION_KEY: key}
    at_code.press("Log in", code=outbox[-1].code)
    assert SESSION_KEY not in at_code.session
    assert not any(number in json.dumps(at_code.session) for number in (*NUMBERS, outbox[-1].code))


def test_a_typed_code_and_number_do_not_come_back(at_code):
    wrong = other_than(outbox[-1].code)
    page = at_code.press("Log in", code=wrong)
    assert page.element(name="code").get("value", "") == ""
    assert f"{wrong}" not in page.text


def test_a_mistyped_number_comes_back_to_be_mended(person):
    person.open("/auth/login/")
    page = person.press("Call me", phone="+7 999 12")
    assert page.element(name="phone")["value"] == "+7 999 12"


def test_the_session_key_changes_at_the_login(at_code):
    before = at_code.client.session.session_key
    at_code.press("Log in", code=outbox[-1].code)
    assert at_code.client.session.session_key != before
    assert USER_KEY in at_code.session
    planted = Client()
    planted.cookies["sessionid"] = before
    assert USER_KEY not in planted.session


@pytest.mark.parametrize("engine", ["cached_db", "signed_cookies", "cache", "file"])
def test_any_session_engine_will_do(settings, tmp_path, db, engine):
    settings.SESSION_ENGINE = f"django.contrib.sessions.backends.{engine}"
    settings.SESSION_FILE_PATH = str(tmp_path)
    person = Person()
    person.open("/auth/login/")
    person.press("Call me", phone=PHONE)
    person.press("Log in", code=outbox[-1].code)
    assert USER_KEY in person.session


def test_an_old_cookie_session_gives_no_attempt_back(settings, db):
    settings.SESSION_ENGINE = "django.contrib.sessions.backends.signed_cookies"
    person = Person()
    person.open("/auth/login/")
    person.press("Call me", phone=PHONE)
    kept = person.client.cookies["sessionid"].value
    person.press("Log in", code=other_than(outbox[-1].code))
    person.client.cookies["sessionid"] = kept
    page = person.press("Log in", code=other_than(outbox[-1].code))
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
def test_pages_are_never_cached(person, path):
    assert "no-store" in person.client.get(f"/auth/{path}")["Cache-Control"]


@pytest.mark.parametrize("path", PATHS)
def test_pages_are_not_atomic_and_need_no_login(path):
    view = resolve(f"/auth/{path}").func
    assert "default" in view._non_atomic_requests
    assert view.login_required is False


@pytest.mark.django_db(transaction=True)
def test_a_guess_stays_counted_under_atomic_requests(settings, person, monkeypatch):
    monkeypatch.setitem(connection.settings_dict, "ATOMIC_REQUESTS", True)
    person.open("/auth/login/")
    person.press("Call me", phone=PHONE)
    monkeypatch.setattr("django_voicepassword.web.views.CodeView.render_error", _break)
    person.client.raise_request_exception = False
    token = person.page.forms[0].fields["csrfmiddlewaretoken"]
    response = person.client.post(
        "/auth/login/code/", {"code": other_than(outbox[-1].code), "csrfmiddlewaretoken": token}
    )
    assert response.status_code == 500
    assert Verification.objects.get().attempts == 1


def _break(*args: object) -> None:
    raise RuntimeError("the page cannot be made")


@pytest.mark.parametrize(
    "path", ["login/", "login/code/", "login/code/resend/", "login/code/cancel/", "logout/"]
)
@pytest.mark.parametrize("has_middleware", [True, False])
def test_a_form_without_its_token_is_refused(at_code, settings, path, has_middleware):
    if not has_middleware:
        settings.MIDDLEWARE = [one for one in settings.MIDDLEWARE if "Csrf" not in one]
        at_code.client.handler.load_middleware()
    data = {"phone": "+79990000002", "code": outbox[-1].code, "channel": "voice"}
    assert at_code.client.post(f"/auth/{path}", data).status_code == 403
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
def test_an_error_report_tells_neither_phone_nor_code(
    at_code, monkeypatch, settings, broken, path, secret
):
    reports: list[str] = []

    def report(sender: object, request: HttpRequest, **kwargs: object) -> None:
        reports.append(ExceptionReporter(request, *sys.exc_info()).get_traceback_html())

    settings.DEBUG = False
    token = at_code.page.forms[0].fields["csrfmiddlewaretoken"]
    at_code.client.raise_request_exception = False
    monkeypatch.setattr(broken, None)
    got_request_exception.connect(report)
    try:
        data = {"phone": "+79990000002", "code": "code-of-six", "csrfmiddlewaretoken": token}
        assert at_code.client.post(path, data).status_code == 500
    finally:
        got_request_exception.disconnect(report)
    assert len(reports) == 1
    assert "is not callable" in reports[0]
    assert secret not in reports[0]


def test_login_required_middleware_lets_the_pages_through(person, settings):
    settings.MIDDLEWARE = [
        *settings.MIDDLEWARE,
        "django.contrib.auth.middleware.LoginRequiredMiddleware",
    ]
    person.open("/auth/login/")
    person.press("Call me", phone=PHONE)
    person.press("Log in", code=outbox[-1].code)
    assert USER_KEY in person.session


def test_a_project_restyles_by_its_own_base(person, settings, tmp_path):
    (tmp_path / "voicepassword").mkdir()
    (tmp_path / "voicepassword" / "base.html").write_text(
        "<b>mine</b>{% block content %}{% endblock %}"
    )
    settings.TEMPLATES = [{**settings.TEMPLATES[0], "DIRS": [str(tmp_path)]}]
    response = person.client.get("/auth/login/")
    assert b"<b>mine</b>" in response.content
    assert b'name="phone"' in response.content


def test_a_base_may_extend_the_one_it_stands_in_front_of(person, settings, tmp_path):
    (tmp_path / "voicepassword").mkdir()
    (tmp_path / "voicepassword" / "base.html").write_text(
        '{% extends "voicepassword/base.html" %}{% block header %}<b>mine</b>{% endblock %}'
    )
    settings.TEMPLATES = [{**settings.TEMPLATES[0], "DIRS": [str(tmp_path)]}]
    html = person.client.get("/auth/login/").content
    assert (
        html.index(b"voicepassword.css") < html.index(b"<b>mine</b>") < html.index(b'name="phone"')
    )
