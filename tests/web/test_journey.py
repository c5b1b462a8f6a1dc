"""The login from the phone number to the code, in a browser without JavaScript."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.auth import SESSION_KEY as USER_KEY
from django.contrib.auth import get_user_model
from django.db import transaction
from django.utils import timezone
from freezegun import freeze_time

from django_voicepassword import tasks
from django_voicepassword.models import CallRequest, Verification
from django_voicepassword.testing import outbox
from django_voicepassword.web.session import SESSION_KEY
from tests.web.page_client import PageClient


@pytest.fixture(autouse=True)
def _redirect_urls(settings: Any) -> None:
    settings.LOGIN_REDIRECT_URL = "/auth/logout/"
    settings.LOGOUT_REDIRECT_URL = None


@contextmanager
def on_commit_runs_immediately() -> Iterator[None]:
    """Run on_commit callbacks within the request: the test's transaction never commits."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(transaction, "on_commit", lambda work, using=None, robust=False: work())
        yield


def wrong_code(code: str) -> str:
    return code[:-1] + str((int(code[-1]) + 1) % 10)


def test_phone_then_code_logs_in(page_client: PageClient) -> None:
    page = page_client.open("/auth/login/")
    assert "the code is the last 4 digits" in page.text
    page = page_client.press("Call me", phone="8 (999) 000-00-01")
    assert page_client.path == "/auth/login/code/"
    assert "+7 999 000-00-01" in page.text
    assert outbox[-1].channel == "flashcall"
    page_client.press("Log in", code=outbox[-1].code)
    assert page_client.redirects == ["/auth/logout/"]
    assert page_client.session[USER_KEY] == str(get_user_model().objects.get().pk)
    assert len(outbox) == 1


def test_the_first_call_may_be_a_voice_call(page_client: PageClient) -> None:
    page_client.open("/auth/login/")
    page = page_client.press("Let a robot call and say the code", phone="+79990000001")
    assert outbox[-1].channel == "voice"
    assert "Answer, listen to the code" in page.text


def test_a_code_that_cannot_be_right_costs_no_attempt(on_code_page: PageClient) -> None:
    for code in ("12345", "12a4", "code"):
        page = on_code_page.press("Log in", code=code)
        assert on_code_page.status == 400
        assert page.alerts == [
            "The code has 4 digits and no letters. Enter it again: this was no attempt."
        ]
    assert Verification.objects.get().attempts == 0
    on_code_page.press("Log in", code=f" {' '.join(outbox[-1].code)} ")
    assert USER_KEY in on_code_page.session


def test_a_wrong_code_says_how_many_attempts_are_left(on_code_page: PageClient) -> None:
    wrong = wrong_code(outbox[-1].code)
    page = on_code_page.press("Log in", code=wrong)
    assert on_code_page.status == 400
    assert page.alerts == ["Wrong code. 4 attempts are left."]
    assert page.title.startswith("Error: ")
    field = page.element(name="code")
    assert field["aria-invalid"] == "true"
    assert page.element(id=field["aria-describedby"])
    on_code_page.press("Log in", code=outbox[-1].code)
    assert USER_KEY in on_code_page.session


def test_no_attempt_left_offers_a_new_start(
    on_code_page: PageClient, configure: Callable[..., None]
) -> None:
    configure(MAX_ATTEMPTS=2)
    right = outbox[-1].code
    on_code_page.press("Log in", code=wrong_code(right))
    page = on_code_page.press("Log in", code=wrong_code(right))
    assert page.alerts == ["Wrong code, and no attempts are left. Start again to get a new code."]
    assert page.buttons == []
    page = on_code_page.reload()
    assert "No attempts are left." in page.text
    assert page.element(href="/auth/login/")


def test_an_attempt_after_the_last_one_is_429_with_retry_after(
    on_code_page: PageClient, configure: Callable[..., None]
) -> None:
    configure(MAX_ATTEMPTS=1)
    form = on_code_page.page
    right = outbox[-1].code
    on_code_page.press("Log in", code=wrong_code(right))
    on_code_page.page, on_code_page.path = form, "/auth/login/code/"
    on_code_page.press("Log in", code=right)
    assert on_code_page.status == 429
    assert 0 < int(on_code_page.response["Retry-After"]) <= 300
    assert USER_KEY not in on_code_page.session


def test_an_expired_code_offers_a_new_start(on_code_page: PageClient) -> None:
    code = outbox[-1].code
    with freeze_time(timezone.now() + timedelta(seconds=301)):
        page = on_code_page.press("Log in", code=code)
        assert on_code_page.status == 410
        assert page.alerts == ["The time is over. Start again to get a new code."]
        assert USER_KEY not in on_code_page.session
        assert on_code_page.reload().buttons == []
        on_code_page.open("/auth/login/")
        on_code_page.press("Call me", phone="+79990000001")
    assert len(outbox) == 2


