"""VOICEPASSWORD: its defaults are documented, and every mistake gives a message with a hint."""

from __future__ import annotations

import ast
import copy
import logging
import re
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from celery import current_app
from django.conf import global_settings
from django.core.checks import CheckMessage
from django.core.exceptions import ImproperlyConfigured
from django.middleware.locale import LocaleMiddleware
from django.test import override_settings

from django_voicepassword import checks
from django_voicepassword.checks.rules import RULES
from django_voicepassword.conf import DEFAULTS, Settings, settings

DOCUMENT = Path(__file__).parents[1] / "docs" / "settings.md"
HTTP = {"API_KEY": "secret-key", "TRANSPORT": "http", "CALLBACK_BASE_URL": "https://example.org"}
TURNSTILE = "django_voicepassword.contrib.challenges.turnstile"


@pytest.fixture(autouse=True)
def _production(no_test_run: None, settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.DEBUG = False
    monkeypatch.setitem(current_app.conf, "broker_url", "memory://")


def run_checks(configured: Any, deploy: bool = False) -> dict[str, CheckMessage]:
    """Return the messages by id for a project with these settings."""
    with override_settings(VOICEPASSWORD=configured):
        messages = [*checks.check_settings(), *checks.check_project()]
        messages += checks.check_deployment() if deploy else []
    return {str(message.id): message for message in messages}


def test_the_docs_list_every_key_with_its_default() -> None:
    rows = re.findall(r"^\| `([A-Z_]+)` \| `(.*?)` \|", DOCUMENT.read_text("utf-8"), re.MULTILINE)
    assert {key: ast.literal_eval(default) for key, default in rows} == DEFAULTS


def test_every_key_has_a_type() -> None:
    assert list(Settings.__annotations__) == list(DEFAULTS)


def test_every_default_obeys_a_rule() -> None:
    assert set(RULES) == set(DEFAULTS)
    assert [key for key, rule in RULES.items() if not rule.is_valid(DEFAULTS[key])] == []


def test_reading_changes_no_default() -> None:
    before = copy.deepcopy(DEFAULTS)
    with override_settings(VOICEPASSWORD={"LIMITS": {"phone": ["1/d"]}}):
        limits = settings.limits
    assert limits == {**DEFAULTS["LIMITS"], "phone": ["1/d"]}
    assert before == DEFAULTS


def test_valid_settings_give_no_message() -> None:
    configured = {**HTTP, "RETENTION_DAYS": 365, "FRAUD_GUARD": "audit"}
    assert run_checks(configured, deploy=True) == {}


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("API_KEY", None),
        ("API_URL", "vp.voicepassword.ru"),
        ("API_URL", "https://vp.voicepassword.ru:port/"),
        ("API_AUTH", "both"),
        ("TIMEOUT", 5),
        ("TIMEOUT", (0, 5)),
        ("TIMEOUT", ("1", "5")),
        ("TRANSPORT", "memroy"),
        ("DISPATCH", "thread"),
        ("CHANNELS", []),
        ("CHANNELS", ["sms", "voice"]),
        ("CHANNELS", ["voice", "voice"]),
        ("CHANNELS", "voice"),
        ("CODE_SOURCE", "provider"),
        ("CODE_LENGTH", 3),
        ("CODE_LENGTH", 11),
        ("CODE_LENGTH", "4"),
        ("CODE_TTL", 0),
        ("CODE_TTL", True),
        ("MAX_ATTEMPTS", 0),
        ("MAX_SENDS", 0),
        ("RESEND_AFTER", -1),
        ("LIMITS", []),
        ("LIMITS", {"phones": ["1/d"]}),
        ("LIMITS", {"phone": "1/d"}),
        ("LIMITS", {"phone": ["1/week"]}),
        ("LIMITS", {"phone": ["one/d"]}),
        ("DAILY_BUDGET", 100.0),
        ("DAILY_BUDGET", Decimal("NaN")),
        ("ALLOWED_PREFIXES", "79"),
        ("ALLOWED_PREFIXES", ["+79"]),
        ("ALLOWED_PREFIXES", [79]),
        ("DEFAULT_REGION", "Russia"),
        ("CALLBACK_BASE_URL", "example.org"),
        ("CALLBACK_ALLOWED_IPS", ["example.org"]),
        ("CALLBACK_ALLOWED_IPS", "192.0.2.1"),
        ("TRUSTED_PROXIES", -1),
        ("ANI", "+74959999999"),
        ("VOICE_REPEAT", "1"),
        ("PROVIDER_TIME_ZONE", "Moscow"),
        ("PROVIDER_TIME_ZONE", "../../etc/passwd"),
        ("POLL_DELAYS", 15),
        ("POLL_DELAYS", [0]),
        ("LOW_BALANCE", "100"),
        ("TEST_NUMBERS", ["79000000001"]),
        ("TEST_NUMBERS", {"79000000001": 1234}),
        ("TEST_NUMBERS", {"12": "1234"}),
        ("TEST_NUMBERS", {"79000000001": "123"}),
        ("TEST_NUMBERS", {"79000000001": "12345678901"}),
        ("TEST_NUMBERS", {"79000000001": "12a456"}),
        ("RETENTION_DAYS", 0),
        ("RETENTION", "forget"),
        ("USER_PHONE_FIELD", "user.phone"),
        ("USER_PHONE_TRUSTED", "yes"),
        ("CREATE_USERS", None),
        ("STAFF_LOGIN", "no"),
        ("LOGIN", "cookie"),
        ("BEFORE_SEND", "veto"),
    ],
)
def test_a_wrong_value_names_its_key_and_what_it_must_be(key: str, value: Any) -> None:
    message = run_checks({**HTTP, key: value})["voicepassword.E003"]
    assert f'["{key}"]' in message.msg
    assert message.hint
    assert message.hint.startswith("It must be ")


