"""The pages while a challenge must be solved before anything is sent."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.http import HttpRequest
from django.utils import timezone
from freezegun import freeze_time

from django_voicepassword.contrib import challenges
from django_voicepassword.exceptions import ChallengeRequired
from django_voicepassword.models import Verification, VerifiedPhone
from django_voicepassword.testing import outbox
from django_voicepassword.verifications import challenge
from tests.web.page_client import PageClient
from tests.web.test_security_headers import CSP, FRAMING, POLICY

pytestmark = pytest.mark.any_database

PHONE = "+7 999 000-00-01"
#: The answer that ``is_human`` takes.
RIGHT = "four"
SENTENCE = "Confirm that you are not a robot, then try again."


def is_human(request: HttpRequest) -> bool:
    return bool(getattr(request, challenge.ATTRIBUTE) == RIGHT)


def is_human_says_turnstile(request: HttpRequest) -> bool:
    return is_human(request)


# As the callables of contrib.challenges have it; nobody asks the provider here.
is_human_says_turnstile.provider = challenges.turnstile.provider  # type: ignore[attr-defined]


def ask_for_a_challenge(verification: Verification, channel: str, request: HttpRequest) -> None:
    """BEFORE_SEND: every send needs a solved challenge."""
    if not challenge.is_solved(request):
        raise ChallengeRequired


@pytest.fixture(params=["is_human", "is_human_says_turnstile"])
def field(request: pytest.FixtureRequest, configure: Callable[..., None]) -> str:
    """The field with the answer, of a challenge of the project and of one of Turnstile's."""
    ask(configure, request.param)
    return "challenge" if request.param == "is_human" else "cf-turnstile-response"


def ask(configure: Callable[..., None], name: str = "is_human_says_turnstile") -> None:
    configure(
        CHALLENGE=f"{__name__}.{name}",
        CHALLENGE_KEYS={"site": "key-of-the-site", "secret": "sekret"},
        BEFORE_SEND=f"{__name__}.ask_for_a_challenge",
    )


def send(client: PageClient, path: str, **fields: str) -> Any:
    """Post the form as the page has it, with what the widget has added."""
    token = client.page.forms[0].fields["csrfmiddlewaretoken"]
    data = {"csrfmiddlewaretoken": token, **fields}
    return client._load(path, client.client.post(path, data, follow=True))


def test_the_login_page_asks_keeps_the_number_and_goes_on(
    page_client: PageClient, field: str
) -> None:
    page_client.open("/auth/login/?next=/auth/logout/")
    page = page_client.press("Call me", phone=PHONE)
    assert page_client.status == 403
    assert page.alerts == [SENTENCE]
    assert page.forms[0].fields["phone"] == PHONE
    assert page.forms[0].fields["next"] == "/auth/logout/"
    assert not Verification.objects.exists()

    page = send(page_client, "/auth/login/", phone=PHONE, **{field: "five"})
    assert page_client.status == 403
    assert page.alerts == ["The check has failed. Please do it again."]
    assert page.forms[0].fields["phone"] == PHONE

    send(page_client, "/auth/login/", phone=PHONE, **{field: RIGHT})
    assert page_client.path.startswith("/auth/login/code/")
    assert len(outbox) == 1


def test_an_address_that_others_have_used_up_asks_for_a_challenge(
    page_client: PageClient, configure: Callable[..., None]
) -> None:
    configure(CHALLENGE=f"{__name__}.is_human", LIMITS={"ip": ["1/h"]})
    page_client.open("/auth/login/")
    page_client.press("Call me", phone="+7 999 000-00-02")
    neighbour = PageClient()
    neighbour.open("/auth/login/")
    page = neighbour.press("Call me", phone=PHONE)
    assert (neighbour.status, page.alerts) == (403, [SENTENCE])
    send(neighbour, "/auth/login/", phone=PHONE, challenge=RIGHT)
    assert neighbour.path.startswith("/auth/login/code/")
    assert len(outbox) == 2


def test_the_code_page_asks_before_it_sends_again(
    on_code_page: PageClient, configure: Callable[..., None]
) -> None:
    ask(configure)
    with freeze_time(timezone.now() + timedelta(seconds=61)):
        on_code_page.reload()
        page = on_code_page.press("Let a robot say the code")
        assert on_code_page.status == 403
        assert page.alerts == [SENTENCE]
        assert page.element(**{"class": "cf-turnstile"})
        # The code of the first call may still be typed.
        assert page.form_of("Log in")
        resend = page.form_of("Let a robot say the code")[0].action
        send(on_code_page, resend, channel="voice", **{"cf-turnstile-response": RIGHT})
    assert [sent.channel for sent in outbox] == ["flashcall", "voice"]


