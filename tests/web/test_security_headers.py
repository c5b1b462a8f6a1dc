"""The pages send headers that protect them, and work under them in Chromium."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import django
import pytest
from django.conf import settings as django_settings
from django.test import Client
from django.urls import reverse
from playwright.sync_api import Browser, expect
from pytest_django.live_server_helper import LiveServer

from django_voicepassword.testing import outbox
from tests.browser_visits import Visit, visits
from tests.web.csp_middleware import POLICY as PROJECT_POLICY
from tests.web.test_browser import console_problems, give_phone, wrong_code

pytestmark = pytest.mark.any_database

CSP = "Content-Security-Policy"
#: The policy of a page that uses a template of the project.
FRAMING = "object-src 'none'; frame-ancestors 'none'"
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "connect-src 'self'; base-uri 'none'; frame-ancestors 'none'"
)
PAGES = ["login", "code", "resend", "cancel", "state", "confirm", "logout"]


def header(client: Client, name: str = "login", header: str = CSP) -> str | None:
    return client.get(reverse(f"voicepassword:{name}")).headers.get(header)


@pytest.mark.django_db
@pytest.mark.parametrize("is_logged_in", [False, True])
def test_every_answer_of_the_pages_has_the_headers(
    client: Client, django_user_model: Any, is_logged_in: bool
) -> None:
    if is_logged_in:
        client.force_login(django_user_model.objects.create_user("anna"))
    else:
        client.post("/auth/login/", {"phone": "+7 999 000-00-01"})
    for name in PAGES:
        answers = [client.get(reverse(f"voicepassword:{name}"))]
        answers.append(client.post(reverse(f"voicepassword:{name}"), {"code": "x", "phone": "x"}))
        for answer in answers:
            assert answer.headers[CSP] == POLICY, name
            assert answer.headers["X-Frame-Options"] == "DENY", name
            assert answer.headers["Referrer-Policy"] == "same-origin", name


@pytest.mark.django_db
def test_a_page_may_be_framed_where_the_project_says_so(client: Client, settings: Any) -> None:
    settings.X_FRAME_OPTIONS = "SAMEORIGIN"
    assert header(client, header="X-Frame-Options") == "SAMEORIGIN"
    assert header(client) == POLICY.replace("frame-ancestors 'none'", "frame-ancestors 'self'")


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("address", "host"),
    [
        ("https://cdn.example.org/static/", "https://cdn.example.org"),
        ("//cdn.example.org/static/", "cdn.example.org"),
    ],
)
def test_static_files_on_another_host_are_allowed(
    client: Client, settings: Any, address: str, host: str
) -> None:
    settings.STATIC_URL = address
    policy = header(client)
    assert policy is not None
    assert policy.startswith(
        f"default-src 'none'; script-src 'self' {host}; style-src 'self' {host};"
    )


@pytest.mark.django_db
@pytest.mark.parametrize("name", ["base.html", "icon.html", "login.html"])
def test_a_template_of_the_project_may_load_what_it_likes(
    client: Client, settings: Any, tmp_path: Path, name: str
) -> None:
    (tmp_path / "voicepassword").mkdir()
    (tmp_path / "voicepassword" / name).write_text("<script>mine()</script>")
    settings.TEMPLATES = [{**django_settings.TEMPLATES[0], "DIRS": [tmp_path]}]
    assert header(client) == FRAMING
    # The page of another template has the whole policy.
    assert header(client, "state") == (POLICY if name == "login.html" else FRAMING)


@pytest.mark.django_db
@pytest.mark.parametrize("name", ["consent.html", "other_ways.html"])
def test_a_text_of_the_project_keeps_the_policy(
    client: Client, settings: Any, tmp_path: Path, name: str
) -> None:
    (tmp_path / "voicepassword").mkdir()
    (tmp_path / "voicepassword" / name).write_text("<a href=/terms/>Mine</a>")
    settings.TEMPLATES = [{**django_settings.TEMPLATES[0], "DIRS": [tmp_path]}]
    assert b"Mine" in client.get("/auth/login/").content
    assert header(client) == POLICY


@pytest.mark.django_db
def test_the_policy_of_a_middleware_of_the_project_wins(client: Client, settings: Any) -> None:
    settings.MIDDLEWARE = ["tests.web.csp_middleware.CSPMiddleware", *settings.MIDDLEWARE]
    assert header(client) == PROJECT_POLICY
    assert header(client, header="X-Frame-Options") == "DENY"


@pytest.mark.django_db
@pytest.mark.skipif(django.VERSION < (6,), reason="Django 6 has a middleware for it")
def test_the_policy_of_django_wins(client: Client, settings: Any) -> None:
    settings.MIDDLEWARE = [
        "django.middleware.csp.ContentSecurityPolicyMiddleware",
        *settings.MIDDLEWARE,
    ]
    settings.SECURE_CSP = {"default-src": ["'self'", "https://cdn.example.org"]}
    assert header(client) == PROJECT_POLICY


@pytest.fixture(scope="module")
def server(django_db_setup: None) -> Iterator[LiveServer]:
    """A site without any policy of its own."""
    server = LiveServer("localhost")
    yield server
    server.stop()


@pytest.fixture
def visit(browser: Browser, server: LiveServer) -> Iterator[Visit]:
    """Fails where Chromium says that a page breaks its policy."""
    with visits(browser, server.url, POLICY, console_problems) as open_page:
        yield open_page


@pytest.mark.browser
@pytest.mark.django_db(transaction=True)
def test_a_login_works_under_the_policy_and_may_end_on_another_site(
    visit: Visit, server: LiveServer, settings: Any
) -> None:
    # For the browser, 127.0.0.1 is another site than localhost.
    other_site = server.url.replace("localhost", "127.0.0.1")
    settings.LOGIN_REDIRECT_URL = f"{other_site}/auth/login/"
    page = visit("/auth/login/")
    code = give_phone(page)
    # The stylesheet and the script are loaded, and the script may ask for the state.
    assert page.evaluate("document.styleSheets[0].cssRules.length") > 10
    with page.expect_response("**/login/code/state/") as state:
        pass
    assert state.value.status == 200
    page.get_by_label("Code").fill(wrong_code(code))
    expect(page.get_by_role("alert").first).to_contain_text("Wrong code")
    page.get_by_label("Code").fill(code)
    page.wait_for_url(f"{other_site}/**")
    assert len(outbox) == 1


@pytest.mark.browser
@pytest.mark.django_db(transaction=True)
def test_another_site_cannot_frame_a_page(browser: Browser, server: LiveServer) -> None:
    page = browser.new_page()
    page.goto(f"{server.url.replace('localhost', '127.0.0.1')}/static/none")
    page.set_content(f'<iframe src="{server.url}/auth/login/"></iframe>')
    page.wait_for_timeout(300)
    assert "Phone number" not in page.frames[-1].content()
    page.close()
