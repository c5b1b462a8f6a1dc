"""Where a login leads: to ``next`` where that is safe, through every page of the way."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from urllib.parse import quote

import pytest
from django.utils import timezone
from freezegun import freeze_time

from django_voicepassword.testing import outbox
from tests.web.page_client import PageClient

pytestmark = pytest.mark.any_database

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
def _login_redirect_url(settings: Any) -> None:
    settings.LOGIN_REDIRECT_URL = "/home/"


def log_in(page_client: PageClient, address: str) -> str:
    """Log in from ``address`` on; return where the login redirects."""
    page_client.open(address)
    page_client.press("Call me", phone="+79990000001")
    page_client.press("Log in", code=outbox[-1].code)
    return page_client.redirects[0]


def test_next_is_followed(page_client: PageClient) -> None:
    assert log_in(page_client, "/auth/login/?next=/wanted/%3Fa%3D1%26b%3D2") == "/wanted/?a=1&b=2"


def test_without_next_login_redirect_url_is_followed(page_client: PageClient) -> None:
    assert log_in(page_client, "/auth/login/") == "/home/"


@pytest.mark.parametrize("address", UNSAFE)
def test_an_unsafe_next_is_dropped(page_client: PageClient, address: Any) -> None:
    assert log_in(page_client, f"/auth/login/?next={quote(address)}") == "/home/"
    assert "evil" not in page_client.page.html


@pytest.mark.parametrize("address", UNSAFE)
@pytest.mark.parametrize("path", ["/auth/login/", "/auth/login/code/", "/auth/logout/"])
def test_an_unsafe_next_in_the_form_is_dropped(
    on_code_page: PageClient, path: Any, address: Any
) -> None:
    token = on_code_page.page.forms[0].fields["csrfmiddlewaretoken"]
    data = {
        "phone": "+79990000001",
        "code": outbox[-1].code,
        "next": address,
        "csrfmiddlewaretoken": token,
    }
    response = on_code_page.client.post(path, data)
    assert response.status_code == 302
    assert response["Location"] in ("/home/", "/auth/login/code/", "/auth/login/")


def test_an_http_next_is_not_followed_from_https(db: None, settings: Any) -> None:
    settings.SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    page_client = PageClient(
        HTTP_HOST="testserver", HTTP_X_FORWARDED_PROTO="https", HTTP_REFERER="https://testserver/"
    )
    assert log_in(page_client, "/auth/login/?next=http://testserver/wanted/") == "/home/"


def test_next_survives_errors_cancel_and_resend(page_client: PageClient) -> None:
    page_client.open("/auth/login/?next=/wanted/")
    page_client.press("Call me", phone="123")
    page_client.press("Call me", phone="+79990000002")
    page_client.press("Change the number")
    page_client.press("Call me", phone="+79990000001")
    with freeze_time(timezone.now() + timedelta(seconds=61)):
        page_client.reload()
        page_client.press("Send the code by SMS")
        page_client.press("Log in", code="")
        page_client.press("Log in", code=outbox[-1].code)
    assert page_client.redirects[0] == "/wanted/"


def test_next_survives_a_new_start(page_client: PageClient) -> None:
    page_client.open("/auth/login/?next=/wanted/")
    page_client.press("Call me", phone="+79990000001")
    with freeze_time(timezone.now() + timedelta(seconds=301)):
        page = page_client.reload()
    assert page.element(href="/auth/login/?next=%2Fwanted%2F")


def test_logout_follows_next_too(on_code_page: PageClient) -> None:
    on_code_page.press("Log in", code=outbox[-1].code)
    on_code_page.open("/auth/logout/?next=/bye/")
    on_code_page.press("Log out")
    assert on_code_page.redirects[0] == "/bye/"


def test_a_relative_next_is_followed(on_code_page: PageClient) -> None:
    on_code_page.press("Log in", code=outbox[-1].code)
    on_code_page.open("/auth/logout/?next=bye")
    on_code_page.press("Log out")
    assert on_code_page.redirects[0] == "bye"
