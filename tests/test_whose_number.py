"""Whom a right code logs in: never the account of somebody who only wrote the number down."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth import authenticate, get_user_model
from django.db import connection
from django.http import HttpRequest, HttpResponse
from django.test import Client, RequestFactory
from django.utils import timezone
from django.views import View
from freezegun import freeze_time
from rest_framework.request import Request
from rest_framework.views import APIView

from django_voicepassword import verifications
from django_voicepassword.accounts import confirm, proofs, users
from django_voicepassword.api.permissions import IsPhoneVerified
from django_voicepassword.decorators import PhoneVerifiedRequiredMixin, phone_verified_required
from django_voicepassword.exceptions import Refused
from django_voicepassword.models import Verification, VerifiedPhone
from django_voicepassword.testing import outbox as sent
from django_voicepassword.verifications import messages
from tests.concurrency import run_at_once
from tests.web.page_client import PageClient

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("outbox")]
PHONE, OTHER_PHONE = "79990000001", "79990000002"
FIELD = "last_name"
User = get_user_model()


def by_backend(phone: str) -> str | None:
    """Log in with ``authenticate()``; return the name of the user, or None."""
    verification = verifications.start(phone)
    user = authenticate(None, verification=verification.id, voicepassword_code=sent[-1].code)
    return user.get_username() if user else None


def by_page(phone: str) -> str | None:
    """Log in on the pages; None where the page says that the number cannot be used."""
    client = PageClient()
    client.open("/auth/login/")
    client.press("Call me", phone=phone)
    client.press("Log in", code=sent[-1].code)
    session = client.client.session
    if "_auth_user_id" in session:
        return str(User.objects.get(pk=session["_auth_user_id"]).get_username())
    assert (client.status, client.page.alerts) == (
        403,
        [messages.error_text(Refused())],
    )
    return None


def by_api(phone: str) -> str | None:
    """Log in by the API; None where it refuses the number."""
    client = Client()
    id = client.post("/api/verifications/", {"phone": phone}).json()["id"]
    answer = client.post("/api/login/", {"verification": id, "code": sent[-1].code})
    if answer.status_code == 403:
        assert answer.json() == {
            "code": "refused",
            "detail": "This number cannot be used here. Enter another number, or write to support.",
        }
        assert not answer.cookies
        return None
    return User.objects.get(auth_token=answer.json()["token"]).get_username()


WAYS = pytest.mark.parametrize("log_in", [by_backend, by_page, by_api])


@pytest.fixture(autouse=True)
def _tokens(configure: Callable[..., None]) -> None:
    configure(LOGIN="token", LIMITS={"phone": [], "ip": []})


def confirm_number(user: Any) -> None:
    """Prove the number in the user's field, logged in another way, on the page ``confirm/``."""
    client = PageClient()
    client.client.force_login(user, "django.contrib.auth.backends.ModelBackend")
    client.open("/auth/confirm/")
    client.press("Call me")
    client.press("Confirm", code=sent[-1].code)


@WAYS
def test_a_number_that_is_only_written_opens_no_account(
    configure: Callable[..., None], log_in: Callable[[str], str | None]
) -> None:
    configure(USER_PHONE_FIELD=FIELD)
    thief = User.objects.create(username="thief", **{FIELD: f"+{PHONE}"})
    assert log_in(PHONE) is None
    # The number is not taken from the profile either, and no user is made.
    assert (User.objects.get(), VerifiedPhone.objects.count()) == (thief, 0)
    assert Verification.objects.get().user is None


@WAYS
def test_a_proved_number_logs_in_whoever_else_wrote_it(
    configure: Callable[..., None], log_in: Callable[[str], str | None]
) -> None:
    configure(USER_PHONE_FIELD=FIELD)
    holder = User.objects.create(username="holder", **{FIELD: PHONE})
    for name in ("thief", "another"):
        User.objects.create(username=name, **{FIELD: PHONE})
    confirm_number(holder)
    assert log_in(PHONE) == "holder"
    # The proof alone is not enough: the field must still hold the number.
    User.objects.filter(pk=holder.pk).update(**{FIELD: OTHER_PHONE})
    assert log_in(PHONE) is None
    assert log_in(OTHER_PHONE) is None


