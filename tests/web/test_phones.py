"""The pages of one's own numbers and devices."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.core import mail
from django.http import HttpRequest
from django.test import Client
from django.utils import timezone
from freezegun import freeze_time

from django_voicepassword.accounts import devices, users
from django_voicepassword.models import TrustedDevice, VerifiedPhone
from django_voicepassword.security.trusted_devices import COOKIE
from django_voicepassword.testing import outbox
from tests.web.page_client import PageClient

pytestmark = pytest.mark.django_db
PHONE, OTHER, NEW = "79990000001", "79990000002", "79990000003"
User = get_user_model()


@pytest.fixture
def user() -> Any:
    return User.objects.create_user("someone", password="long enough")


@pytest.fixture
def client(page_client: PageClient, user: Any) -> PageClient:
    page_client.client.force_login(user)
    return page_client


def own(user: Any) -> set[str]:
    return set(VerifiedPhone.objects.filter(user=user).values_list("phone", flat=True))


def key_of(phone: str) -> int:
    return VerifiedPhone.objects.get(phone=phone).pk


def post(client: PageClient, path: str, **fields: str) -> Any:
    """Send what no form of the page sends."""
    client.client.handler.enforce_csrf_checks = False
    return client.client.post(path, fields)


def confirm(client: PageClient, button: str = "Call me", **fields: str) -> None:
    client.press(button, **fields)
    client.press("Confirm", code=outbox[-1].code)


def test_a_number_is_added_by_proving_it(client: PageClient, user: Any) -> None:
    page = client.open("/auth/phones/")
    assert "You have no number yet" in page.text
    client.open("/auth/phones/add/")
    confirm(client, phone="8 999 000-00-01")
    assert (client.path, own(user)) == ("/auth/phones/", {PHONE})
    assert "+7 *** ***-**-01" in client.page.text
    assert "9990000001" not in client.page.html


def test_a_number_is_not_replaced_by_itself(client: PageClient, user: Any) -> None:
    users.assign(user, PHONE)
    client.open(f"/auth/phones/{key_of(PHONE)}/change/")
    page = client.press("Call me", phone="8 999 000-00-01")
    assert client.status == 400
    assert "You have this number already. Enter another one." in page.text
    assert outbox == []
    client.press("Call me", phone="no number")
    assert "This is not a phone number." in client.page.text
    confirm(client, phone=NEW)
    assert own(user) == {PHONE, NEW}


def test_a_wrong_number_leads_back_to_the_numbers(client: PageClient, user: Any) -> None:
    users.assign(user, PHONE)
    client.open("/auth/phones/add/")
    client.press("Call me", phone=OTHER)
    client.press("Change the number")
    assert client.path.startswith("/auth/phones/")
    assert own(user) == {PHONE}


def test_a_changed_number_is_proved_then_the_old_one_removed(client: PageClient, user: Any) -> None:
    users.assign(user, PHONE)
    page = client.open(f"/auth/phones/{key_of(PHONE)}/change/")
    assert "to replace +7 *** ***-**-01" in page.text
    confirm(client, phone=NEW)
    assert client.path == f"/auth/phones/{key_of(PHONE)}/remove/"
    assert "You can still log in with: +7 *** ***-**-03" in client.page.text
    client.press("Remove the number")
    assert (client.path, own(user)) == ("/auth/phones/", {NEW})


def test_with_a_field_the_new_number_replaces_the_old_one(
    client: PageClient, user: Any, configure: Callable[..., None]
) -> None:
    configure(USER_PHONE_FIELD="last_name")
    users.assign(user, PHONE)
    page = client.open("/auth/phones/")
    assert "Add a number" not in page.text
    client.open(f"/auth/phones/{key_of(PHONE)}/change/")
    confirm(client, phone=NEW)
    user.refresh_from_db()
    assert (client.path, own(user), user.last_name) == ("/auth/phones/", {NEW}, NEW)


def test_a_number_that_is_only_written_can_be_confirmed(
    client: PageClient, user: Any, configure: Callable[..., None]
) -> None:
    configure(USER_PHONE_FIELD="last_name")
    user.last_name = PHONE
    user.save()
    assert "Not confirmed yet." in client.open("/auth/phones/").text
    client.open("/auth/confirm/?next=/auth/phones/")
    confirm(client)
    assert "Confirmed:" in client.page.text
    assert own(user) == {PHONE}


def test_a_number_is_removed_after_a_proof_of_any_own_number(client: PageClient, user: Any) -> None:
    users.assign(user, OTHER)
    users.assign(user, PHONE)
    address = f"/auth/phones/{key_of(PHONE)}/remove/"
    client.open(address)
    assert client.path.startswith("/auth/confirm/")
    # The phone of the number that is to be removed may be lost: the other one is called.
    confirm(client, own=str(key_of(OTHER)))
    assert outbox[-1].number == OTHER
    assert client.path == address
    with freeze_time(timezone.now() + timedelta(seconds=601)):
        answer = post(client, address)
        assert answer.headers["Location"].startswith("/auth/confirm/")
    client.open(address)
    client.press("Remove the number")
    assert own(user) == {OTHER}


def test_the_number_of_somebody_else_is_never_called(client: PageClient, user: Any) -> None:
    users.assign(user, PHONE)
    users.assign(User.objects.create(username="other"), OTHER)
    post(client, "/auth/confirm/", own=str(key_of(OTHER)))
    assert outbox[-1].number == PHONE
    for path in (f"{key_of(OTHER)}/remove/", f"{key_of(OTHER)}/change/"):
        assert client.client.get(f"/auth/phones/{path}").status_code == 404
    assert post(client, "/auth/phones/devices/1/forget/").status_code == 404


def test_the_only_way_to_log_in_stays(page_client: PageClient) -> None:
    page_client.open("/auth/login/")
    page_client.press("Call me", phone=PHONE)
    page_client.press("Log in", code=outbox[-1].code)
    page_client.open(f"/auth/phones/{key_of(PHONE)}/remove/")
    assert page_client.status == 409
    assert "without it you could not log in" in page_client.page.alerts[0]
    assert post(page_client, page_client.path).status_code == 409
    assert VerifiedPhone.objects.exists()


def test_whoever_is_not_logged_in_logs_in_and_comes_back(page_client: PageClient) -> None:
    users.assign(User.objects.create(username="someone"), PHONE)
    page_client.open("/auth/phones/")
    assert page_client.path == "/auth/login/?next=%2Fauth%2Fphones%2F"
    page_client.press("Call me", phone=PHONE)
    page_client.press("Log in", code=outbox[-1].code)
    assert page_client.path == "/auth/phones/"
    for path in ("add/", "1/change/", "1/remove/", "devices/forget/", "devices/1/forget/"):
        for method in ("get", "post"):
            answer = getattr(Client(), method)(f"/auth/phones/{path}")
            assert answer.headers["Location"].startswith("/auth/login/"), path


def remember(phone: str, user: Any, token: str = "") -> str:
    request = HttpRequest()
    if token:
        request.COOKIES[COOKIE] = token
    return devices.remember(request, phone, user)


def test_devices_are_shown_and_forgotten(
    client: PageClient, user: Any, django_assert_max_num_queries: Any
) -> None:
    users.assign(user, PHONE)
    tokens = [remember(PHONE, user) for _ in range(4)]
    client.client.cookies[COOKIE] = tokens[0]
    with django_assert_max_num_queries(8):
        page = client.open("/auth/phones/")
    assert page.text.count("This device") == 1
    assert len([form for form in page.forms if form.action.endswith("/forget/")]) == 5
    client.press("Forget")
    assert (client.path, TrustedDevice.objects.count()) == ("/auth/phones/", 3)
    client.press("Forget all other devices")
    assert TrustedDevice.objects.count() == 1
    assert "Forget all other devices" not in client.page.text
    client.press("Forget this device")
    assert not TrustedDevice.objects.exists()


def test_a_dormant_number_can_be_confirmed(
    client: PageClient, user: Any, configure: Callable[..., None]
) -> None:
    configure(DORMANT_AFTER_DAYS=30)
    users.assign(user, PHONE)
    VerifiedPhone.objects.update(verified_at=timezone.now() - timedelta(days=31))
    assert "That was long ago" in client.open("/auth/phones/").text
    client.open(f"/auth/confirm/?own={key_of(PHONE)}&next=/auth/phones/")
    confirm(client)
    assert "That was long ago" not in client.page.text
    assert not mail.outbox
