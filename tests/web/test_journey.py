"""From the phone to the login, as a browser without script walks it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from decimal import Decimal

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
from tests.web.person import Person


@pytest.fixture(autouse=True)
def _home(settings):
    settings.LOGIN_REDIRECT_URL = "/auth/logout/"
    settings.LOGOUT_REDIRECT_URL = None


@contextmanager
def commits_at_once() -> Iterator[None]:
    """A test's own transaction never commits: what waits for the commit runs at once, in the
    request.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(transaction, "on_commit", lambda work, using=None, robust=False: work())
        yield


def other_than(code: str) -> str:
    return code[:-1] + str((int(code[-1]) + 1) % 10)


def test_phone_then_code_logs_in(person):
    page = person.open("/auth/login/")
    assert "the code is the last 4 digits" in page.text
    page = person.press("Call me", phone="8 (999) 000-00-01")
    assert person.path == "/auth/login/code/"
    assert "+7 *** ***-**-01" in page.text
    assert outbox[-1].channel == "flashcall"
    person.press("Log in", code=outbox[-1].code)
    assert person.hops == ["/auth/logout/"]
    assert person.session[USER_KEY] == str(get_user_model().objects.get().pk)
    assert len(outbox) == 1


def test_a_robot_may_call_first(person):
    person.open("/auth/login/")
    page = person.press("Let a robot call and say the code", phone="+79990000001")
    assert outbox[-1].channel == "voice"
    assert "Answer, listen to the code" in page.text


def test_a_wrong_code_says_how_many_tries_are_left(at_code):
    wrong = other_than(outbox[-1].code)
    page = at_code.press("Log in", code=wrong)
    assert at_code.status == 400
    assert page.alerts == ["Wrong code. 4 attempts are left."]
    assert page.title.startswith("Error: ")
    field = page.element(name="code")
    assert field["aria-invalid"] == "true"
    assert page.element(id=field["aria-describedby"])
    at_code.press("Log in", code=outbox[-1].code)
    assert USER_KEY in at_code.session


def test_no_attempt_left_offers_a_new_start(at_code, configure):
    configure(MAX_ATTEMPTS=2)
    right = outbox[-1].code
    at_code.press("Log in", code=other_than(right))
    page = at_code.press("Log in", code=other_than(right))
    assert page.alerts == ["Wrong code, and no attempts are left. Start again to get a new code."]
    assert page.buttons == []
    page = at_code.reload()
    assert "No attempts are left." in page.text
    assert page.element(href="/auth/login/")


def test_an_attempt_after_the_last_one_is_429_with_retry_after(at_code, configure):
    configure(MAX_ATTEMPTS=1)
    form = at_code.page
    right = outbox[-1].code
    at_code.press("Log in", code=other_than(right))
    at_code.page, at_code.path = form, "/auth/login/code/"
    at_code.press("Log in", code=right)
    assert at_code.status == 429
    assert 0 < int(at_code.response["Retry-After"]) <= 300
    assert USER_KEY not in at_code.session


def test_an_expired_code_offers_a_new_start(at_code):
    code = outbox[-1].code
    with freeze_time(timezone.now() + timedelta(seconds=301)):
        page = at_code.press("Log in", code=code)
        assert at_code.status == 410
        assert page.alerts == ["The time is over. Start again to get a new code."]
        assert USER_KEY not in at_code.session
        assert at_code.reload().buttons == []
        at_code.open("/auth/login/")
        at_code.press("Call me", phone="+79990000001")
    assert len(outbox) == 2


def test_an_empty_code_costs_no_attempt(at_code):
    page = at_code.press("Log in", code="")
    assert at_code.status == 400
    assert page.alerts == ["Enter the code."]
    assert Verification.objects.get().attempts == 0


@pytest.mark.parametrize(
    ("phone", "words"),
    [
        ("", "Enter your phone number."),
        ("12345", "This is not a phone number."),
        ("call me", "This is not a phone number."),
        ("+1 201 555 0123", "We cannot call numbers of this country or operator."),
    ],
)
def test_a_bad_phone_is_told_in_words(person, phone, words):
    person.open("/auth/login/")
    page = person.press("Call me", phone=phone)
    assert person.status == 400
    assert page.alerts[0].startswith(words)
    field = page.element(name="phone")
    assert field["aria-invalid"] == "true"
    assert page.element(id=field["aria-describedby"])
    assert outbox == []


def test_a_number_of_another_country_is_called_where_allowed(person, configure):
    configure(ALLOWED_PREFIXES=[])
    person.open("/auth/login/")
    person.press("Call me", phone="+1 201 555 0123")
    assert outbox[-1].number == "12015550123"
    person.press("Log in", code=outbox[-1].code)
    assert USER_KEY in person.session


