"""A user name that contains a phone number is masked on every surface, in one way."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission, User
from django.contrib.contenttypes.models import ContentType
from django.test import Client
from django.utils import timezone

from django_voicepassword.models import CallRequest, Verification, VerifiedPhone
from django_voicepassword.security import masking
from tests.admin_pages.staff_users import create_staff_user

pytestmark = [pytest.mark.django_db, pytest.mark.any_database]

ADMIN = "/admin/django_voicepassword"
PHONE = "79991234567"
#: How the name may spell the number.
NAMES = [PHONE, f"+{PHONE}", "8 (999) 123-45-67", f"tel:{PHONE}", f"{PHONE}@example.org"]
OF_USERS = ("view_user", "delete_user")


@pytest.fixture(params=NAMES)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def call(name: str) -> CallRequest:
    """A call of a user with this name; somebody of the staff, also named so, did something."""
    now = timezone.now()
    user = get_user_model().objects.create_user(name, first_name=name)
    VerifiedPhone.objects.create(user=user, phone=PHONE)
    verification = Verification.objects.create(
        # A random one may contain the digits of the number.
        id=UUID("6f1c2a9e-3b5d-4d8a-9e4c-c7a5dab8ff3e"),
        phone=PHONE,
        user=user,
        status="approved",
        approved_at=now,
        expires_at=now + timedelta(minutes=5),
    )
    call = CallRequest.objects.create(
        verification=verification,
        phone=PHONE,
        channel="flashcall",
        state="no_answer",
        claimed_at=now,
    )
    for row in (call, verification):
        LogEntry.objects.create(
            user=user,
            content_type=ContentType.objects.get_for_model(row),
            object_id=str(row.pk),
            object_repr=str(row),
            action_flag=CHANGE,
            change_message="Asked the provider for the state.",
        )
    return call


def client_of(*permissions: str) -> Client:
    user: User = create_staff_user(*permissions)
    user.user_permissions.add(*Permission.objects.filter(codename__in=permissions))
    client = Client()
    client.force_login(user)
    return client


def addresses(call: CallRequest) -> list[str]:
    verification = call.verification_id
    autocomplete = "app_label=django_voicepassword&model_name=callrequest&field_name=verification"
    return [
        f"{ADMIN}/callrequest/",
        f"{ADMIN}/callrequest/{call.pk}/change/",
        f"{ADMIN}/callrequest/{call.pk}/history/",
        f"{ADMIN}/verification/",
        f"{ADMIN}/verification/{verification}/change/",
        f"{ADMIN}/verification/{verification}/history/",
        f"{ADMIN}/verifiedphone/",
        f"{ADMIN}/verifiedphone/{VerifiedPhone.objects.get().pk}/change/",
        f"/admin/autocomplete/?{autocomplete}&term=4567",
        "/api/calls/",
        f"/api/calls/{call.pk}/",
    ]


@pytest.mark.parametrize("permissions", [(), OF_USERS])
def test_it_is_masked_for_a_reader_of_masked_numbers(
    call: CallRequest, name: str, permissions: tuple[str, ...]
) -> None:
    client = client_of(*permissions)
    for address in addresses(call):
        answer = client.get(address)
        assert (address, answer.status_code) == (address, 200)
        text = answer.content.decode()
        assert name not in text, address
        assert "1234567" not in text, address
        assert "123-45-67" not in text, address
        if "autocomplete" not in address:
            assert "+7 *** ***-**-67" in text, address


def test_it_is_whole_for_a_reader_of_whole_numbers(call: CallRequest, name: str) -> None:
    client = client_of("view_full_phone", *OF_USERS)
    for address in addresses(call):
        if "autocomplete" not in address:
            assert name in client.get(address).content.decode(), address


def test_the_export_masks_it_too(call: CallRequest, name: str) -> None:
    answer: Any = client_of().post(f"{ADMIN}/callrequest/export/", {"format": "csv"})
    text = b"".join(answer.streaming_content).decode()
    assert name not in text
    assert "1234567" not in text
    chief = Client()
    chief.force_login(get_user_model().objects.create_superuser("chief"))
    answer = chief.post(f"{ADMIN}/callrequest/export/", {"format": "csv", "whole_phones": "on"})
    assert name.lstrip("+") in b"".join(answer.streaming_content).decode()


def test_the_page_that_deletes_a_user_shows_the_numbers_masked(
    call: CallRequest, name: str
) -> None:
    """The page names the user as the list of users does; the rows that go too are ours."""
    client = client_of(*OF_USERS)
    user = get_user_model().objects.get(username=name)
    page = client.get(f"/admin/auth/user/{user.pk}/delete/").content.decode()
    assert "+7 *** ***-**-67" in page
    assert page.replace(name, "").count("1234567") == 0


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("anna", "anna"),
        ("+376 312 345", "+376 ****45"),
        ("37631234", "37631234"),
        ("user 12345", "user 12345"),
        ("", ""),
    ],
)
def test_a_name_without_a_number_stays(name: str, shown: str) -> None:
    assert masking.mask_name(name) == shown
