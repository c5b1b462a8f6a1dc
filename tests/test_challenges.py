"""CHALLENGE: who is asked whether a request solved it, how often, and what a failure means."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from django.http import HttpRequest
from django.test import RequestFactory

from django_voicepassword.contrib import challenges
from django_voicepassword.contrib.challenges import Siteverify
from django_voicepassword.verifications import challenge

SECRET = "sekret-0x4AAAAAAA"
TOKEN = "token-of-the-widget"
ALL = [challenges.turnstile, challenges.hcaptcha, challenges.smartcaptcha]
#: What each provider answers where the challenge was solved, and where it was not.
SOLVED = {
    "turnstile": {"success": True, "error-codes": [], "hostname": "example.org"},
    "hcaptcha": {"success": True, "hostname": "example.org"},
    "smartcaptcha": {"status": "ok", "message": "", "host": "example.org"},
}
FAILED = {
    "turnstile": {"success": False, "error-codes": ["timeout-or-duplicate"]},
    "hcaptcha": {"success": False, "error-codes": ["invalid-input-response"]},
    "smartcaptcha": {"status": "failed", "message": "Invalid or expired Token."},
}


class FakeProvider:
    """A provider of challenges on loopback: answers ``body`` and keeps the forms it was sent."""

    def __init__(self) -> None:
        self.status = 200
        self.body = b"{}"
        self.forms: list[dict[str, list[str]]] = []
        self.url = ""

    def stand_in_for(self, verifier: Siteverify) -> Siteverify:
        return replace(verifier, url=self.url)


@contextmanager
def _serve(fake: FakeProvider) -> Iterator[None]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            length = int(self.headers["Content-Length"])
            fake.forms.append(parse_qs(self.rfile.read(length).decode()))
            self.send_response(fake.status)
            self.send_header("Content-Length", str(len(fake.body)))
            if 300 <= fake.status < 400:
                self.send_header("Location", fake.url)
            self.end_headers()
            self.wfile.write(fake.body)

        def log_message(self, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    fake.url = f"http://127.0.0.1:{server.server_port}/siteverify"
    thread = Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture
def fake(settings: Any) -> Iterator[FakeProvider]:
    settings.VOICEPASSWORD = {"CHALLENGE_KEYS": {"site": "public", "secret": SECRET}}
    fake = FakeProvider()
    with _serve(fake):
        yield fake


def request_with(answer: object = TOKEN) -> HttpRequest:
    request = RequestFactory().post("/", REMOTE_ADDR="192.0.2.7")
    challenge.attach(request, answer)
    return request


@pytest.mark.parametrize("verifier", ALL, ids=lambda verifier: verifier.provider.name)
def test_each_provider_is_asked_in_its_own_words(fake: FakeProvider, verifier: Siteverify) -> None:
    verify = fake.stand_in_for(verifier)
    fake.body = json.dumps(SOLVED[verifier.provider.name]).encode()
    assert verify(request_with())
    fake.body = json.dumps(FAILED[verifier.provider.name]).encode()
    assert not verify(request_with())
    names = {
        "turnstile": ("secret", "response", "remoteip"),
        "hcaptcha": ("secret", "response", "remoteip"),
        "smartcaptcha": ("secret", "token", "ip"),
    }[verifier.provider.name]
    assert fake.forms[0] == dict(zip(names, ([SECRET], [TOKEN], ["192.0.2.7"]), strict=True))


@pytest.mark.parametrize("verifier", ALL, ids=lambda verifier: verifier.provider.name)
def test_without_a_token_no_provider_is_asked(fake: FakeProvider, verifier: Siteverify) -> None:
    verify = fake.stand_in_for(verifier)
    fake.body = json.dumps(SOLVED[verifier.provider.name]).encode()
    # A text in place of a token, nothing, JSON of another kind, and more than any provider sends.
    for answer in ("", "  ", None, ["token"], 5, "x" * 9000):
        assert not verify(request_with(answer))
    assert not verify(RequestFactory().get("/"))
    assert not fake.forms


@pytest.mark.parametrize(
    "body",
    [
        {"success": 1, "status": 1},
        {"success": "true", "status": "OK!"},
        {"success": None, "status": None},
        {"ok": True},
        {"success": [True], "status": ["ok"]},
    ],
)
def test_only_the_exact_answer_counts_as_solved(fake: FakeProvider, body: object) -> None:
    fake.body = json.dumps(body).encode()
    for verifier in ALL:
        assert not fake.stand_in_for(verifier)(request_with())


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (500, b'{"success": true, "status": "ok"}'),
        (302, b""),
        (200, b"<html>"),
        (200, b'["success"]'),
        (200, b'{"success": true, "padding": "' + b"x" * 20_000 + b'"}'),
    ],
)
def test_a_provider_that_fails_solves_nothing_and_leaks_nothing(
    fake: FakeProvider,
    settings: Any,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    status: int,
    body: bytes,
) -> None:
    fake.status, fake.body = status, body
    monkeypatch.setattr(challenges, "turnstile", fake.stand_in_for(challenges.turnstile))
    settings.VOICEPASSWORD |= {"CHALLENGE": "django_voicepassword.contrib.challenges.turnstile"}
    assert not challenge.is_solved(request_with())
    assert [record.levelno for record in caplog.records] == [logging.ERROR]
    assert SECRET not in caplog.text
    assert TOKEN not in caplog.text
    assert len(fake.forms) == 1, "a redirect was followed, or the token sent again"


def test_a_provider_that_is_down_solves_nothing_and_leaks_nothing(
    settings: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    nobody = replace(challenges.turnstile, url="http://127.0.0.1:9/")
    monkeypatch.setattr(challenges, "turnstile", nobody)
    settings.VOICEPASSWORD = {
        "CHALLENGE": "django_voicepassword.contrib.challenges.turnstile",
        "CHALLENGE_KEYS": {"secret": SECRET},
    }
    assert not challenge.is_solved(request_with())
    seen = everything_in(caplog)
    assert SECRET not in seen
    assert TOKEN not in seen


def test_a_function_of_the_project_that_fails_solves_nothing_and_leaks_nothing(
    settings: Any, caplog: pytest.LogCaptureFixture
) -> None:
    settings.VOICEPASSWORD = {"CHALLENGE": f"{__name__}.fail_with_a_secret"}
    assert not challenge.is_solved(request_with())
    assert SECRET not in everything_in(caplog)


def everything_in(caplog: pytest.LogCaptureFixture) -> str:
    """The only log record, the variables of its exception's frames, and what it replaced."""
    [record] = caplog.records
    assert record.exc_info is not None
    _, error, traceback = record.exc_info
    frames = []
    while traceback is not None:
        frames.append(traceback.tb_frame.f_locals)
        traceback = traceback.tb_next
    # The first frame is still running: that of the function that logs.
    return f"{caplog.text}{frames[1:]}{error and error.__context__}"