def test_a_limit_is_429_with_retry_after(person, configure):
    configure(LIMITS={"phone": [], "ip": ["1/h"]})
    person.open("/auth/login/")
    person.press("Call me", phone="+79990000001")
    person.open("/auth/login/")
    page = person.press("Call me", phone="+79990000002")
    assert person.status == 429
    assert 3590 <= int(person.response["Retry-After"]) <= 3600
    assert page.alerts == ["Too many tries. Try again in 1 hour."]
    assert len(outbox) == 1


def test_the_first_verification_stays_when_another_number_is_refused(person, configure):
    configure(LIMITS={"phone": [], "ip": ["1/h"]})
    person.open("/auth/login/")
    person.press("Call me", phone="+79990000001")
    person.open("/auth/login/")
    person.press("Call me", phone="+79990000002")
    person.open("/auth/login/code/")
    person.press("Log in", code=outbox[0].code)
    assert USER_KEY in person.session


def test_the_broker_down_is_503(person, configure, monkeypatch):
    configure(DISPATCH="celery")

    def down(*args: object, **kwargs: object) -> None:
        raise ConnectionError("no broker")

    monkeypatch.setattr(tasks.place_call, "apply_async", down)
    person.open("/auth/login/")
    with commits_at_once():
        page = person.press("Call me", phone="+79990000001")
    assert person.status == 503
    assert page.alerts == ["Calls are not available right now. Try again in a minute."]
    assert SESSION_KEY not in person.session
    assert CallRequest.objects.get().state == CallRequest.State.REFUSED


def test_a_spent_budget_is_503_with_retry_after(person, configure):
    configure(DAILY_BUDGET=Decimal("0.10"))
    person.open("/auth/login/")
    page = person.press("Call me", phone="+79990000001")
    assert person.status == 503
    assert int(person.response["Retry-After"]) > 0
    assert page.alerts == [
        "Calls are not available today. Try again tomorrow or log in another way."
    ]


def test_a_number_that_the_provider_refuses_can_try_at_once_another_way(person, configure):
    configure(TRANSPORT="tests.web.providers.RefusingClient", DISPATCH="inline")
    person.open("/auth/login/")
    with commits_at_once():
        page = person.press("Call me", phone="+79990000001")
    assert person.path == "/auth/login/code/"
    assert "Our calls to this number are blocked for now." in page.text
    assert "You can ask again at" not in page.text
    assert not page.form_of("Let a robot say the code")[1].is_disabled


def test_a_refused_login_ends_the_way_and_tells_nothing(at_code, configure):
    configure(CREATE_USERS=False)
    page = at_code.press("Log in", code=outbox[-1].code)
    assert at_code.status == 403
    assert page.alerts == ["This number cannot be used here."]
    assert SESSION_KEY not in at_code.session
    assert at_code.open("/auth/login/code/").title == "Log in by phone"


def test_resend_by_a_named_channel(at_code):
    page = at_code.page
    assert page.form_of("Let a robot say the code")[1].is_disabled
    assert "You can ask again at" in page.text
    with freeze_time(timezone.now() + timedelta(seconds=61)):
        page = at_code.reload()
        assert "You can ask again at" not in page.text
        assert "Call me again" not in page.buttons
        page = at_code.press("Send the code by SMS")
        assert at_code.hops == ["/auth/login/code/"]
        assert [sent.channel for sent in outbox] == ["flashcall", "sms"]
        assert "An SMS with the code is on its way" in page.text
        at_code.press("Log in", code=outbox[-1].code)
    assert USER_KEY in at_code.session


def test_resend_too_early_is_429_and_rings_nobody(at_code):
    token = at_code.page.forms[0].fields["csrfmiddlewaretoken"]
    response = at_code.client.post(
        "/auth/login/code/resend/", {"channel": "voice", "csrfmiddlewaretoken": token}
    )
    assert response.status_code == 429
    assert 0 < int(response["Retry-After"]) <= 60
    assert b"Too many tries. Try again in" in response.content
    assert len(outbox) == 1


def test_resend_by_an_unknown_channel_is_400(at_code):
    token = at_code.page.forms[0].fields["csrfmiddlewaretoken"]
    response = at_code.client.post(
        "/auth/login/code/resend/", {"channel": "fax", "csrfmiddlewaretoken": token}
    )
    assert response.status_code == 400
    assert b"This way is not available now." in response.content


def test_no_send_left_says_so(at_code, configure):
    configure(MAX_SENDS=1)
    with freeze_time(timezone.now() + timedelta(seconds=61)):
        page = at_code.reload()
    assert "This code cannot be sent again." in page.text
    assert page.buttons == ["Log in", "Wrong number? Enter another one"]


def test_only_the_channels_of_the_project_are_offered(configure, person):
    configure(CHANNELS=["voice"])
    page = person.open("/auth/login/")
    assert page.buttons == ["Let a robot call and say the code"]
    assert "A robot will call you" in page.text
    page = person.press("Let a robot call and say the code", phone="+79990000001")
    assert page.buttons == ["Log in", "Let a robot say the code", "Wrong number? Enter another one"]