def test_a_message_never_repeats_the_api_key() -> None:
    (message,) = run_checks({"API_KEY": ["secret-key"]}).values()
    assert "secret-key" not in f"{message.msg}{message.hint}"


@pytest.mark.parametrize(
    ("configured", "id", "text"),
    [
        (["API_KEY"], "E001", "must be a dict"),
        ({**HTTP, "CODE_TLL": 60}, "E002", 'Did you mean "CODE_TTL"?'),
        ({**HTTP, "WEATHER": 60}, "E002", "The keys are: API_KEY,"),
        ({"TRANSPORT": "http"}, "E004", "API_KEY"),
        ({}, "E004", "API_KEY"),
        ({**HTTP, "CODE_LENGTH": 6}, "E005", "CODE_SOURCE"),
        ({**HTTP, "CODE_LENGTH": 6, "CODE_SOURCE": "service"}, "E005", "voice"),
        ({**HTTP, "LONG_CODE": 5, "CODE_LENGTH": 5}, "E011", "CODE_LENGTH"),
        ({**HTTP, "CHANNELS": ["voice"]}, "W018", "flashcall"),
        ({**HTTP, "CHALLENGE": "tests.nothing"}, "E006", "tests"),
        ({**HTTP, "CHALLENGE": TURNSTILE}, "E012", "'site' and no 'secret'"),
        (
            {**HTTP, "CHALLENGE": TURNSTILE, "CHALLENGE_KEYS": {"secret": "secret-key"}},
            "E012",
            "no 'site'",
        ),
        ({**HTTP, "TRANSPORT": "nowhere.client"}, "E006", "nowhere"),
        ({**HTTP, "LOGIN": "nowhere.login"}, "E006", "nowhere"),
        ({**HTTP, "BEFORE_SEND": "tests.nothing"}, "E006", "tests"),
        ({**HTTP, "USER_PHONE_FIELD": "mobile"}, "E006", "mobile"),
        ({**HTTP, "API_URL": "http://vp.voicepassword.ru/api/"}, "E007", "https"),
        ({**HTTP, "API_URL": "http://127.0.0.1.example.org/"}, "E007", "https"),
        ({**HTTP, "CALLBACK_BASE_URL": "http://example.org"}, "W001", "https"),
        ({**HTTP, "LIMITS": {"phone": []}}, "W005", "phone"),
        ({**HTTP, "LIMITS": {"device_guesses": []}}, "W005", "device_guesses"),
        ({**HTTP, "TEST_NUMBERS": {"79000000001": "1234"}}, "W008", "production"),
        ({**HTTP, "CALLBACK_BASE_URL": None}, "I001", "polled"),
    ],
)
def test_a_mistake_gives_its_message(configured: Any, id: str, text: str) -> None:
    message = run_checks(configured)[f"voicepassword.{id}"]
    assert text in f"{message.msg} {message.hint}"
    assert "secret-key" not in f"{message.msg} {message.hint}"


