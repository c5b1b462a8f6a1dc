"""A person's own numbers and devices in the API."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.test import Client
from django.utils import timezone
from freezegun import freeze_time
from rest_framework.authtoken.models import Token

from django_voicepassword import verifications
from django_voicepassword.accounts import own_phones, users
from django_voicepassword.exceptions import LastPhone
from django_voicepassword.models import TrustedDevice, VerifiedPhone
from django_voicepassword.testing import outbox as sent
from tests.concurrency import run_at_once

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("outbox")]
PHONE, OTHER = "79990000001", "79990000002"
User = get_user_model()


@pytest.fixture
def user() -> Any:
    return User.objects.create_user("someone", password="long enough")


@pytest.fixture
def client(user: Any) -> Client:
    return log_in(user)


def log_in(user: Any) -> Client:
    client = Client(enforce_csrf_checks=False)
    client.force_login(user)
    return client


def prove(phone: str, purpose: str = "confirm") -> str:
    verification = verifications.start(phone, purpose=purpose)
    return verifications.make_proof(verifications.check(verification.id, sent[-1].code))


def refused(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


def test_a_number_is_added_by_its_proof_and_removed_by_another(client: Client, user: Any) -> None:
    answer = client.post("/api/phones/", {"proof": prove(PHONE)})
    added = answer.json()
    assert answer.status_code == 201
    assert set(added) == {"id", "phone", "verified_at"}
    assert added["phone"] == "+7 *** ***-**-01"
    client.post("/api/phones/", {"proof": prove(OTHER)})
    masked = [row["phone"] for row in client.get("/api/phones/").json()]
    assert masked == ["+7 *** ***-**-02", "+7 *** ***-**-01"]
    address = f"/api/phones/{added['id']}/"
    assert refused(client.delete(address)) == (403, "confirmation_required")
    headers = {"X-VoicePassword-Proof": prove(OTHER)}
    with freeze_time(timezone.now() + timedelta(seconds=601)):
        assert refused(client.delete(address, headers=headers)) == (403, "confirmation_required")
    assert client.delete(address, headers=headers).status_code == 204
    assert [row.phone for row in VerifiedPhone.objects.filter(user=user)] == [OTHER]


@pytest.mark.parametrize("way", ["used", "old", "purpose", "forged"])
def test_a_proof_is_refused_that_is(client: Client, way: str) -> None:
    proof = prove(PHONE, "login" if way == "purpose" else "confirm")
    if way == "used":
        client.post("/api/phones/", {"proof": proof})
        VerifiedPhone.objects.all().delete()
    proof += "x" * (way == "forged")
    with freeze_time(timezone.now() + timedelta(seconds=601 * (way == "old"))):
        assert refused(client.post("/api/phones/", {"proof": proof})) == (400, "invalid_proof")
    assert not VerifiedPhone.objects.exists()


def test_a_proof_that_the_field_refuses_stays_unused(
    client: Client, user: Any, configure: Callable[..., None]
) -> None:
    configure(USER_PHONE_FIELD="last_name")
    holder = User.objects.create(username="holder", last_name=PHONE)
    proof = prove(PHONE)
    assert refused(client.post("/api/phones/", {"proof": proof})) == (403, "refused")
    holder.delete()
    assert client.post("/api/phones/", {"proof": proof}).status_code == 201


def test_without_a_login_nothing_is_told() -> None:
    client = Client()
    row = VerifiedPhone.objects.create(user=User.objects.create(username="other"), phone=PHONE)
    for path in ("phones/", f"phones/{row.pk}/", "devices/", "devices/1/"):
        for method in ("get", "post", "delete"):
            assert getattr(client, method)(f"/api/{path}").status_code in (401, 403), path


def test_somebody_elses_number_and_device_are_not_found(client: Client) -> None:
    other = User.objects.create(username="other")
    row = VerifiedPhone.objects.create(user=other, phone=PHONE)
    device = TrustedDevice.objects.create(user=other, phone=PHONE, token_hash="x")
    for path in (f"phones/{row.pk}/", f"devices/{device.pk}/", "phones/x/", "devices/x/"):
        assert refused(client.delete(f"/api/{path}")) == (404, "not_found")
    client.delete("/api/devices/")
    assert (VerifiedPhone.objects.count(), TrustedDevice.objects.count()) == (1, 1)
    assert client.get("/api/devices/").json() == []


def test_the_only_way_to_log_in_stays(client: Client, user: Any) -> None:
    user.set_unusable_password()
    user.save()
    client = log_in(user)
    id = client.post("/api/phones/", {"proof": prove(PHONE)}).json()["id"]
    headers = {"X-VoicePassword-Proof": prove(PHONE)}
    address = f"/api/phones/{id}/"
    assert refused(client.delete(address, headers=headers)) == (409, "last_phone")
    client.post("/api/phones/", {"proof": prove(OTHER)})
    assert client.delete(address, headers=headers).status_code == 204


def test_a_dormant_number_is_no_other_way_to_log_in(configure: Callable[..., None]) -> None:
    configure(DORMANT_AFTER_DAYS=30)
    user = User.objects.create_user("someone", password=None)
    users.assign(user, OTHER)
    VerifiedPhone.objects.update(verified_at=timezone.now() - timedelta(days=30))
    users.assign(user, PHONE)
    dormant, awake = (VerifiedPhone.objects.get(phone=phone) for phone in (OTHER, PHONE))
    with pytest.raises(LastPhone):
        own_phones.remove(user, awake.pk)
    own_phones.remove(user, dormant.pk)
    assert own_phones.of_user(user) == [awake]


def test_a_removed_number_stays_in_the_profiles_of_others(
    user: Any, configure: Callable[..., None]
) -> None:
    configure(USER_PHONE_FIELD="last_name")
    users.assign(user, PHONE)
    writer = User.objects.create_user("other", last_name=f"+{PHONE}")
    own_phones.remove(user, VerifiedPhone.objects.get().pk)
    assert dict(User.objects.values_list("pk", "last_name")) == {
        user.pk: "",
        writer.pk: f"+{PHONE}",
    }


def test_with_a_field_a_user_has_one_number(
    client: Client, user: Any, configure: Callable[..., None]
) -> None:
    configure(USER_PHONE_FIELD="last_name")
    for phone in (PHONE, OTHER):
        client.post("/api/phones/", {"proof": prove(phone)})
    (row,) = client.get("/api/phones/").json()
    assert row["phone"] == "+7 *** ***-**-02"
    headers = {"X-VoicePassword-Proof": prove(OTHER)}
    assert client.delete(f"/api/phones/{row['id']}/", headers=headers).status_code == 204
    user.refresh_from_db()
    assert (user.last_name, VerifiedPhone.objects.count()) == ("", 0)


def test_a_field_that_may_not_be_empty_keeps_its_number(
    client: Client, user: Any, configure: Callable[..., None]
) -> None:
    configure(USER_PHONE_FIELD="username")
    client.post("/api/phones/", {"proof": prove(PHONE)})
    headers = {"X-VoicePassword-Proof": prove(PHONE)}
    id = client.get("/api/phones/").json()[0]["id"]
    assert refused(client.delete(f"/api/phones/{id}/", headers=headers)) == (409, "last_phone")


@pytest.mark.django_db(transaction=True)
def test_two_removals_at_once_leave_a_number() -> None:
    user = User.objects.create(username="someone")
    user.set_unusable_password()
    user.save()
    users.assign(user, PHONE)
    users.assign(user, OTHER)
    keys = list(VerifiedPhone.objects.values_list("pk", flat=True))

    def remove(index: int) -> str:
        try:
            own_phones.remove(user, keys[index])
        except LastPhone:
            return "last"
        return "removed"

    outcomes = run_at_once([partial(remove, index) for index in range(2)])
    assert sorted(map(str, outcomes)) == ["last", "removed"]
    assert VerifiedPhone.objects.count() == 1


def test_a_program_with_a_token_removes_with_a_proof(user: Any) -> None:
    client = Client(headers={"authorization": f"Token {Token.objects.create(user=user).key}"})
    users.assign(user, PHONE)
    from rest_framework.authentication import TokenAuthentication

    from django_voicepassword.api.own import views

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(views.OwnAPIView, "authentication_classes", [TokenAuthentication])
        id = client.get("/api/phones/").json()[0]["id"]
        headers = {"X-VoicePassword-Proof": prove(PHONE)}
        assert client.delete(f"/api/phones/{id}/", headers=headers).status_code == 204
        assert Client().get("/api/phones/").status_code == 401


def device_of(phone: str, user: Any = None) -> str:
    """Prove a number by the API on a new device: its token."""
    verification = verifications.start(phone, purpose="login" if user else "confirm")
    path = "/api/login/" if user else f"/api/verifications/{verification.id}/check/"
    given = {"verification": str(verification.id), "code": sent[-1].code}
    return str(Client().post(path, given).json()["device"])


def test_devices_are_listed_and_forgotten(
    client: Client, user: Any, django_assert_num_queries: Any
) -> None:
    users.assign(user, PHONE)
    users.assign(user, OTHER)
    mine, lost, third = device_of(PHONE, user), device_of(PHONE, user), device_of(OTHER)
    headers = {"X-VoicePassword-Device": mine}
    # The session, the user, and the devices.
    with django_assert_num_queries(3):
        listed = client.get("/api/devices/", headers=headers).json()
    assert [row["is_current"] for row in listed] == [False, False, True]
    assert listed[0]["phones"] == ["+7 *** ***-**-02"]
    assert client.delete(f"/api/devices/{listed[1]['id']}/").status_code == 204
    left = {row["id"] for row in client.get("/api/devices/").json()}
    assert left == {listed[0]["id"], listed[2]["id"]}
    assert client.delete("/api/devices/", headers=headers).status_code == 204
    (left_device,) = client.get("/api/devices/", headers=headers).json()
    assert left_device["is_current"]
    assert len({mine, lost, third}) == 3


def test_a_device_with_two_numbers_is_forgotten_for_both(client: Client, user: Any) -> None:
    users.assign(user, PHONE)
    users.assign(user, OTHER)
    for phone in (PHONE, OTHER):
        TrustedDevice.objects.create(user=user, phone=phone, token_hash="same")
    (device,) = client.get("/api/devices/").json()
    assert sorted(device["phones"]) == ["+7 *** ***-**-01", "+7 *** ***-**-02"]
    client.delete(f"/api/devices/{device['id']}/")
    assert not TrustedDevice.objects.exists()


def test_a_session_needs_a_csrf_token(user: Any) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(user)
    assert client.post("/api/phones/", {"proof": prove(PHONE)}).status_code == 403
    assert client.delete("/api/devices/").status_code == 403
    assert not VerifiedPhone.objects.exists()