def test_an_empty_code_costs_no_attempt(on_code_page: PageClient) -> None:
    page = on_code_page.press("Log in", code="")
    assert on_code_page.status == 400
    assert page.alerts == ["Enter the code."]
    assert Verification.objects.get().attempts == 0


@pytest.mark.parametrize(
    ("phone", "message"),
    [
        ("", "Enter your phone number."),
        ("12345", "This is not a phone number."),
        ("call me", "This is not a phone number."),
        ("+1 201 555 0123", "We cannot call numbers of this country or operator."),
    ],
)
def test_an_invalid_phone_is_explained(page_client: PageClient, phone: Any, message: Any) -> None:
    page_client.open("/auth/login/")
    page = page_client.press("Call me", phone=phone)
    assert page_client.status == 400
    assert page.alerts[0].startswith(message)
    field = page.element(name="phone")
    assert field["aria-invalid"] == "true"
    assert page.element(id=field["aria-describedby"])
    assert outbox == []


def test_a_number_of_another_country_is_called_if_allowed(
    page_client: PageClient, configure: Callable[..., None]
) -> None:
    configure(ALLOWED_PREFIXES=[])
    page_client.open("/auth/login/")
    page_client.press("Call me", phone="+1 201 555 0123")
    assert outbox[-1].number == "12015550123"
    page_client.press("Log in", code=outbox[-1].code)
    assert USER_KEY in page_client.session


def test_a_limit_is_429_with_retry_after(
    page_client: PageClient, configure: Callable[..., None]
) -> None:
    configure(LIMITS={"phone": [], "ip": ["1/h"]})
    page_client.open("/auth/login/")
    page_client.press("Call me", phone="+79990000001")
    page_client.open("/auth/login/")
    page = page_client.press("Call me", phone="+79990000002")
    assert page_client.status == 429
    assert 3590 <= int(page_client.response["Retry-After"]) <= 3600
    # An address is shared: the person may have asked for nothing before.
    assert page.alerts == [
        "Too many calls were asked for from your network, which others may use too. "
        "Try again in 1 hour, or use another network, such as mobile data."
    ]
    assert len(outbox) == 1


def test_a_refused_number_leaves_the_first_verification_open(
    page_client: PageClient, configure: Callable[..., None]
) -> None:
    configure(LIMITS={"phone": [], "ip": ["1/h"]})
    page_client.open("/auth/login/")
    page_client.press("Call me", phone="+79990000001")
    page_client.open("/auth/login/")
    page_client.press("Call me", phone="+79990000002")
    page_client.open("/auth/login/code/")
    page_client.press("Log in", code=outbox[0].code)
    assert USER_KEY in page_client.session


