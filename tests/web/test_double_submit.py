"""Reload, back button and double submit ring nobody again; another number does."""

from __future__ import annotations

import threading
from datetime import timedelta
from typing import Any

import pytest
from django.core.cache import cache
from django.db import connections
from django.test import Client
from django.utils import timezone
from freezegun import freeze_time

from django_voicepassword.models import Verification
from django_voicepassword.testing import outbox
from django_voicepassword.web import idempotency, session
from tests.web.person import Person
from tests.web.providers import Gate

PHONE = "+79990000001"


def test_reload_rings_nobody(at_code):
    for _ in range(3):
        at_code.reload()
    assert len(outbox) == 1


def test_back_and_again_with_the_same_phone_rings_nobody(at_code):
    at_code.open("/auth/login/")
    at_code.press("Call me", phone="8 999 000-00-01")
    assert at_code.path == "/auth/login/code/"
    assert len(outbox) == 1
    assert Verification.objects.count() == 1
    at_code.press("Log in", code=outbox[0].code)
    assert "_auth_user_id" in at_code.session


def test_the_same_form_sent_again_rings_nobody(person):
    page = person.open("/auth/login/")
    for _ in range(3):
        person.page, person.path = page, "/auth/login/"
        person.press("Call me", phone=PHONE)
    assert len(outbox) == 1


def test_the_same_form_sent_again_before_any_answer_rings_nobody(person):
    """The second submit has no session cookie: the answer that brings it has not come."""
    token = person.open("/auth/login/").forms[0].fields["csrfmiddlewaretoken"]
    cookie = person.client.cookies["csrftoken"].value
    ids = set()
    for _ in range(3):
        client = Client(enforce_csrf_checks=True)
        client.cookies["csrftoken"] = cookie
        response = client.post("/auth/login/", {"phone": PHONE, "csrfmiddlewaretoken": token})
        assert response["Location"] == "/auth/login/code/"
        ids.add(client.session[session.SESSION_KEY])
    assert len(ids) == 1
    assert len(outbox) == 1


def test_another_browser_has_a_verification_of_its_own(person, at_code):
    stranger = Person()
    stranger.open("/auth/login/")
    stranger.press("Call me", phone=PHONE)
    assert stranger.session[session.SESSION_KEY] != at_code.session[session.SESSION_KEY]
    assert len(outbox) == 2


def test_another_phone_starts_anew_and_closes_the_first(at_code):
    at_code.open("/auth/login/")
    at_code.press("Call me", phone="+79990000002")
    assert [sent.number[-1] for sent in outbox] == ["1", "2"]
    assert set(Verification.objects.values_list("phone", "status")) == {
        ("79990000001", "canceled"),
        ("79990000002", "pending"),
    }


def test_the_same_phone_after_the_end_of_the_time_rings_anew(at_code):
    with freeze_time(timezone.now() + timedelta(seconds=301)):
        at_code.open("/auth/login/")
        at_code.press("Call me", phone=PHONE)
    assert len(outbox) == 2


@pytest.mark.django_db(transaction=True)
def test_two_submits_at_once_ring_once(person, configure, monkeypatch):
    configure(BEFORE_SEND="tests.web.providers.hold")
    Gate.shut()
    token = person.open("/auth/login/").forms[0].fields["csrfmiddlewaretoken"]
    answers: list[tuple[int, str, str]] = []

    def submit() -> None:
        client = Client(enforce_csrf_checks=True)
        client.cookies["csrftoken"] = person.client.cookies["csrftoken"].value
        response = client.post("/auth/login/", {"phone": PHONE, "csrfmiddlewaretoken": token})
        answers.append(
            (response.status_code, response["Location"], client.session[session.SESSION_KEY])
        )
        connections.close_all()

    waiting = threading.Event()
    monkeypatch.setattr(idempotency, "_found", _telling(idempotency._found, waiting))
    first, second = threading.Thread(target=submit), threading.Thread(target=submit)
    first.start()
    assert Gate.entered.wait(10)
    second.start()
    assert waiting.wait(10)
    Gate.opened.set()
    first.join(10)
    second.join(10)
    assert len(answers) == 2
    assert len(set(answers)) == 1
    assert answers[0][:2] == (302, "/auth/login/code/")
    assert len(outbox) == 1


def _telling(function: Any, event: threading.Event) -> Any:
    def tell(*args: Any) -> Any:
        event.set()
        return function(*args)

    return tell


def test_a_submit_whose_sibling_never_ends_is_told_so(person, monkeypatch):
    person.open("/auth/login/")
    monkeypatch.setattr(idempotency, "PATIENCE", 0)
    monkeypatch.setattr(cache, "add", lambda *args, **kwargs: False)
    page = person.press("Call me", phone=PHONE)
    assert person.status == 503
    assert page.alerts == ["Calls are not available right now. Try again in a minute."]
    assert outbox == []


def test_a_start_that_failed_does_not_stand_in_the_way(person, configure):
    configure(LIMITS={"phone": ["0/h"]})
    person.open("/auth/login/")
    person.press("Call me", phone=PHONE)
    assert person.status == 429
    configure(LIMITS={})
    person.press("Call me", phone=PHONE)
    assert len(outbox) == 1


def test_a_cache_that_keeps_nothing_costs_only_the_protection(person, settings):
    settings.CACHES = {"default": {"BACKEND": "django.core.cache.backends.dummy.DummyCache"}}
    person.open("/auth/login/")
    person.press("Call me", phone=PHONE)
    assert len(outbox) == 1


def test_the_cache_holds_no_number_and_no_bare_cookie(person, monkeypatch):
    keys: list[str] = []
    monkeypatch.setattr(cache, "add", lambda key, *args, **kwargs: keys.append(key) or True)
    person.open("/auth/login/")
    person.press("Call me", phone=PHONE)
    assert len(keys) == 1
    assert "9990000001" not in keys[0]
    assert person.client.cookies["csrftoken"].value not in keys[0]