@pytest.mark.parametrize(
    "configured",
    [
        {**HTTP, "CODE_LENGTH": 6, "CODE_SOURCE": "service", "CHANNELS": ["flashcall", "sms"]},
        {**HTTP, "API_URL": "http://127.0.0.1:8001/api/voice-password/"},
        {**HTTP, "API_URL": "http://[::1]:8001/"},
        {**HTTP, "CHALLENGE": TURNSTILE, "CHALLENGE_KEYS": {"site": "a", "secret": "b"}},
        {**HTTP, "CHALLENGE": "tests.test_step_up.solve"},
        {**HTTP, "CALLBACK_BASE_URL": "http://localhost:8000"},
        {**HTTP, "LIMITS": {"site": ["100/m"]}},
        {**HTTP, "DAILY_BUDGET": 500, "LOW_BALANCE": Decimal("99.90")},
    ],
)
def test_unusual_valid_settings_give_no_message(configured: dict[str, Any]) -> None:
    assert run_checks(configured) == {}


@pytest.mark.parametrize(
    ("configured", "id"),
    [
        ({**HTTP, "API_URL": "http://127.0.0.1:8001/api/voice-password/"}, "W010"),
        ({"TRANSPORT": "console"}, "W011"),
        ({"TRANSPORT": "memory"}, "W011"),
        ({**HTTP, "USER_PHONE_FIELD": "last_name"}, "W012"),
        ({**HTTP, "TEST_NUMBERS": {"79000000001": "482139", "79000000002": "4821"}}, "W013"),
        (HTTP, "W014"),
        (HTTP, "W019"),
    ],
)
def test_only_check_deploy_reports_development_settings(
    configured: dict[str, Any], id: str
) -> None:
    assert f"voicepassword.{id}" in run_checks(configured, deploy=True)
    assert f"voicepassword.{id}" not in run_checks(configured)


def test_dormant_numbers_need_another_way_to_log_in(settings: Any) -> None:
    configured = {**HTTP, "DORMANT_AFTER_DAYS": 180}
    assert "voicepassword.W020" not in run_checks(configured, deploy=True)
    settings.AUTHENTICATION_BACKENDS = ["django_voicepassword.backends.PhoneBackend"]
    assert "voicepassword.W020" in run_checks(configured, deploy=True)
    assert "voicepassword.W020" not in run_checks(HTTP, deploy=True)


def test_a_period_of_retention_is_not_reported() -> None:
    assert "voicepassword.W014" not in run_checks({**HTTP, "RETENTION_DAYS": 365}, deploy=True)


@pytest.mark.parametrize(
    "configured",
    [
        {"FRAUD_GUARD": "audit"},
        {"FRAUD_GUARD": "off"},
        {
            "CHALLENGE": "django_voicepassword.contrib.challenges.turnstile",
            "CHALLENGE_KEYS": {"site": "public", "secret": "s3cret"},
        },
    ],
)
def test_a_guard_that_refuses_nobody_or_has_a_challenge_is_not_reported(
    configured: dict[str, Any],
) -> None:
    assert "voicepassword.W019" not in run_checks({**HTTP, **configured}, deploy=True)


