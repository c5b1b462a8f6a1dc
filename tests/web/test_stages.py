"""The code page in every stage of the call, in a browser without JavaScript."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth import SESSION_KEY as USER_KEY
from django.db import OperationalError
from django.utils import timezone

from django_voicepassword.models import CallRequest, Verification
from django_voicepassword.testing import outbox
from tests.web.page_client import Page, PageClient

pytestmark = pytest.mark.any_database

State = CallRequest.State


def at(client: PageClient, state: str, seconds: int = 62, **values: Any) -> Page:
    """The code page once its call is in this state, and may be repeated."""
    past = timezone.now() - timedelta(seconds=seconds)
    CallRequest.objects.update(state=state, created_at=past, placed_at=past, **values)
    Verification.objects.update(last_sent_at=None if state == State.REFUSED else past)
    return client.reload()


def has_code_field(page: Page) -> bool:
    return any(attributes.get("name") == "code" for _, attributes in page.elements)


@pytest.mark.parametrize(
    ("state", "seconds", "sentence"),
    [
        (State.QUEUED, 1, "We are about to call you."),
        (State.QUEUED, 20, "The call is late."),
        (State.UNKNOWN, 20, "The call should have come by now."),
        (State.DIALING, 1, "We are calling you."),
        (State.NO_ANSWER, 62, "We called you."),
        (State.BUSY, 62, "Your line was busy"),
        (State.FAILED, 62, "The call did not get through."),
    ],
)
def test_while_a_code_may_come_the_field_is_there(
    on_code_page: PageClient, state: str, seconds: int, sentence: str
) -> None:
    page = at(on_code_page, state, seconds)
    assert sentence in page.text
    assert page.title == "Enter the code"
    assert has_code_field(page)
    assert page.main_buttons == ["Log in"]
    # Without JavaScript a link loads the newest state.
    assert page.element(href="/auth/login/code/")
    assert len(outbox) == 1


def test_a_number_that_cannot_be_called_can_only_be_changed(on_code_page: PageClient) -> None:
    page = at(on_code_page, State.REFUSED, error_code="number_not_valid")
    assert page.title == "Check the number"
    assert "This number cannot be called." in page.text
    assert not has_code_field(page)
    assert page.buttons == page.main_buttons == ["Change the number"]
    page = on_code_page.press("Change the number")
    assert page.element(name="phone")["value"] == "+7 999 000-00-01"


@pytest.mark.parametrize(
    ("error_code", "buttons"),
    [
        # The same way would be refused again, and no call was taken that an SMS could repeat.
        ("number_in_spam_list", ["Change the number", "Let a robot say the code"]),
        ("unknown_request", ["Change the number", "Let a robot say the code"]),
        ("not_enough_money", ["Change the number", "Try again"]),
        ("unreachable", ["Change the number", "Try again"]),
    ],
)
def test_a_refused_call_offers_first_what_helps(
    on_code_page: PageClient, error_code: str, buttons: list[str]
) -> None:
    page = at(on_code_page, State.REFUSED, error_code=error_code, provider_id="")
    assert page.title == "No call was made"
    assert not has_code_field(page)
    assert page.buttons == buttons
    assert page.main_buttons == buttons[1:]
    on_code_page.press(buttons[1])
    assert len(outbox) == 2
    on_code_page.press("Log in", code=outbox[-1].code)
    assert USER_KEY in on_code_page.session


def test_the_code_of_an_earlier_call_may_be_typed_after_a_refusal(
    on_code_page: PageClient,
) -> None:
    code = outbox[-1].code
    at(on_code_page, State.NO_ANSWER)
    on_code_page.press("Let a robot say the code")
    newest = CallRequest.objects.order_by("id").last()
    CallRequest.objects.filter(pk=newest.pk).update(  # type: ignore[union-attr]
        state=State.REFUSED, error_code="number_in_spam_list"
    )
    page = on_code_page.reload()
    assert "This number does not take our calls for now." in page.text
    on_code_page.press("Log in", code=code)
    assert USER_KEY in on_code_page.session


def test_no_send_left_leads_to_a_new_start(
    on_code_page: PageClient, configure: Callable[..., None]
) -> None:
    configure(MAX_SENDS=1)
    page = at(on_code_page, State.REFUSED, error_code="unknown_request")
    assert "Start again to get a new code." in page.text
    assert page.main_buttons == ["Get a new code"]
    # The button of that form leads to the address that cancels.
    assert page.element(formaction="/auth/login/code/cancel/")


def test_the_drawn_call_has_as_many_places_as_the_code(on_code_page: PageClient) -> None:
    for digits, start in ((4, "+7 495 123"), (6, "+7 495 1")):
        Verification.objects.update(code_length=digits)
        page = on_code_page.reload()
        places = [item for _, item in page.elements if item.get("class") == "vp-call-digit"]
        assert len(places) == digits
        assert f"{start} " in page.text
        assert f"Its last {digits} digits are the code." in page.text


def test_no_call_is_drawn_for_a_code_that_a_robot_says(page_client: PageClient) -> None:
    page_client.open("/auth/login/")
    page = page_client.press("Let a robot call and say the code", phone="+79990000001")
    assert "Incoming call" not in page.text
    assert "Where to find a missed call" not in page.text


def test_the_code_of_an_old_tab_is_not_compared(on_code_page: PageClient) -> None:
    old_page, old_path, old_code = on_code_page.page, on_code_page.path, outbox[-1].code
    on_code_page.press("Change the number")
    on_code_page.press("Call me", phone="+79990000002")
    newest = Verification.objects.get(phone="79990000002")
    for button in ("Log in", "Change the number"):
        on_code_page.page, on_code_page.path = old_page, old_path
        page = on_code_page.press(button, **({"code": old_code} if button == "Log in" else {}))
        assert "+7 999 000-00-02" in page.text
        newest.refresh_from_db()
        assert (newest.status, newest.attempts) == (Verification.Status.PENDING, 0)
    assert on_code_page.path == "/auth/login/code/"


def test_an_old_tab_after_a_cancel_says_what_happened(on_code_page: PageClient) -> None:
    old_page, old_path = on_code_page.page, on_code_page.path
    on_code_page.press("Change the number")
    on_code_page.page, on_code_page.path = old_page, old_path
    page = on_code_page.press("Log in", code=outbox[-1].code)
    assert page.title == "Log in by phone"
    assert "The earlier call was canceled. Check the number and ask for a new call." in page.text
    assert page.element(name="phone")["value"] == "+7 999 000-00-01"


def test_a_landline_is_told_that_a_mobile_phone_is_needed(page_client: PageClient) -> None:
    page_client.open("/auth/login/")
    page = page_client.press("Call me", phone="8 495 123-45-67")
    assert page.alerts == ["This is a landline. Enter the number of a mobile phone."]
    assert page_client.status == 400


def test_a_database_that_is_away_leaves_a_button_to_try_again(
    page_client: PageClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    page_client.open("/auth/login/?next=/x/")

    def fail(*args: object, **kwargs: object) -> None:
        raise OperationalError

    monkeypatch.setattr("django_voicepassword.web.start_views.session.begin", fail)
    page = page_client.press("Call me", phone="+79990000001")
    assert page_client.status == 503
    assert page.element(href="/auth/login/?next=%2Fx%2F")


def test_without_a_page_to_go_to_the_login_says_that_one_is_logged_in(
    on_code_page: PageClient,
) -> None:
    page = on_code_page.press("Log in", code=outbox[-1].code)
    assert on_code_page.path == "/auth/login/"
    assert page.title == "You are logged in"
    assert "+7 *** ***-**-01" in page.text
    on_code_page.press("Log out")
    assert USER_KEY not in on_code_page.session


def test_a_page_at_the_default_address_is_used(on_code_page: PageClient, settings: Any) -> None:
    settings.ROOT_URLCONF = "tests.web.urls_with_profile"
    on_code_page.press("Log in", code=outbox[-1].code)
    assert on_code_page.path == "/accounts/profile/"


def test_a_number_is_kept_after_an_error_of_a_limit(
    page_client: PageClient, configure: Callable[..., None]
) -> None:
    configure(LIMITS={"phone": ["0/h"]})
    page_client.open("/auth/login/")
    page = page_client.press("Call me", phone="8 999 000 00 01")
    assert page_client.status == 429
    assert page.element(name="phone")["value"] == "8 999 000 00 01"