def test_a_broker_that_is_down_is_503(
    page_client: PageClient, configure: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    configure(DISPATCH="celery")

    def down(*args: object, **kwargs: object) -> None:
        raise ConnectionError("no broker")

    monkeypatch.setattr(tasks.place_call, "apply_async", down)
    page_client.open("/auth/login/")
    with on_commit_runs_immediately():
        page = page_client.press("Call me", phone="+79990000001")
    assert page_client.status == 503
    assert page.alerts == ["Calls are not available right now. Try again in a minute."]
    assert SESSION_KEY not in page_client.session
    assert CallRequest.objects.get().state == CallRequest.State.REFUSED


def test_a_spent_budget_is_503_with_retry_after(
    page_client: PageClient, configure: Callable[..., None]
) -> None:
    configure(DAILY_BUDGET=Decimal("0.10"))
    page_client.open("/auth/login/")
    page = page_client.press("Call me", phone="+79990000001")
    assert page_client.status == 503
    assert int(page_client.response["Retry-After"]) > 0
    [alert] = page.alerts
    assert re.fullmatch(r"Calls are not available for now\. Try again in \d+ \w+\.", alert)


def test_a_number_refused_by_the_provider_may_use_another_channel_at_once(
    page_client: PageClient, configure: Callable[..., None]
) -> None:
    configure(TRANSPORT="tests.web.refusing_client.RefusingClient", DISPATCH="inline")
    page_client.open("/auth/login/")
    with on_commit_runs_immediately():
        page = page_client.press("Call me", phone="+79990000001")
    assert page_client.path == "/auth/login/code/"
    assert "This number does not take our calls for now. Choose another way." in page.text
    assert "You can ask again in" not in page.text
    assert not page.form_of("Let a robot say the code")[1].is_disabled


def test_a_refused_login_ends_the_verification_and_gives_no_reason(
    on_code_page: PageClient, configure: Callable[..., None]
) -> None:
    configure(CREATE_USERS=False)
    page = on_code_page.press("Log in", code=outbox[-1].code)
    assert on_code_page.status == 403
    assert page.alerts == [
        "This number cannot be used here. Enter another number, or write to support."
    ]
    assert page.element(href="/auth/login/")
    assert "Get a new code" not in page.text
    assert SESSION_KEY not in on_code_page.session
    assert on_code_page.open("/auth/login/code/").title == "Log in by phone"


def test_resend_by_a_named_channel(on_code_page: PageClient) -> None:
    page = on_code_page.page
    assert page.form_of("Let a robot say the code")[1].is_disabled
    assert "You can ask again in 1 minute." in page.text
    with freeze_time(timezone.now() + timedelta(seconds=61)):
        page = on_code_page.reload()
        assert "You can ask again in" not in page.text
        assert "Call me again" not in page.buttons
        page = on_code_page.press("Send the code by SMS")
        assert on_code_page.redirects == ["/auth/login/code/"]
        assert [sent.channel for sent in outbox] == ["flashcall", "sms"]
        assert "The SMS with the code is on its way." in page.text
        on_code_page.press("Log in", code=outbox[-1].code)
    assert USER_KEY in on_code_page.session


def test_resend_too_early_is_429_and_makes_no_call(on_code_page: PageClient) -> None:
    token = on_code_page.page.forms[0].fields["csrfmiddlewaretoken"]
    response = on_code_page.client.post(
        "/auth/login/code/resend/", {"channel": "voice", "csrfmiddlewaretoken": token}
    )
    assert response.status_code == 429
    assert 0 < int(response["Retry-After"]) <= 60
    assert b"The code may still be on its way. You can ask for it again in" in response.content
    assert len(outbox) == 1


def test_resend_by_an_unknown_channel_is_400(on_code_page: PageClient) -> None:
    token = on_code_page.page.forms[0].fields["csrfmiddlewaretoken"]
    response = on_code_page.client.post(
        "/auth/login/code/resend/", {"channel": "fax", "csrfmiddlewaretoken": token}
    )
    assert response.status_code == 400
    assert b"This way is not available now." in response.content


def test_no_send_left_says_so(on_code_page: PageClient, configure: Callable[..., None]) -> None:
    configure(MAX_SENDS=1)
    with freeze_time(timezone.now() + timedelta(seconds=61)):
        page = on_code_page.reload()
    assert "This code cannot be sent again." in page.text
    assert page.buttons == ["Change the number", "Log in", "Get a new code"]


def test_only_the_channels_of_the_project_are_offered(
    configure: Callable[..., None], page_client: PageClient
) -> None:
    configure(CHANNELS=["voice"])
    page = page_client.open("/auth/login/")
    assert page.buttons == ["Let a robot call and say the code"]
    assert "A robot will call you" in page.text
    page = page_client.press("Let a robot call and say the code", phone="+79990000001")
    assert page.buttons == ["Change the number", "Log in", "Let a robot say the code"]


def test_a_code_of_six_digits(configure: Callable[..., None], page_client: PageClient) -> None:
    configure(CODE_SOURCE="service", CODE_LENGTH=6, CHANNELS=["flashcall", "sms"])
    page = page_client.open("/auth/login/")
    assert "the last 6 digits" in page.text
    page = page_client.press("Call me", phone="+79990000001")
    field = page.element(name="code")
    # Without the script that cleans it, a pasted code may be grouped.
    assert int(field["maxlength"]) >= len(" 12 - 34 - 56 ")
    assert len(outbox[-1].code) == 6
    for code in ("12345", "1234567", "12345a"):
        page = page_client.press("Log in", code=code)
        assert page.alerts[0].startswith("The code has 6 digits and no letters.")
    page_client.press("Log in", code="-".join(outbox[-1].code))
    assert USER_KEY in page_client.session


def test_a_longer_code_is_explained(on_code_page: PageClient) -> None:
    why = "The code is longer than usual, so that no stranger can guess it."
    assert why not in on_code_page.page.text
    Verification.objects.update(is_long=True, code_length=6)
    page = on_code_page.reload()
    assert f"the last 6 digits of the number that calls. {why}" in page.text
    assert page.element(name="code")["size"] == "6"
    assert on_code_page.client.get("/auth/login/code/state/").json()["hint"].endswith(why)


def test_a_wrong_number_is_canceled(on_code_page: PageClient) -> None:
    code = outbox[-1].code
    page = on_code_page.press("Change the number")
    assert on_code_page.redirects == ["/auth/login/"]
    # It is corrected, not typed again.
    assert page.element(name="phone")["value"] == "+7 999 000-00-01"
    assert "The earlier call was canceled." in page.text
    assert Verification.objects.get().status == Verification.Status.CANCELED
    assert len(outbox) == 1
    assert on_code_page.open("/auth/login/code/").title == "Log in by phone"
    on_code_page.press("Call me", phone="+79990000002")
    on_code_page.press("Log in", code=code if code != outbox[-1].code else wrong_code(code))
    assert USER_KEY not in on_code_page.session


def test_after_a_cancel_the_same_number_is_called_again(on_code_page: PageClient) -> None:
    on_code_page.press("Change the number")
    on_code_page.press("Call me", phone="+79990000001")
    assert len(outbox) == 2
    on_code_page.press("Log in", code=outbox[-1].code)
    assert USER_KEY in on_code_page.session


def test_the_code_page_without_a_verification_asks_for_the_phone(page_client: PageClient) -> None:
    assert page_client.open("/auth/login/code/").title == "Log in by phone"
    assert page_client.redirects == ["/auth/login/"]


@pytest.mark.parametrize("path", ["code/", "code/resend/", "code/cancel/"])
def test_a_post_without_a_verification_asks_for_the_phone(
    page_client: PageClient, path: Any
) -> None:
    token = page_client.open("/auth/login/").forms[0].fields["csrfmiddlewaretoken"]
    response = page_client.client.post(
        f"/auth/login/{path}", {"code": "1234", "csrfmiddlewaretoken": token}, follow=True
    )
    assert response.redirect_chain[-1] == ("/auth/login/", 302)


def test_a_verification_that_was_purged_asks_for_the_phone(on_code_page: PageClient) -> None:
    Verification.objects.all().delete()
    on_code_page.press("Log in", code="1234")
    assert on_code_page.redirects == ["/auth/login/"]


@pytest.mark.parametrize("path", ["login/", "login/code/"])
def test_a_logged_in_user_is_redirected(on_code_page: PageClient, path: Any) -> None:
    on_code_page.press("Log in", code=outbox[-1].code)
    on_code_page.open(f"/auth/{path}")
    assert on_code_page.redirects == ["/auth/logout/"]
    on_code_page.open(f"/auth/{path}?next=/auth/logout/%3Fx%3D1")
    assert on_code_page.redirects == ["/auth/logout/?x=1"]


def test_a_logged_in_user_starts_no_call(on_code_page: PageClient) -> None:
    on_code_page.press("Log in", code=outbox[-1].code)
    token = on_code_page.page.forms[0].fields["csrfmiddlewaretoken"]
    response = on_code_page.client.post(
        "/auth/login/", {"phone": "+79990000002", "csrfmiddlewaretoken": token}
    )
    assert response.status_code == 302
    assert len(outbox) == 1


def test_logout_asks_for_confirmation(on_code_page: PageClient) -> None:
    on_code_page.press("Log in", code=outbox[-1].code)
    page = on_code_page.open("/auth/logout/")
    assert page.title == "Log out"
    assert USER_KEY in on_code_page.session
    on_code_page.press("Log out")
    assert on_code_page.redirects == ["/auth/login/"]
    assert USER_KEY not in on_code_page.session


def test_logout_follows_logout_redirect_url(on_code_page: PageClient, settings: Any) -> None:
    on_code_page.press("Log in", code=outbox[-1].code)
    settings.LOGOUT_REDIRECT_URL = "voicepassword:code"
    on_code_page.open("/auth/logout/")
    on_code_page.press("Log out")
    assert on_code_page.redirects[0] == "/auth/login/code/"


def test_logout_of_an_anonymous_user_asks_for_the_phone(page_client: PageClient) -> None:
    page_client.open("/auth/logout/")
    assert page_client.redirects == ["/auth/login/"]


def test_the_state_has_the_form_of_the_api(on_code_page: PageClient) -> None:
    response = on_code_page.client.get("/auth/login/code/state/")
    key = Verification.objects.get().id
    api_state = on_code_page.client.get(f"/api/verifications/{key}/").json()
    page_state = response.json()
    assert page_state.keys() - {"stage", "takes_code"} == api_state.keys()
    times = {"expires_at", "resend_at"}
    assert {name: page_state[name] for name in api_state.keys() - times} == {
        name: api_state[name] for name in api_state.keys() - times
    }
    assert page_state["resend_at"] > timezone.now().isoformat()[:19]


def test_without_a_verification_the_state_is_404(page_client: PageClient) -> None:
    assert page_client.client.get("/auth/login/code/state/").status_code == 404


def test_pages_use_the_language_of_the_request(db: Any) -> None:
    page = PageClient(HTTP_ACCEPT_LANGUAGE="ru").open("/auth/login/")
    assert page.elements[0] == ("html", {"lang": "ru", "dir": "ltr"})
