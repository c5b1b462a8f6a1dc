"""Each limit has a sentence of its own for people and a name for support, in both languages."""

from __future__ import annotations

import re

import pytest
from django.utils import translation

from django_voicepassword.conf import DEFAULTS
from django_voicepassword.exceptions import BudgetExhausted, ChallengeRequired, RateLimited
from django_voicepassword.verifications.limit_texts import duration, limit_name, rate_name
from django_voicepassword.verifications.messages import error_text

#: Every limit that RateLimited names.
LIMITS = [*DEFAULTS["LIMITS"], "guard", "sends", "resend_after"]
#: Not by the person who reads it: these limits are shared with strangers.
SHARED = ["ip", "prefix", "site", "guard"]
UNKNOWN = "a limit of the project"
LANGUAGES = pytest.mark.parametrize("language", ["en", "ru"])


def text(limit: str, wait: int = 240, offers_longer_code: bool = False) -> str:
    return error_text(RateLimited(limit, wait, offers_longer_code))


@LANGUAGES
@pytest.mark.parametrize("limit", LIMITS)
def test_each_limit_has_a_sentence_of_its_own_with_the_wait_in_words(
    limit: str, language: str
) -> None:
    with translation.override(language):
        told = text(limit)
        assert told != text(UNKNOWN)
        # A new verification sends a new code at once.
        has_to_wait = limit != "sends"
        assert (("4 minutes" if language == "en" else "4\u00a0минуты") in told) == has_to_wait
        assert bool(re.search("[а-яё]", told)) == (language == "ru")
        # Guesses of both kinds of code are the same to the person.
        assert sum(told == text(other) for other in LIMITS if "guesses" not in other) <= 1


@pytest.mark.parametrize("limit", SHARED)
def test_a_limit_that_strangers_use_up_blames_nobody(limit: str) -> None:
    told = text(limit)
    assert "tries" not in told
    assert "another network" in told if limit == "ip" else "use a device that has logged in" in told


def test_a_known_device_is_not_told_to_use_a_known_device() -> None:
    assert "use a device" not in text("device") + text("device_guesses")


@pytest.mark.parametrize(("limit", "by_support"), [("phone", True), ("ip", False), ("site", False)])
def test_support_is_named_where_it_can_help_and_the_wait_is_long(
    limit: str, by_support: bool
) -> None:
    assert ("support" in text(limit, 3600)) == by_support
    assert "support" not in text(limit, 3599)


@LANGUAGES
@pytest.mark.parametrize("limit", ["guard", "phone_guesses"])
def test_where_a_longer_code_is_to_be_had_at_once_nobody_is_told_to_wait(
    limit: str, language: str
) -> None:
    with translation.override(language):
        told = text(limit, 3600, offers_longer_code=True)
        assert ("longer" if language == "en" else "длиннее") in told
        assert duration(3600) not in told


@LANGUAGES
def test_a_spent_budget_and_a_challenge_say_what_to_do(language: str) -> None:
    with translation.override(language):
        # The provider's next day may begin at another hour than the person's.
        assert duration(18000) in error_text(BudgetExhausted(18000))
        assert ("robot" if language == "en" else "робот") in error_text(ChallengeRequired())


@LANGUAGES
@pytest.mark.parametrize("limit", [*LIMITS, "ip_network", "phone_solved"])
def test_each_limit_has_a_name_for_support(limit: str, language: str) -> None:
    with translation.override(language):
        assert limit_name(limit) != limit
        assert bool(re.search("[а-яё]", limit_name(limit))) == (language == "ru")
    assert limit_name(UNKNOWN) == UNKNOWN


def test_a_rate_is_named_by_its_limit_and_its_period() -> None:
    assert rate_name("phone 3/10m") == "calls to the number in 10 minutes"
    with translation.override("ru"):
        assert rate_name("phone_guesses 15/d") == "неверные коды для номера за 24\u00a0часа"


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (1, "1 second"),
        (59, "59 seconds"),
        (61, "2 minutes"),
        (3541, "1 hour"),
        (86400, "24 hours"),
        (172800, "2 days"),
        (172801, "3 days"),
    ],
)
def test_a_time_is_rounded_up(seconds: int, words: str) -> None:
    assert duration(seconds) == words