def test_a_long_code_of_a_test_number_is_not_reported() -> None:
    configured = {**HTTP, "TEST_NUMBERS": {"79000000001": "48213", "79000000002": "4821395706"}}
    assert "voicepassword.W013" not in run_checks(configured, deploy=True)


def test_a_missing_backend_is_reported(settings: Any) -> None:
    settings.AUTHENTICATION_BACKENDS = ["django.contrib.auth.backends.ModelBackend"]
    assert "AUTHENTICATION_BACKENDS" in str(run_checks(HTTP)["voicepassword.W002"])


def test_atomic_requests_is_reported(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(settings.DATABASES["default"], "ATOMIC_REQUESTS", True)
    assert "non_atomic_requests" in str(run_checks(HTTP)["voicepassword.W003"])


def test_celery_without_a_broker_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(current_app.conf, "broker_url", None)
    assert "CELERY_BROKER_URL" in str(run_checks(HTTP)["voicepassword.W004"])


def test_a_callback_without_a_route_is_reported(settings: Any) -> None:
    settings.ROOT_URLCONF = "django.contrib.auth.urls"
    assert "include" in str(run_checks(HTTP)["voicepassword.W006"])


def test_debug_logging_of_requests_is_reported(settings: Any) -> None:
    logger = logging.getLogger("urllib3")
    logger.setLevel(logging.DEBUG)
    try:
        assert "urllib3" in str(run_checks(HTTP)["voicepassword.W009"])
    finally:
        logger.setLevel(logging.NOTSET)


def test_without_a_key_debug_uses_the_console(settings: Any) -> None:
    settings.VOICEPASSWORD = {}
    settings.DEBUG = True
    from django_voicepassword.conf import settings as voicepassword_settings

    assert (voicepassword_settings.transport, voicepassword_settings.dispatch) == (
        "console",
        "inline",
    )
    settings.DEBUG = False
    with pytest.raises(ImproperlyConfigured, match="API_KEY"):
        _ = voicepassword_settings.transport


LOCALE = "django.middleware.locale.LocaleMiddleware"


class OwnMiddleware(LocaleMiddleware):
    """A project's own choice of a language."""


@pytest.mark.parametrize(
    ("languages", "expected"),
    [
        # What startproject makes.
        ({"LANGUAGE_CODE": "en-us"}, True),
        ({"LANGUAGE_CODE": "en-us", "LANGUAGES": [("en", "English"), ("ru", "Russian")]}, True),
        ({"LANGUAGE_CODE": "ru", "LANGUAGES": [("en", "English"), ("ru", "Russian")]}, True),
        ({"LANGUAGE_CODE": "ru"}, False),
        ({"LANGUAGE_CODE": "ru-RU", "LANGUAGES": [("ru", "Russian")]}, False),
        ({"LANGUAGE_CODE": "en", "LANGUAGES": [("en", "English")]}, False),
        ({"LANGUAGE_CODE": "en", "USE_I18N": False}, False),
    ],
)
@pytest.mark.parametrize(
    "middleware", [[], [LOCALE], [f"{__name__}.OwnMiddleware"], ["project.choose_language"]]
)
def test_a_site_that_shows_its_language_to_everybody_is_reported(
    settings: Any, languages: dict[str, Any], expected: bool, middleware: list[str]
) -> None:
    settings.LANGUAGES = global_settings.LANGUAGES
    settings.MIDDLEWARE = ["django.contrib.sessions.middleware.SessionMiddleware", *middleware]
    for name, value in languages.items():
        setattr(settings, name, value)
    found = run_checks(HTTP)
    assert ("voicepassword.W007" in found) is (expected and not middleware)
