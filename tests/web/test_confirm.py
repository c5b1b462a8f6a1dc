"""An important step: the phone is proved once more, and views that ask for it."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.http import HttpRequest, HttpResponse
from django.test import Client, override_settings
from django.urls import include, path
from django.utils import timezone
from django.views import View
from freezegun import freeze_time
from rest_framework.authentication import SessionAuthentication, TokenAuthentication
from rest_framework.authtoken.models import Token
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from django_voicepassword.accounts import users
from django_voicepassword.api.permissions import IsPhoneVerified
from django_voicepassword.decorators import PhoneVerifiedRequiredMixin, phone_verified_required
from django_voicepassword.models import Verification, VerifiedPhone
from django_voicepassword.testing import outbox
from tests.web.person import Person

pytestmark = pytest.mark.django_db
PHONE = "79990000001"


@phone_verified_required(max_age=600)
def withdraw(request: HttpRequest) -> HttpResponse:
    return HttpResponse("withdrawn")


@phone_verified_required
def profile(request: HttpRequest) -> HttpResponse:
    return HttpResponse("profile")


class Transfer(PhoneVerifiedRequiredMixin, View):
    phone_max_age = 600

    def get(self, request: HttpRequest) -> HttpResponse:
        return HttpResponse("transferred")


class Program(APIView):
    authentication_classes = [TokenAuthentication, SessionAuthentication]
    permission_classes = [IsPhoneVerified.within(600)]

    def get(self, request: Request) -> Response:
        return Response("served")


urlpatterns = [
    path("withdraw/", withdraw),
    path("profile/", profile),
    path("transfer/", Transfer.as_view()),
    path("program/", Program.as_view()),
    path("", include("tests.urls")),
]


@pytest.fixture(autouse=True)
def _routes() -> Any:
    with override_settings(ROOT_URLCONF=__name__, LOGIN_URL="voicepassword:login"):
        yield


@pytest.fixture
def user() -> Any:
    user = get_user_model().objects.create(username="someone")
    users.assign(user, PHONE)
    return user


@pytest.fixture
def at_home(person: Person, user: Any) -> Person:
    """Somebody who logged in by a password."""
    person.client.force_login(user)
    return person


@pytest.mark.parametrize("address", ["/withdraw/", "/transfer/"])
def test_a_step_is_confirmed_and_gone_on_with(at_home: Person, address: str) -> None:
    page = at_home.open(f"{address}?sum=5")
    assert at_home.path.startswith("/auth/confirm/")
    assert "+7 *** ***-**-01" in page.text
    assert "9990000001" not in page.html
    at_home.press("Call me")
    assert (len(outbox), outbox[-1].number) == (1, PHONE)
    assert "Confirm" in at_home.page.buttons
    assert "Wrong number? Enter another one" not in at_home.page.buttons
    at_home.press("Confirm", code=outbox[-1].code)
    assert at_home.response.content in (b"withdrawn", b"transferred")
    assert at_home.path == f"{address}?sum=5"
    with freeze_time(timezone.now() + timedelta(seconds=601)):
        at_home.open(address)
        assert at_home.path.startswith("/auth/confirm/")


def test_a_login_by_phone_counts(person: Person) -> None:
    person.open("/withdraw/")
    assert person.path.startswith("/auth/login/")
    person.press("Call me", phone=PHONE)
    person.press("Log in", code=outbox[-1].code)
    assert person.response.content == b"withdrawn"


def test_at_any_time_is_told_by_the_books(at_home: Person) -> None:
    at_home.open("/profile/")
    assert at_home.response.content == b"profile"
    VerifiedPhone.objects.all().delete()
    at_home.open("/profile/")
    assert at_home.path.startswith("/auth/confirm/")


def test_who_has_no_number_enters_one_and_it_is_theirs(person: Person, user: Any) -> None:
    other = get_user_model().objects.create(username="other")
    person.client.force_login(other)
    person.open("/profile/")
    assert "phone" in person.page.forms[0].fields
    person.press("Call me", phone="12")
    assert person.page.alerts
    person.press("Call me", phone="8 999 000-00-01")
    assert VerifiedPhone.objects.get().user == user
    person.press("Wrong number? Enter another one")
    assert person.path.startswith("/auth/confirm/")
    person.press("Call me", phone="8 999 000-00-01")
    person.press("Confirm", code=outbox[-1].code)
    assert person.response.content == b"profile"
    assert VerifiedPhone.objects.get().user == other


def test_a_number_of_another_user_is_not_taken_in_the_field_of_the_project(
    person: Person, configure: Any
) -> None:
    configure(USER_PHONE_FIELD="last_name")
    holder = get_user_model().objects.create(username="holder", last_name=PHONE)
    other = get_user_model().objects.create(username="other")
    person.client.force_login(other)
    person.open("/auth/confirm/")
    person.press("Call me", phone=PHONE)
    person.press("Confirm", code=outbox[-1].code)
    assert (person.status, person.page.alerts) == (403, ["This number cannot be used here."])
    holder.refresh_from_db()
    other.refresh_from_db()
    assert (holder.last_name, other.last_name) == (PHONE, "")


def test_a_number_that_was_given_is_not_replaced_by_what_is_posted(at_home: Person) -> None:
    at_home.open("/auth/confirm/")
    form = at_home.page.forms[0]
    at_home.client.post("/auth/confirm/", {**form.fields, "phone": "79990000002"})
    assert outbox[-1].number == PHONE


def test_reload_back_and_double_submit_ring_once(at_home: Person) -> None:
    at_home.open("/auth/confirm/?next=/withdraw/")
    at_home.press("Call me")
    at_home.reload()
    at_home.open("/auth/confirm/?next=/withdraw/")
    at_home.press("Call me")
    assert len(outbox) == 1


def test_the_wrong_code_and_the_wrong_person(at_home: Person, user: Any) -> None:
    at_home.open("/auth/confirm/")
    at_home.press("Call me")
    code = outbox[-1].code
    at_home.press("Confirm", code=f"{(int(code) + 1) % 10000:04}")
    assert "4 attempts are left" in at_home.page.alerts[0]
    # Another person of the same browser finds nothing to type.
    session = at_home.client.session
    key = session["voicepassword_verification"]
    at_home.client.force_login(get_user_model().objects.create(username="other"))
    session = at_home.client.session
    session["voicepassword_verification"] = key
    session.save()
    at_home.client.post("/auth/login/code/", {"code": code})
    assert Verification.objects.get().status == "pending"


def test_a_confirmation_logs_nobody_in(at_home: Person) -> None:
    at_home.open("/auth/confirm/")
    at_home.press("Call me")
    key = at_home.client.session["voicepassword_verification"]
    stranger = Person()
    answer = stranger.client.post(
        "/api/login/",
        json.dumps({"verification": key, "code": outbox[-1].code}),
        "application/json",
    )
    assert answer.status_code == 403


def test_a_proof_of_another_session_or_user_opens_nothing(at_home: Person) -> None:
    other = get_user_model().objects.create(username="other")
    at_home.open("/auth/confirm/?next=/withdraw/")
    at_home.press("Call me")
    at_home.press("Confirm", code=outbox[-1].code)
    key = at_home.client.session["voicepassword_confirmed"]
    thief = Client()
    thief.force_login(other)
    session = thief.session
    session["voicepassword_confirmed"] = key
    session.save()
    assert thief.get("/withdraw/").status_code == 302


def test_a_program_sends_the_proof_in_a_header(user: Any) -> None:
    client = Client(headers={"authorization": f"Token {Token.objects.create(user=user).key}"})
    refused = client.get("/program/")
    assert (refused.status_code, str(refused.json()["detail"])) == (
        403,
        "Confirm your phone number first.",
    )
    id = client.post("/api/verifications/", {"phone": PHONE, "purpose": "transfer"}).json()["id"]
    proof = client.post(f"/api/verifications/{id}/check/", {"code": outbox[-1].code}).json()[
        "proof"
    ]
    headers = {"x-voicepassword-proof": proof}
    assert client.get("/program/", headers=headers).json() == "served"
    assert (
        client.get("/program/", headers={"x-voicepassword-proof": proof + "x"}).status_code == 403
    )
    with freeze_time(timezone.now() + timedelta(seconds=602)):
        assert client.get("/program/", headers=headers).status_code == 403
    VerifiedPhone.objects.all().delete()
    assert client.get("/program/", headers=headers).status_code == 403
    assert Client().get("/program/", headers=headers).status_code == 401