@WAYS
def test_a_project_that_proves_its_numbers_says_so(
    configure: Callable[..., None], log_in: Callable[[str], str | None]
) -> None:
    configure(USER_PHONE_FIELD=FIELD, USER_PHONE_TRUSTED=True)
    user = User.objects.create(username="someone", **{FIELD: PHONE})
    assert log_in(PHONE) == "someone"
    assert VerifiedPhone.objects.get().user == user


@WAYS
@pytest.mark.parametrize("field", [None, FIELD])
@pytest.mark.parametrize("right", ["is_staff", "is_superuser"])
def test_a_phone_alone_logs_no_staff_in(
    configure: Callable[..., None],
    log_in: Callable[[str], str | None],
    right: str,
    field: str | None,
) -> None:
    configure(USER_PHONE_FIELD=field)
    users.assign(User.objects.create(username="chief", **{right: True}), PHONE)
    assert log_in(PHONE) is None
    configure(USER_PHONE_FIELD=field, STAFF_LOGIN=True)
    assert log_in(PHONE) == "chief"


def test_staff_confirm_their_number_after_another_login() -> None:
    chief = User.objects.create_superuser("chief")
    users.assign(chief, PHONE)
    client = PageClient()
    client.client.force_login(chief, "django.contrib.auth.backends.ModelBackend")
    client.open("/auth/confirm/?next=/auth/logout/")
    client.press("Call me")
    client.press("Confirm", code=sent[-1].code)
    assert (client.path, client.status) == ("/auth/logout/", 200)


def test_a_first_login_proves_the_number_of_the_new_user(configure: Callable[..., None]) -> None:
    configure(USER_PHONE_FIELD=FIELD)
    name = by_backend(PHONE)
    assert by_backend(PHONE) == name
    assert VerifiedPhone.objects.get().user.get_username() == name


def test_with_a_field_a_user_has_one_number(configure: Callable[..., None]) -> None:
    configure(USER_PHONE_FIELD=FIELD)
    user = User.objects.create(username="someone")
    users.assign(user, PHONE)
    users.assign(user, OTHER_PHONE)
    assert VerifiedPhone.objects.get().phone == OTHER_PHONE
    user.refresh_from_db()
    assert getattr(user, FIELD) == OTHER_PHONE


@pytest.mark.parametrize("trusted", [True, False])
def test_a_proof_takes_no_number_from_another_user(
    configure: Callable[..., None], trusted: bool
) -> None:
    configure(USER_PHONE_FIELD=FIELD, USER_PHONE_TRUSTED=trusted)
    holder, other = (User.objects.create(username=name) for name in ("holder", "other"))
    users.assign(holder, PHONE)
    for written in ("", PHONE):
        User.objects.filter(pk=other.pk).update(**{FIELD: written})
        with pytest.raises(Refused):
            users.assign(other, PHONE)
    assert VerifiedPhone.objects.get().user == holder


@pytest.mark.parametrize("field", [None, FIELD])
@pytest.mark.parametrize("way", ["login", "confirm"])
def test_each_proof_renews_the_date(
    configure: Callable[..., None], field: str | None, way: str
) -> None:
    configure(USER_PHONE_FIELD=field)
    user = User.objects.create(username="someone")
    users.assign(user, PHONE)
    with freeze_time(later := timezone.now() + timedelta(days=100)):
        if way == "login":
            assert by_backend(PHONE) == "someone"
        else:
            verification = verifications.start(PHONE, purpose="confirm", user=user)
            request = RequestFactory().post("/")
            request.user, request.session = user, Client().session
            confirm(request, verification.id, sent[-1].code)
    assert VerifiedPhone.objects.get().verified_at == later