def test_the_page_of_a_confirmation_asks_and_shows_no_number(
    page_client: PageClient, django_user_model: Any, field: str
) -> None:
    user = django_user_model.objects.create_user("anna")
    VerifiedPhone.objects.create(user=user, phone="79990000001")
    page_client.client.force_login(user)
    page_client.open("/auth/confirm/")
    page = page_client.press("Call me")
    assert (page_client.status, page.alerts) == (403, [SENTENCE])
    assert "9990000001" not in page.html
    send(page_client, "/auth/confirm/", **{field: RIGHT})
    assert page_client.path.startswith("/auth/login/code/")


def test_the_widget_is_there_when_it_is_needed_and_stays(
    page_client: PageClient, configure: Callable[..., None]
) -> None:
    ask(configure)
    page = page_client.open("/auth/login/")
    assert "turnstile" not in page.html
    page = page_client.press("Call me", phone=PHONE)
    assert page.element(**{"class": "cf-turnstile"})["data-sitekey"] == "key-of-the-site"
    assert page.element(src="https://challenges.cloudflare.com/turnstile/v0/api.js")
    assert "needs JavaScript" in page.html
    assert "sekret" not in page.html
    # A mistyped number does not cost the challenge.
    page = send(page_client, "/auth/login/", phone="12", **{"cf-turnstile-response": RIGHT})
    assert page_client.status == 400
    assert page.element(**{"class": "cf-turnstile"})


def test_a_challenge_of_the_project_fills_the_block(
    page_client: PageClient, configure: Callable[..., None], settings: Any, tmp_path: Path
) -> None:
    ask(configure, "is_human")
    (tmp_path / "voicepassword").mkdir()
    (tmp_path / "voicepassword/login.html").write_text(
        '{% extends "voicepassword/login.html" %}{% block challenge %}'
        '<label for="sum">Two and two?</label><input id="sum" name="challenge">{% endblock %}'
    )
    settings.TEMPLATES = [{**django_settings.TEMPLATES[0], "DIRS": [tmp_path]}]
    page = page_client.open("/auth/login/")
    assert "Two and two?" not in page.text
    page = page_client.press("Call me", phone=PHONE)
    assert "Two and two?" in page.text
    # It works without JavaScript.
    page_client.press("Call me", challenge=RIGHT)
    assert page_client.path.startswith("/auth/login/code/")


def test_the_policy_allows_the_widget_where_it_is_shown_and_nowhere_else(
    page_client: PageClient, configure: Callable[..., None]
) -> None:
    ask(configure)
    page_client.open("/auth/login/")
    assert page_client.response.headers[CSP] == POLICY
    page_client.press("Call me", phone=PHONE)
    origin = "https://challenges.cloudflare.com"
    assert page_client.response.headers[CSP] == (
        f"default-src 'none'; script-src 'self' {origin}; style-src 'self' {origin}; "
        f"img-src 'self'; connect-src 'self' {origin}; frame-src {origin}; base-uri 'none'; "
        "frame-ancestors 'none'"
    )


def test_a_widget_of_the_project_may_load_what_it_likes(
    page_client: PageClient, configure: Callable[..., None], settings: Any, tmp_path: Path
) -> None:
    ask(configure, "is_human")
    (tmp_path / "voicepassword").mkdir()
    (tmp_path / "voicepassword/challenge.html").write_text("<p>Two and two?</p>")
    settings.TEMPLATES = [{**django_settings.TEMPLATES[0], "DIRS": [tmp_path]}]
    page_client.open("/auth/login/")
    assert page_client.response.headers[CSP] == POLICY
    assert "Two and two?" in page_client.press("Call me", phone=PHONE).text
    assert page_client.response.headers[CSP] == FRAMING


def test_a_challenge_without_a_widget_leaves_the_policy_as_it_is(
    page_client: PageClient, configure: Callable[..., None]
) -> None:
    ask(configure, "is_human")
    page_client.open("/auth/login/")
    page_client.press("Call me", phone=PHONE)
    assert page_client.response.headers[CSP] == POLICY
