"""The API while a challenge must be solved before anything is sent."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.http import HttpRequest
from django.utils import timezone
from freezegun import freeze_time

from django_voicepassword.contrib import challenges
from django_voicepassword.exceptions import ChallengeRequired
from django_voicepassword.models import Verification
from django_voicepassword.testing import Sent
from django_voicepassword.verifications import challenge
from tests.api.test_verifications import PHONE, Api

pytestmark = pytest.mark.django_db
HEADER = "X-VoicePassword-Challenge"


def is_human(request: HttpRequest) -> bool:
    return bool(getattr(request, challenge.ATTRIBUTE) == "four")


def is_human_says_hcaptcha(request: HttpRequest) -> bool:
    return is_human(request)


# As the callables of contrib.challenges have it; nobody asks the provider here.
is_human_says_hcaptcha.provider = challenges.hcaptcha.provider  # type: ignore[attr-defined]


def ask_for_a_challenge(verification: Verification, channel: str, request: HttpRequest) -> None:
    """BEFORE_SEND: every send needs a solved challenge."""
    if not challenge.is_solved(request):
        raise ChallengeRequired


@pytest.fixture
def api(outbox: list[Sent]) -> Api:
    return Api()


@pytest.fixture(autouse=True)
def _challenge(configure: Callable[..., None]) -> None:
    configure(
        CHALLENGE=f"{__name__}.is_human_says_hcaptcha",
        CHALLENGE_KEYS={"site": "key-of-the-site", "secret": "sekret"},
        BEFORE_SEND=f"{__name__}.ask_for_a_challenge",
    )


def test_the_answer_tells_how_to_solve_it(api: Api, outbox: list[Sent]) -> None:
    answer = api.post("verifications/", {"phone": PHONE})
    assert answer.status_code == 403
    assert answer.body == {
        "code": "challenge_required",
        "detail": "Confirm that you are not a robot, then try again.",
        "challenge": {"provider": "hcaptcha", "site_key": "key-of-the-site"},
    }
    assert not outbox
    assert not Verification.objects.exists()


def test_a_challenge_of_the_project_is_known_to_its_programs_alone(
    api: Api, configure: Callable[..., None]
) -> None:
    configure(CHALLENGE=f"{__name__}.is_human", BEFORE_SEND=f"{__name__}.ask_for_a_challenge")
    answer = api.post("verifications/", {"phone": PHONE})
    assert (answer.status_code, list(answer.body)) == (403, ["code", "detail"])


@pytest.mark.parametrize("given", [None, "", "five", "x" * 8193, ["four"], 4])
def test_another_answer_is_none(api: Api, outbox: list[Sent], given: Any) -> None:
    answer = api.post("verifications/", {"phone": PHONE, "challenge": given})
    assert answer.status_code == (400 if isinstance(given, list) or len(str(given)) > 9 else 403)
    assert not outbox


@pytest.mark.parametrize(
    ("fields", "headers"),
    [({"challenge": "four"}, {}), ({}, {HEADER: "four"}), ({"challenge": ""}, {HEADER: "four"})],
)
def test_a_solved_challenge_starts_and_resends(
    api: Api, outbox: list[Sent], fields: dict[str, str], headers: dict[str, str]
) -> None:
    answer = api.post("verifications/", {"phone": PHONE, **fields}, **headers)
    assert answer.status_code == 201, answer.body
    resend = f"verifications/{answer.body['id']}/resend/"
    with freeze_time(timezone.now() + timedelta(seconds=61)):
        assert api.post(resend).status_code == 403
        assert api.post(resend, fields, **headers).status_code == 200
    assert len(outbox) == 2


def test_a_repeat_with_the_same_key_needs_no_second_challenge(api: Api, outbox: list[Sent]) -> None:
    key = {"Idempotency-Key": "5f3b8c8e-8a2f-4f0d-9a53-0b8ce6b0a7d1"}
    assert api.post("verifications/", {"phone": PHONE}, **key).status_code == 403
    first = api.post("verifications/", {"phone": PHONE, "challenge": "four"}, **key)
    again = api.post("verifications/", {"phone": PHONE}, **key)
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.body["id"] == again.body["id"]
    assert len(outbox) == 1
