"""Confirmation before an important step: the page, decorator, mixin and DRF permission."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.contrib.auth import get_user_model
from django.http import HttpRequest, HttpResponse
from django.test import AsyncClient, Client, override_settings
from django.urls import include, path
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.views import View
from freezegun import freeze_time
from rest_framework.authentication import SessionAuthentication, TokenAuthentication
from rest_framework.authtoken.models import Token
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from django_voicepassword import verifications
from django_voicepassword.accounts import users
from django_voicepassword.api.permissions import IsPhoneVerified
from django_voicepassword.decorators import PhoneVerifiedRequiredMixin, phone_verified_required
from django_voicepassword.models import Verification, VerifiedPhone
from django_voicepassword.testing import outbox
from tests.web.page_client import PageClient

pytestmark = [pytest.mark.django_db, pytest.mark.any_database]
PHONE = "79990000001"

ASYNC = ["/async/withdraw/", "/async/transfer/", "/async/dispatch/"]


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


@phone_verified_required(max_age=600)
async def withdraw_async(request: HttpRequest) -> HttpResponse:
    return HttpResponse("withdrawn")


class AsyncTransfer(PhoneVerifiedRequiredMixin, View):
    phone_max_age = 600

    async def get(self, request: HttpRequest) -> HttpResponse:
        return HttpResponse("transferred")


@method_decorator(phone_verified_required(max_age=600), name="dispatch")
class AsyncDispatch(View):
    async def get(self, request: HttpRequest) -> HttpResponse:
        return HttpResponse("transferred")


class ProtectedAPIView(APIView):
    authentication_classes = [TokenAuthentication, SessionAuthentication]
    permission_classes = [IsPhoneVerified.within(600)]

    def get(self, request: Request) -> Response:
        return Response("served")


urlpatterns = [
    path("withdraw/", withdraw),
    path("profile/", profile),
    path("transfer/", Transfer.as_view()),
    path("async/withdraw/", withdraw_async),
    path("async/transfer/", AsyncTransfer.as_view()),
    path("async/dispatch/", AsyncDispatch.as_view()),
    path("program/", ProtectedAPIView.as_view()),
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
def logged_in(page_client: PageClient, user: Any) -> PageClient:
    """A client that is logged in by password."""
    page_client.client.force_login(user)
    return page_client


@pytest.mark.parametrize("address", ["/withdraw/", "/transfer/", *ASYNC])
def test_after_the_confirmation_the_step_continues(logged_in: PageClient, address: str) -> None:
    page = logged_in.open(f"{address}?sum=5")
    assert logged_in.path.startswith("/auth/confirm/")
    assert "+7 *** ***-**-01" in page.text
    assert "9990000001" not in page.html
    logged_in.press("Call me")
    assert (len(outbox), outbox[-1].number) == (1, PHONE)
    assert "Confirm" in logged_in.page.buttons
    assert "Change the number" not in logged_in.page.buttons
    logged_in.press("Confirm", code=outbox[-1].code)
    assert logged_in.response.content in (b"withdrawn", b"transferred")
    assert logged_in.path == f"{address}?sum=5"
    with freeze_time(timezone.now() + timedelta(seconds=601)):
        logged_in.open(address)
        assert logged_in.path.startswith("/auth/confirm/")


@pytest.mark.parametrize("address", ASYNC)
def test_a_view_is_protected_in_an_event_loop_as_well(logged_in: PageClient, address: str) -> None:
    client = AsyncClient()
    get = async_to_sync(client.get)
    assert get(address).headers["Location"].startswith("/auth/login/")
    client.cookies = logged_in.client.cookies
    assert get(address).headers["Location"].startswith("/auth/confirm/")
    logged_in.open("/auth/confirm/")
    logged_in.press("Call me")
    logged_in.press("Confirm", code=outbox[-1].code)
    assert get(address).content in (b"withdrawn", b"transferred")


@pytest.mark.parametrize("address", ["/withdraw/", "/transfer/", "/program/"])
def test_a_confirmation_ends_when_another_user_proves_the_number(
    logged_in: PageClient, address: str
) -> None:
    logged_in.open("/auth/confirm/")
    logged_in.press("Call me")
    logged_in.press("Confirm", code=outbox[-1].code)
    assert logged_in.client.get(address).status_code == 200
    users.assign(get_user_model().objects.create(username="next holder"), PHONE)
    assert logged_in.client.get(address).status_code in (302, 403)


def test_a_login_by_phone_counts_as_a_proof(page_client: PageClient) -> None:
    page_client.open("/withdraw/")
    assert page_client.path.startswith("/auth/login/")
    page_client.press("Call me", phone=PHONE)
    page_client.press("Log in", code=outbox[-1].code)
    assert page_client.response.content == b"withdrawn"


def test_without_a_max_age_any_earlier_proof_is_enough(logged_in: PageClient) -> None:
    logged_in.open("/profile/")
    assert logged_in.response.content == b"profile"
    VerifiedPhone.objects.all().delete()
    logged_in.open("/profile/")
    assert logged_in.path.startswith("/auth/confirm/")


def test_a_user_without_a_number_enters_one_and_gets_it(page_client: PageClient, user: Any) -> None:
    other = get_user_model().objects.create(username="other")
    page_client.client.force_login(other)
    page_client.open("/profile/")
    assert "phone" in page_client.page.forms[0].fields
    page_client.press("Call me", phone="12")
    assert page_client.page.alerts
    page_client.press("Call me", phone="8 999 000-00-01")
    assert VerifiedPhone.objects.get().user == user
    page_client.press("Change the number")
    assert page_client.path.startswith("/auth/confirm/")
    page_client.press("Call me", phone="8 999 000-00-01")
    page_client.press("Confirm", code=outbox[-1].code)
    assert page_client.response.content == b"profile"
    assert VerifiedPhone.objects.get().user == other


def test_user_phone_field_protects_the_number_of_another_user(
    page_client: PageClient, configure: Callable[..., None]
) -> None:
    configure(USER_PHONE_FIELD="last_name")
    holder = get_user_model().objects.create(username="holder", last_name=PHONE)
    other = get_user_model().objects.create(username="other")
    page_client.client.force_login(other)
    page_client.open("/auth/confirm/")
    page_client.press("Call me", phone=PHONE)
    page_client.press("Confirm", code=outbox[-1].code)
    assert (page_client.status, page_client.page.alerts) == (
        403,
        ["This number cannot be used here. Enter another number, or write to support."],
    )
    holder.refresh_from_db()
    other.refresh_from_db()
    assert (holder.last_name, other.last_name) == (PHONE, "")


def test_a_posted_number_does_not_replace_the_users_own(logged_in: PageClient) -> None:
    logged_in.open("/auth/confirm/")
    form = logged_in.page.forms[0]
    logged_in.client.post("/auth/confirm/", {**form.fields, "phone": "79990000002"})
    assert outbox[-1].number == PHONE


def test_reload_back_and_double_submit_make_one_call(logged_in: PageClient) -> None:
    logged_in.open("/auth/confirm/?next=/withdraw/")
    logged_in.press("Call me")
    logged_in.reload()
    logged_in.open("/auth/confirm/?next=/withdraw/")
    logged_in.press("Call me")
    assert len(outbox) == 1


def test_the_wrong_code_and_the_wrong_person(logged_in: PageClient, user: Any) -> None:
    logged_in.open("/auth/confirm/")
    logged_in.press("Call me")
    code = outbox[-1].code
    logged_in.press("Confirm", code=f"{(int(code) + 1) % 10000:04}")
    assert "4 attempts are left" in logged_in.page.alerts[0]
    # Another user of the same browser cannot continue the verification.
    session = logged_in.client.session
    key = session["voicepassword_verification"]
    logged_in.client.force_login(get_user_model().objects.create(username="other"))
    session = logged_in.client.session
    session["voicepassword_verification"] = key
    session.save()
    logged_in.client.post("/auth/login/code/", {"code": code})
    assert Verification.objects.get().status == "pending"


def test_a_confirmation_logs_nobody_in(logged_in: PageClient) -> None:
    logged_in.open("/auth/confirm/")
    logged_in.press("Call me")
    key = logged_in.client.session["voicepassword_verification"]
    other_client = PageClient()
    answer = other_client.client.post(
        "/api/login/",
        json.dumps({"verification": key, "code": outbox[-1].code}),
        "application/json",
    )
    assert answer.status_code == 403


def test_the_confirmation_of_another_user_is_not_accepted(logged_in: PageClient) -> None:
    other = get_user_model().objects.create(username="other")
    logged_in.open("/auth/confirm/?next=/withdraw/")
    logged_in.press("Call me")
    logged_in.press("Confirm", code=outbox[-1].code)
    key = logged_in.client.session["voicepassword_confirmed"]
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
    id = client.post("/api/verifications/", {"phone": PHONE, "purpose": "confirm"}).json()["id"]
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


@pytest.mark.parametrize(
    ("purpose", "is_accepted"),
    [("confirm", True), ("login", True), ("newsletter", False), ("Confirm", False)],
)
def test_only_a_login_and_a_confirmation_open_what_is_protected(
    user: Any, purpose: str, is_accepted: bool
) -> None:
    client = Client()
    client.force_login(user)
    verification = verifications.start(PHONE, purpose=purpose, user=user)
    proof = verifications.make_proof(verifications.check(verification.id, outbox[-1].code))
    statuses = {
        (client.get(path, headers={"x-voicepassword-proof": proof}).status_code == 200)
        for path in ("/withdraw/", "/transfer/", "/program/")
    }
    assert statuses == {is_accepted}
    # The same with the verification that the session remembers.
    session = client.session
    session["voicepassword_confirmed"] = str(verification.id)
    session.save()
    assert (client.get("/withdraw/").status_code == 200) == is_accepted