ASKED: list[str] = []


def count_and_pass(request: HttpRequest) -> bool:
    ASKED.append(getattr(request, challenge.ATTRIBUTE))
    return bool(getattr(request, challenge.ATTRIBUTE) == TOKEN)


def fail_with_a_secret(request: HttpRequest) -> bool:
    secret = SECRET
    raise OSError(len(secret))


def test_a_challenge_is_asked_for_at_most_once_a_request(settings: Any) -> None:
    ASKED.clear()
    settings.VOICEPASSWORD = {"CHALLENGE": f"{__name__}.count_and_pass"}
    request = request_with()
    assert challenge.is_solved(request)
    assert challenge.is_solved(request)
    assert ASKED == [TOKEN]
    wrong = request_with("wrong")
    assert not challenge.is_solved(wrong)
    assert not challenge.is_solved(wrong)
    assert not challenge.is_solved(RequestFactory().get("/"))
    assert ASKED == [TOKEN, "wrong", ""]


def test_without_a_challenge_or_a_request_none_is_solved(settings: Any) -> None:
    settings.VOICEPASSWORD = {}
    assert not challenge.is_solved(request_with())
    assert challenge.widget() is None
    settings.VOICEPASSWORD = {"CHALLENGE": f"{__name__}.count_and_pass"}
    assert not challenge.is_solved(None)


def test_a_page_is_told_which_widget_to_show(settings: Any) -> None:
    keys = {"site": "public", "secret": SECRET}
    settings.VOICEPASSWORD = {
        "CHALLENGE": "django_voicepassword.contrib.challenges.smartcaptcha",
        "CHALLENGE_KEYS": keys,
    }
    widget = challenge.widget()
    assert widget is not None
    assert (widget.provider, widget.site_key) == (challenges.smartcaptcha.provider, "public")
    assert SECRET not in repr(widget)
    settings.VOICEPASSWORD = {"CHALLENGE": f"{__name__}.count_and_pass"}
    assert challenge.widget() == challenge.Widget(None, "")


def test_the_script_of_each_widget_is_allowed_by_its_origins() -> None:
    for verifier in ALL:
        provider = verifier.provider
        script = urlsplit(provider.script)
        allowed = [urlsplit(origin) for origin in provider.origins]
        assert script.scheme == "https"
        assert any(
            script.hostname == (origin.hostname or "")
            or (script.hostname or "").endswith((origin.hostname or "").removeprefix("*"))
            for origin in allowed
        )
