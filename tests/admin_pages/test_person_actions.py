"""The actions in the list of verified phones: release, export, erase."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth import get_user_model
from django.test import Client

from django_voicepassword.accounts import users
from django_voicepassword.models import CallRequest, TrustedDevice, VerifiedPhone
from django_voicepassword.security import masking
from tests.admin_pages.staff_users import logged_in

pytestmark = pytest.mark.django_db
PHONE = "79261374895"
LIST = "/admin/django_voicepassword/verifiedphone/"
User = get_user_model()


@pytest.fixture
def holder() -> Any:
    user = User.objects.create(username="holder")
    users.assign(user, PHONE)
    TrustedDevice.objects.create(phone=PHONE, user=user, token_hash="x")
    CallRequest.objects.create(phone=PHONE, channel="voice", state="refused")
    return user


def run(client: Client, action: str, **fields: str) -> Any:
    """Run an action on all verified phones."""
    keys = list(VerifiedPhone.objects.values_list("pk", flat=True))
    given = {"action": action, "_selected_action": keys, **fields}
    return client.post(LIST, given, follow=True)


def shown(answer: Any) -> str:
    return str(answer.content.decode())


def test_each_action_needs_its_permission(holder: Any) -> None:
    client = logged_in("release_phone")
    page = shown(client.get(LIST))
    assert "Release the chosen numbers" in page
    assert "Erase all data" not in page
    run(client, "erase_person", confirmed="yes")
    assert VerifiedPhone.objects.exists()
    assert "Release" not in shown(Client().get(LIST, follow=True))


def test_a_number_is_released_with_a_reason(holder: Any, caplog: pytest.LogCaptureFixture) -> None:
    client = logged_in("release_phone")
    asked = shown(run(client, "release_numbers"))
    assert "+7 *** ***-**-95" in asked
    assert "Reason" in asked
    assert "aria-invalid" in shown(run(client, "release_numbers", confirmed="yes", reason=" "))
    assert VerifiedPhone.objects.exists()
    with caplog.at_level(logging.INFO, "django_voicepassword.audit"):
        answer = run(client, "release_numbers", confirmed="yes", reason=f"Lost {PHONE}, called")
    assert "1 number released." in shown(answer)
    assert not VerifiedPhone.objects.exists()
    assert not TrustedDevice.objects.exists()
    assert "released +7 *** ***-**-95: Lost ***, called" in caplog.text
    entry = LogEntry.objects.get()
    assert entry.change_message == "Released: Lost ***, called"
    assert PHONE[1:] not in f"{entry.object_repr}{caplog.text}"


def test_whoever_proves_a_released_number_has_it(
    holder: Any, configure: Callable[..., None]
) -> None:
    configure(USER_PHONE_FIELD="last_name")
    holder.last_name = PHONE
    holder.save()
    run(logged_in("release_phone"), "release_numbers", confirmed="yes", reason="moved")
    next_holder = User.objects.create(username="next")
    users.assign(next_holder, PHONE)
    holder.refresh_from_db()
    assert (holder.last_name, VerifiedPhone.objects.get().user) == ("", next_holder)


def test_a_number_that_the_user_model_needs_is_not_released(
    holder: Any, configure: Callable[..., None]
) -> None:
    configure(USER_PHONE_FIELD="username")
    holder.username = PHONE
    holder.save()
    client = logged_in("release_phone")
    answer = run(client, "release_numbers", confirmed="yes", reason="moved")
    assert "the user model needs a number" in shown(answer)
    assert VerifiedPhone.objects.exists()
    assert not LogEntry.objects.exists()


def test_a_person_is_exported(holder: Any, caplog: pytest.LogCaptureFixture) -> None:
    client = logged_in("export_person")
    assert "whole numbers" in shown(run(client, "export_person"))
    with caplog.at_level(logging.INFO, "django_voicepassword.audit"):
        answer = run(client, "export_person", confirmed="yes")
    data = json.loads(b"".join(answer.streaming_content))
    assert data["phones"] == [PHONE]
    assert "exported all data of user" in caplog.text
    assert answer.headers["Content-Disposition"] == 'attachment; filename="person.json"'


def test_a_person_is_erased(holder: Any, caplog: pytest.LogCaptureFixture) -> None:
    client = logged_in("erase_person")
    assert "cannot be undone" in shown(run(client, "erase_person"))
    assert VerifiedPhone.objects.exists()
    with caplog.at_level(logging.INFO, "django_voicepassword.audit"):
        answer = run(client, "erase_person", confirmed="yes")
    assert "Erased: 1 row." in shown(answer)
    assert CallRequest.objects.get().phone == masking.ERASED
    assert not VerifiedPhone.objects.exists()
    assert "erased all data of user" in caplog.text


def test_two_persons_are_not_erased_at_once(holder: Any) -> None:
    users.assign(User.objects.create(username="other"), "79990000001")
    answer = run(logged_in("erase_person"), "erase_person", confirmed="yes")
    assert "Choose the numbers of one person." in shown(answer)
    assert VerifiedPhone.objects.count() == 2