def test_a_code_of_six_digits(configure, person):
    configure(CODE_SOURCE="service", CODE_LENGTH=6, CHANNELS=["flashcall", "sms"])
    page = person.open("/auth/login/")
    assert "the last 6 digits" in page.text
    page = person.press("Call me", phone="+79990000001")
    field = page.element(name="code")
    assert (field["maxlength"], field["pattern"]) == ("6", "[0-9]{6}")
    assert len(outbox[-1].code) == 6
    person.press("Log in", code=outbox[-1].code)
    assert USER_KEY in person.session


def test_a_wrong_number_is_canceled_and_rings_nobody(at_code):
    code = outbox[-1].code
    page = at_code.press("Wrong number? Enter another one")
    assert at_code.hops == ["/auth/login/"]
    assert page.element(name="phone").get("value", "") == ""
    assert Verification.objects.get().status == Verification.Status.CANCELED
    assert len(outbox) == 1
    assert at_code.open("/auth/login/code/").title == "Log in by phone"
    at_code.press("Call me", phone="+79990000002")
    at_code.press("Log in", code=code if code != outbox[-1].code else other_than(code))
    assert USER_KEY not in at_code.session


def test_the_same_number_again_after_a_cancel_rings_again(at_code):
    at_code.press("Wrong number? Enter another one")
    at_code.press("Call me", phone="+79990000001")
    assert len(outbox) == 2
    at_code.press("Log in", code=outbox[-1].code)
    assert USER_KEY in at_code.session


def test_the_code_page_without_a_verification_asks_for_the_phone(person):
    assert person.open("/auth/login/code/").title == "Log in by phone"
    assert person.hops == ["/auth/login/"]


@pytest.mark.parametrize("path", ["code/", "code/resend/", "code/cancel/"])
def test_a_post_without_a_verification_asks_for_the_phone(person, path):
    token = person.open("/auth/login/").forms[0].fields["csrfmiddlewaretoken"]
    response = person.client.post(
        f"/auth/login/{path}", {"code": "1234", "csrfmiddlewaretoken": token}, follow=True
    )
    assert response.redirect_chain[-1] == ("/auth/login/", 302)


def test_a_verification_that_was_purged_asks_for_the_phone(at_code):
    Verification.objects.all().delete()
    at_code.press("Log in", code="1234")
    assert at_code.hops == ["/auth/login/"]


@pytest.mark.parametrize("path", ["login/", "login/code/"])
def test_who_is_logged_in_already_goes_on(at_code, path):
    at_code.press("Log in", code=outbox[-1].code)
    at_code.open(f"/auth/{path}")
    assert at_code.hops == ["/auth/logout/"]
    at_code.open(f"/auth/{path}?next=/auth/logout/%3Fx%3D1")
    assert at_code.hops == ["/auth/logout/?x=1"]


def test_who_is_logged_in_already_rings_nobody(at_code):
    at_code.press("Log in", code=outbox[-1].code)
    token = at_code.page.forms[0].fields["csrfmiddlewaretoken"]
    response = at_code.client.post(
        "/auth/login/", {"phone": "+79990000002", "csrfmiddlewaretoken": token}
    )
    assert response.status_code == 302
    assert len(outbox) == 1


def test_log_out_asks_and_then_does(at_code):
    at_code.press("Log in", code=outbox[-1].code)
    page = at_code.open("/auth/logout/")
    assert page.title == "Log out"
    assert USER_KEY in at_code.session
    at_code.press("Log out")
    assert at_code.hops == ["/auth/login/"]
    assert USER_KEY not in at_code.session


def test_log_out_goes_where_the_project_says(at_code, settings):
    at_code.press("Log in", code=outbox[-1].code)
    settings.LOGOUT_REDIRECT_URL = "voicepassword:code"
    at_code.open("/auth/logout/")
    at_code.press("Log out")
    assert at_code.hops[0] == "/auth/login/code/"


def test_log_out_of_nobody_asks_for_the_phone(person):
    person.open("/auth/logout/")
    assert person.hops == ["/auth/login/"]


def test_the_state_is_the_verification_as_the_api_tells_it(at_code):
    response = at_code.client.get("/auth/login/code/state/")
    key = Verification.objects.get().id
    told = at_code.client.get(f"/api/verifications/{key}/").json()
    given = response.json()
    assert given.keys() == told.keys()
    times = {"expires_at", "resend_at"}
    assert {name: given[name] for name in given.keys() - times} == {
        name: told[name] for name in told.keys() - times
    }
    assert given["resend_at"] > timezone.now().isoformat()[:19]


def test_the_state_of_nothing_is_404(person):
    assert person.client.get("/auth/login/code/state/").status_code == 404


def test_pages_speak_the_language_of_the_reader(db):
    page = Person(HTTP_ACCEPT_LANGUAGE="ru").open("/auth/login/")
    assert page.elements[0] == ("html", {"lang": "ru", "dir": "ltr"})
