"""In a test run of a project nobody is called, whatever its settings say.

These tests are such a run themselves. ``project`` replaces the settings of the project, below what
a test overrides.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.core.checks import ERROR
from django.test import override_settings

from django_voicepassword import checks, verifications
from django_voicepassword.conf import settings
from django_voicepassword.provider import factory
from django_voicepassword.testing import Sent

HERE = {"API_URL": "http://127.0.0.1:8001/api/voice-password/"}
REAL = {"API_KEY": "secret-key", "TRANSPORT": "http", "DISPATCH": "celery"}


@pytest.fixture
def project(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    def change(**keys: Any) -> None:
        monkeypatch.setattr(django_settings, "VOICEPASSWORD", keys)

    return change


@pytest.mark.parametrize("debug", [False, True])
@pytest.mark.parametrize(
    "keys",
    [
        {},
        {"API_KEY": "secret-key"},
        {"API_KEY": "secret-key", "DISPATCH": "inline"},
        {"API_KEY": "secret-key", "DISPATCH": "celery"},
        REAL,
        {**REAL, "API_KEY": ""},
    ],
)
def test_calls_are_kept_in_memory_and_placed_at_once(
    project: Callable[..., None], settings: Any, keys: dict[str, Any], debug: bool
) -> None:
    project(**keys)
    settings.DEBUG = debug
    assert how_a_call_is_placed() == ("memory", "inline")
    assert [found for found in checks.check_settings() if found.level >= ERROR] == []


@pytest.mark.parametrize(
    ("keys", "transport"),
    [({"TRANSPORT": "console"}, "console"), ({**REAL, **HERE}, "http")],
)
def test_a_transport_that_rings_nobody_is_kept(
    project: Callable[..., None], keys: dict[str, Any], transport: str
) -> None:
    project(**keys)
    assert how_a_call_is_placed() == (transport, "inline")


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ({"TRANSPORT": "http", "API_KEY": "k"}, ("http", "inline")),
        ({"TRANSPORT": "console"}, ("console", "inline")),
        ({"DISPATCH": "celery"}, ("memory", "celery")),
        ({"RESEND_AFTER": 0}, ("memory", "inline")),
        ({"TRANSPORT": None, "DISPATCH": None, "API_KEY": "k"}, ("memory", "inline")),
    ],
)
def test_what_a_test_chooses_is_obeyed(
    project: Callable[..., None], keys: dict[str, Any], expected: tuple[str, str]
) -> None:
    project(API_KEY="secret-key", DISPATCH="inline")
    with override_settings(VOICEPASSWORD={"DISPATCH": "inline", **keys}):
        assert how_a_call_is_placed() == expected
        with override_settings(USE_TZ=True):
            assert how_a_call_is_placed() == expected


def test_a_test_that_repeats_the_settings_of_the_project_chooses_nothing(
    project: Callable[..., None],
) -> None:
    project(**REAL)
    with override_settings(VOICEPASSWORD={**REAL, "RESEND_AFTER": 0}):
        assert how_a_call_is_placed() == ("memory", "inline")


@pytest.mark.django_db
def test_a_project_with_a_key_asks_nobody_in_its_tests(
    project: Callable[..., None], outbox: list[Sent]
) -> None:
    project(API_KEY="secret-key", TRANSPORT="http", DISPATCH="inline")
    verification = verifications.start("79990000001")
    assert [sent.verification for sent in outbox] == [verification.id]
    assert verifications.check(verification.id, outbox[0].code).status == "approved"


@pytest.mark.usefixtures("no_test_run")
@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        (REAL, ("http", "celery")),
        ({"API_KEY": "secret-key"}, ("http", "celery")),
        ({"API_KEY": "secret-key", "DISPATCH": "inline"}, ("http", "inline")),
        ({"TRANSPORT": "console"}, ("console", "inline")),
    ],
)
def test_outside_of_a_test_run_the_settings_hold(
    project: Callable[..., None], keys: dict[str, Any], expected: tuple[str, str]
) -> None:
    project(**keys)
    assert how_a_call_is_placed() == expected


def how_a_call_is_placed() -> tuple[str, str]:
    return factory.transport(), settings.dispatch