def test_a_number_that_moved_during_a_login_logs_nobody_in() -> None:
    old, new = (User.objects.create(username=name) for name in ("old", "new"))
    users.assign(old, PHONE)
    found = users.find(PHONE)
    users.assign(new, PHONE)
    with pytest.raises(Refused):
        proofs.renew(found, PHONE)


@pytest.mark.django_db(transaction=True)
def test_first_trusted_logins_at_once_write_one_proof(configure: Callable[..., None]) -> None:
    configure(USER_PHONE_FIELD=FIELD, USER_PHONE_TRUSTED=True)
    User.objects.create(username="someone", **{FIELD: PHONE})
    names = []
    for _ in range(4):
        verification = verifications.start(PHONE)
        names.append((verification.id, sent[-1].code))

    def log_in(id: Any, code: str) -> Callable[[], object]:
        return lambda: authenticate(None, verification=id, voicepassword_code=code)

    found = run_at_once([log_in(id, code) for id, code in names])
    assert [getattr(user, "username", user) for user in found] == ["someone"] * 4
    assert VerifiedPhone.objects.count() == 1


@phone_verified_required
def decorated(request: HttpRequest) -> HttpResponse:
    return HttpResponse("seen")


class Mixed(PhoneVerifiedRequiredMixin, View):
    def get(self, request: HttpRequest) -> HttpResponse:
        return HttpResponse("seen")


class Permitted(APIView):
    authentication_classes = ()
    permission_classes = (IsPhoneVerified,)

    def get(self, request: Request) -> HttpResponse:
        return HttpResponse("seen")


def seen(user: Any, proof: str = "") -> set[bool]:
    """Ask the decorator, the mixin and the permission whether ``user`` may see their views."""
    request = RequestFactory().get("/", headers={"x-voicepassword-proof": proof} if proof else {})
    request.user, request.session = user, Client().session
    permission, drf_request = IsPhoneVerified(), Request(request)
    drf_request.user = user
    return {
        decorated(request).status_code == 200,
        Mixed.as_view()(request).status_code == 200,
        permission.has_permission(drf_request, Permitted()),
    }


def test_without_a_max_age_the_number_must_be_held_now() -> None:
    user = User.objects.create(username="someone")
    assert seen(user) == {False}
    verification = verifications.start(PHONE, purpose="confirm", user=user)
    request = RequestFactory().post("/")
    request.user, request.session = user, Client().session
    confirm(request, verification.id, sent[-1].code)
    proof = verifications.make_proof(Verification.objects.get())
    assert seen(user) == {True}
    users.assign(User.objects.create(username="next holder"), PHONE)
    # Neither the approved verification nor its proof says who holds the number now.
    assert seen(user, proof) == {False}


@pytest.mark.parametrize("trusted", [True, False])
def test_with_a_field_a_number_that_is_only_written_is_not_held(
    configure: Callable[..., None], trusted: bool
) -> None:
    configure(USER_PHONE_FIELD=FIELD, USER_PHONE_TRUSTED=trusted)
    user = User.objects.create(username="someone", **{FIELD: PHONE})
    assert seen(user) == {trusted}
    users.assign(user, PHONE)
    assert seen(user) == {True}
    User.objects.filter(pk=user.pk).update(**{FIELD: ""})
    user.refresh_from_db()
    assert seen(user) == {False}


@pytest.mark.django_db
def test_a_user_who_is_made_between_two_reads_is_found(configure: Callable[..., None]) -> None:
    """The proof is read before another login commits, and the user's field after it."""
    configure(USER_PHONE_FIELD="last_name")
    made: list[Any] = []

    def make_meanwhile(execute: Any, sql: str, *values: Any) -> Any:
        answer = execute(sql, *values)
        if not made and "verifiedphone" in sql:
            made.append(None)
            user = get_user_model().objects.create_user("new", last_name=PHONE)
            made[0] = VerifiedPhone.objects.create(user=user, phone=PHONE)
        return answer

    with connection.execute_wrapper(make_meanwhile):
        user = users.find(PHONE)
    assert user == made[0].user
