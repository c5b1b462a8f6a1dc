"""Where a login leads: to ``next`` where that is safe, through every page of the way."""

from __future__ import annotations

from datetime import timedelta
from urllib.parse import quote

import pytest
from django.utils import timezone
from freezegun import freeze_time

from django_voicepassword.testing import outbox
from tests.web.person import Person

UNSAFE = [
    "https://evil.example/",
    "//evil.example/",
    "///evil.example/",
    r"\\evil.example",
    "/\\evil.example",
    "http:evil.example",
    "javascript:alert(1)",
    " https://evil.example/",
    "https://testserver@evil.example/",
    "http://testserver.evil.example/",
]


@pytest.fixture(autouse=True)
def _home(settings):
    settings.LOGIN_REDIRECT_URL = "/home/"


def log_in(person, address: str) -> str:
    """Walk from ``address`` to the login; the address one is sent to."""
    person.open(address)
    person.press("Call me", phone="+79990000001")
    person.press("Log in", code=outbox[-1].code)
    return person.hops[0]


def test_next_leads_on(person):
    assert log_in(person, "/auth/login/?next=/wanted/%3Fa%3D1%26b%3D2") == "/wanted/?a=1&b=2"


def test_without_next_the_projects_page(person):
    assert log_in(person, "/auth/login/") == "/home/"


@pytest.mark.parametrize("address", UNSAFE)
def test_an_unsafe_next_is_dropped(person, address):
    assert log_in(person, f"/auth/login/?next={quote(address)}") == "/home/"
    assert "evil" not in person.page.html


@pytest.mark.parametrize("address", UNSAFE)
@pytest.mark.parametrize("path", ["/auth/login/", "/auth/login/code/", "/auth/logout/"])
def test_an_unsafe_next_in_the_form_is_dropped(at_code, path, address):
    token = at_code.page.forms[0].fields["csrfmiddlewaretoken"]
    data = {
        "phone": "+79990000001",
        "code": outbox[-1].code,
        "next": address,
        "csrfmiddlewaretoken": token,
    }
    response = at_code.client.post(path, data)
    assert response.status_code == 302
    assert response["Location"] in ("/home/", "/auth/login/code/", "/auth/login/")


def test_an_http_next_is_not_followed_from_https(db, settings):
    settings.SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    person = Person(
        HTTP_HOST="testserver", HTTP_X_FORWARDED_PROTO="https", HTTP_REFERER="https://testserver/"
    )
    assert log_in(person, "/auth/login/?next=http://testserver/wanted/") == "/home/"


def test_next_goes_through_errors_cancel_and_resend(person):
    person.open("/auth/login/?next=/wanted/")
    person.press("Call me", phone="123")
    person.press("Call me", phone="+79990000002")
    person.press("Wrong number? Enter another one")
    person.press("Call me", phone="+79990000001")
    with freeze_time(timezone.now() + timedelta(seconds=61)):
        person.reload()
        person.press("Send the code by SMS")
        person.press("Log in", code="")
        person.press("Log in", code=outbox[-1].code)
    assert person.hops[0] == "/wanted/"


def test_next_goes_through_a_new_start(person):
    person.open("/auth/login/?next=/wanted/")
    person.press("Call me", phone="+79990000001")
    with freeze_time(timezone.now() + timedelta(seconds=301)):
        page = person.reload()
    assert page.element(href="/auth/login/?next=%2Fwanted%2F")


def test_log_out_leads_on_too(at_code):
    at_code.press("Log in", code=outbox[-1].code)
    at_code.open("/auth/logout/?next=/bye/")
    at_code.press("Log out")
    assert at_code.hops[0] == "/bye/"


def test_a_next_that_is_no_path_breaks_nothing(at_code):
    at_code.press("Log in", code=outbox[-1].code)
    at_code.open("/auth/logout/?next=bye")
    at_code.press("Log out")
    assert at_code.hops[0] == "bye"
