"""Reload, back button and double submit make no second call; another number does."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connections
from django.test import Client
from django.utils import timezone
from freezegun import freeze_time

from django_voicepassword.models import Verification
from django_voicepassword.testing import outbox
from django_voicepassword.web import session
from tests.ports import closed_port
from tests.web.gate import Gate
from tests.web.page_client import PageClient

PHONE = "+79990000001"


def test_a_reload_makes_no_call(on_code_page: PageClient) -> None:
    for _ in range(3):
        on_code_page.reload()
    assert len(outbox) == 1


def test_going_back_and_submitting_the_same_phone_makes_no_call(on_code_page: PageClient) -> None:
    on_code_page.open("/auth/login/")
    on_code_page.press("Call me", phone="8 999 000-00-01")
    assert on_code_page.path == "/auth/login/code/"
    assert len(outbox) == 1
    assert Verification.objects.count() == 1
    on_code_page.press("Log in", code=outbox[0].code)
    assert "_auth_user_id" in on_code_page.session


def test_submitting_the_same_form_again_makes_no_call(page_client: PageClient) -> None:
    page = page_client.open("/auth/login/")
    for _ in range(3):
        page_client.page, page_client.path = page, "/auth/login/"
        page_client.press("Call me", phone=PHONE)
    assert len(outbox) == 1


def test_submitting_the_form_again_before_an_answer_makes_no_call(page_client: PageClient) -> None:
    """The second submit has no session cookie, which only the first answer would have set."""
    token = page_client.open("/auth/login/").forms[0].fields["csrfmiddlewaretoken"]
    cookie = page_client.client.cookies["csrftoken"].value
    ids = set()
    for _ in range(3):
        client = Client(enforce_csrf_checks=True)
        client.cookies["csrftoken"] = cookie
        response = client.post("/auth/login/", {"phone": PHONE, "csrfmiddlewaretoken": token})
        assert response["Location"] == "/auth/login/code/"
        ids.add(client.session[session.SESSION_KEY])
    assert len(ids) == 1
    assert len(outbox) == 1


def test_another_browser_gets_another_verification(
    page_client: PageClient, on_code_page: PageClient
) -> None:
    other_browser = PageClient()
    other_browser.open("/auth/login/")
    other_browser.press("Call me", phone=PHONE)
    assert other_browser.session[session.SESSION_KEY] != on_code_page.session[session.SESSION_KEY]
    assert len(outbox) == 2


def test_another_phone_starts_a_verification_and_cancels_the_first(
    on_code_page: PageClient,
) -> None:
    on_code_page.open("/auth/login/")
    on_code_page.press("Call me", phone="+79990000002")
    assert [sent.number[-1] for sent in outbox] == ["1", "2"]
    assert set(Verification.objects.values_list("phone", "status")) == {
        ("79990000001", "canceled"),
        ("79990000002", "pending"),
    }


def test_after_the_expiry_the_same_phone_is_called_again(on_code_page: PageClient) -> None:
    with freeze_time(timezone.now() + timedelta(seconds=301)):
        on_code_page.open("/auth/login/")
        on_code_page.press("Call me", phone=PHONE)
    assert len(outbox) == 2


@pytest.mark.django_db(transaction=True)
def test_two_simultaneous_submits_make_one_call(
    page_client: PageClient, configure: Callable[..., None]
) -> None:
    configure(BEFORE_SEND="tests.web.gate.wait_at_gate")
    Gate.close()
    token = page_client.open("/auth/login/").forms[0].fields["csrfmiddlewaretoken"]
    responses: list[tuple[int, str, str]] = []

    def submit() -> None:
        client = Client(enforce_csrf_checks=True)
        client.cookies["csrftoken"] = page_client.client.cookies["csrftoken"].value
        response = client.post("/auth/login/", {"phone": PHONE, "csrfmiddlewaretoken": token})
        responses.append(
            (response.status_code, response["Location"], client.session[session.SESSION_KEY])
        )
        connections.close_all()

    first, second = threading.Thread(target=submit), threading.Thread(target=submit)
    first.start()
    assert Gate.entered.wait(10)
    second.start()
    Gate.opened.set()
    first.join(10)
    second.join(10)
    assert len(responses) == 2
    assert len(set(responses)) == 1
    assert responses[0][:2] == (302, "/auth/login/code/")
    assert len(outbox) == 1


def test_a_number_that_was_confirmed_a_moment_ago_is_called_again(
    page_client: PageClient, django_user_model: Any
) -> None:
    """The session forgets the first verification, and the second submit has the same cookie."""
    page_client.client.force_login(django_user_model.objects.create(username="anna"))
    for number in range(3):
        page_client.open("/auth/confirm/")
        page_client.press("Call me", **({} if number else {"phone": PHONE}))
        assert len(outbox) == number + 1
        page_client.press("Confirm", code=outbox[-1].code)
        assert Verification.objects.filter(status="approved").count() == number + 1


def test_a_failed_start_does_not_block_the_next_one(
    page_client: PageClient, configure: Callable[..., None]
) -> None:
    configure(LIMITS={"phone": ["0/h"]})
    page_client.open("/auth/login/")
    page_client.press("Call me", phone=PHONE)
    assert page_client.status == 429
    configure(LIMITS={})
    page_client.press("Call me", phone=PHONE)
    assert len(outbox) == 1


@pytest.mark.parametrize("backend", ["dummy.DummyCache", "redis.RedisCache"])
def test_a_login_needs_no_cache(page_client: PageClient, settings: Any, backend: str) -> None:
    """Nothing listens on the port of this Redis."""
    with closed_port() as port:
        address = f"redis://127.0.0.1:{port}"
        settings.CACHES = {
            "default": {"BACKEND": f"django.core.cache.backends.{backend}", "LOCATION": address}
        }
        token = page_client.open("/auth/login/").forms[0].fields["csrfmiddlewaretoken"]
        cookie = page_client.client.cookies["csrftoken"].value
        for _ in range(2):
            client = Client(enforce_csrf_checks=True)
            client.cookies["csrftoken"] = cookie
            response = client.post("/auth/login/", {"phone": PHONE, "csrfmiddlewaretoken": token})
            assert response["Location"] == "/auth/login/code/"
        response = client.post(
            "/auth/login/code/", {"code": outbox[0].code, "csrfmiddlewaretoken": token}
        )
        assert response.status_code == 302
        assert "_auth_user_id" in client.session
    assert len(outbox) == 1


@pytest.mark.parametrize("engine", ["cache", "cached_db"])
def test_nobody_is_called_if_the_session_cannot_be_written(
    page_client: PageClient, settings: Any, engine: str
) -> None:
    """Nothing listens on the port of this Redis."""
    settings.SESSION_ENGINE = f"django.contrib.sessions.backends.{engine}"
    page_client.open("/auth/login/")
    page_client.press("Call me", phone=PHONE)
    assert len(outbox) == 1
    other = PageClient()
    with closed_port() as port:
        address = f"redis://127.0.0.1:{port}"
        redis = {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": address}
        settings.CACHES = {"default": redis}
        other.open("/auth/login/")
        other.press("Call me", phone="+79990000002")
    assert other.status == 503
    assert len(outbox) == 1


def test_the_database_holds_neither_cookie_nor_number_in_the_key(page_client: PageClient) -> None:
    page_client.open("/auth/login/")
    page_client.press("Call me", phone=PHONE)
    digest = Verification.objects.get().idempotency_digest
    assert digest is not None
    assert "9990000001" not in digest
    assert page_client.client.cookies["csrftoken"].value not in digest
