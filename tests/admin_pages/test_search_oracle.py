"""Whoever sees masked numbers cannot learn a whole one, or a secret, by searching for parts of it.

Each test asks every surface that searches: the lists, the export, autocomplete and the staff API.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.utils import timezone

from django_voicepassword import limits
from django_voicepassword.models import CallRequest, RefusedAttempt, Verification, VerifiedPhone
from tests.admin_pages.staff_users import create_staff_user

pytestmark = pytest.mark.django_db

ADMIN = "/admin/django_voicepassword"
PHONE = "79991234567"
AUTOCOMPLETE = "/admin/autocomplete/"
AUTOCOMPLETE_OF_A_CALL = {
    "app_label": "django_voicepassword",
    "model_name": "callrequest",
    "field_name": "verification",
}


def _listed(client: Client, model: str, text: str) -> int:
    return len(client.get(f"{ADMIN}/{model}/", {"q": text}).context["cl"].result_list)


def _exported(client: Client, text: str) -> int:
    answer: Any = client.post(
        f"{ADMIN}/callrequest/export/?{urlencode({'q': text})}", {"format": "csv"}
    )
    return int(answer.headers["X-Export-Rows"])


def _completed(client: Client, text: str) -> int:
    answer = client.get(AUTOCOMPLETE, {**AUTOCOMPLETE_OF_A_CALL, "term": text})
    return len(answer.json()["results"])


def _customers(client: Client, text: str) -> int:
    """Return how many people the box finds. A number of whom nothing is known is nobody."""
    answer = client.post(f"{ADMIN}/person/", {"q": text}, follow=True)
    return len(answer.context.get("found") or []) + ("head" in answer.context)


#: Name of a surface -> how many rows a text finds there.
SURFACES: dict[str, Callable[[Client, str], int]] = {
    "list of calls": lambda client, text: _listed(client, "callrequest", text),
    "list of verifications": lambda client, text: _listed(client, "verification", text),
    "list of verified phones": lambda client, text: _listed(client, "verifiedphone", text),
    "export": _exported,
    "autocomplete": _completed,
    "box for customers": _customers,
    "api": lambda client, text: len(client.get("/api/calls/", {"q": text}).json()["results"]),
}
#: They know no users.
SURFACES_OF_NUMBERS: dict[str, Callable[[Client, str], int]] = {
    **SURFACES,
    "list of refused attempts": lambda client, text: _listed(client, "refusedattempt", text),
    "refused attempts above the calls": lambda client, text: len(
        client.get(f"{ADMIN}/callrequest/", {"q": text}).context["refusals"]
    ),
}


def client_of(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def prove(phone: str = PHONE, name: str = "anna") -> CallRequest:
    """Create a user who has proved the number by a call."""
    now = timezone.now()
    user = get_user_model().objects.create_user(name)
    VerifiedPhone.objects.create(user=user, phone=phone)
    RefusedAttempt.objects.create(phone=phone, address="192.0.2.1", reason="ip")
    verification = Verification.objects.create(
        phone=phone,
        user=user,
        status="approved",
        approved_at=now,
        expires_at=now + timedelta(minutes=5),
    )
    return CallRequest.objects.create(
        verification=verification,
        phone=phone,
        channel="flashcall",
        state="no_answer",
        claimed_at=now,
        provider_id="12345",
        code_digest="abcdef",
    )


@pytest.mark.parametrize("surface", SURFACES_OF_NUMBERS)
def test_only_two_to_four_ending_digits_or_a_whole_number_find_it(surface: str) -> None:
    prove()
    find = SURFACES_OF_NUMBERS[surface]
    support = client_of(create_staff_user())
    found = {text: find(support, text) for text in ("67", "567", "4567", "8 (999) 123-45-67")}
    assert set(found.values()) == {1}, found
    parts = ["7", *(PHONE[-length:] for length in range(5, 10)), "7999", "799912", "+7 999"]
    assert {text: find(support, text) for text in parts} == dict.fromkeys(parts, 0)


@pytest.mark.parametrize("surface", SURFACES_OF_NUMBERS)
def test_beginnings_find_a_number_for_a_reader_who_sees_it_whole(surface: str) -> None:
    prove()
    find = SURFACES_OF_NUMBERS[surface]
    chief = client_of(create_staff_user("view_full_phone"))
    beginnings = ["79991", "8 (999) 123", "+7 999", "+7 (999) 123-45", "99912"]
    assert {text: find(chief, text) for text in beginnings} == dict.fromkeys(beginnings, 1)
    # Four digits without a plus are an ending; other numbers begin otherwise.
    others = ["7999", "+7", "+8", "79992", "8 (999) 124", "+1 999"]
    assert {text: find(chief, text) for text in others} == dict.fromkeys(others, 0)


def test_longer_endings_find_a_number_for_a_reader_who_sees_it_whole() -> None:
    prove()
    chief = client_of(create_staff_user("view_full_phone"))
    for surface, find in SURFACES.items():
        assert (surface, find(chief, "34567"), find(chief, "991234567")) == (surface, 1, 1)


@pytest.mark.parametrize("surface", SURFACES)
def test_a_first_name_does_not_help_to_guess_a_number_in_the_last_name(surface: str) -> None:
    prove()
    User.objects.filter(username="anna").update(first_name="Alexandra", last_name=PHONE)
    find, support = SURFACES[surface], client_of(create_staff_user())
    # As long as the last name, and not longer than the first name.
    parts = ["A 799912345", "Al 79991234", "A 799912", "799912345 a", "a 7"]
    assert {text: find(support, text) for text in parts} == dict.fromkeys(parts, 0)
    wholes = ["alex", f"A {PHONE}", f"{PHONE} Alexandra"]
    assert {text: find(support, text) for text in wholes} == dict.fromkeys(wholes, 1)
    reader = client_of(create_staff_user("view_full_phone", name="owner"))
    assert find(reader, "A 799912345") == 1


@pytest.mark.parametrize("surface", SURFACES)
def test_a_user_name_that_is_a_number_is_not_found_by_its_beginning(surface: str) -> None:
    prove(name=f"tel:{PHONE}")
    find = SURFACES[surface]
    support = client_of(create_staff_user())
    # What is shown finds it, and so does the whole name.
    assert (find(support, "tel:"), find(support, f"tel:{PHONE}")) == (1, 1)
    parts = ["tel:7", "tel:799", "tel:799912", f"tel:{PHONE[:-1]}"]
    assert {text: find(support, text) for text in parts} == dict.fromkeys(parts, 0)
    chief = client_of(create_staff_user("view_full_phone", name="chief"))
    assert find(chief, "tel:799") == 1


LOOKUPS = {
    "callrequest": [
        "phone",
        "phone__startswith",
        "phone__regex",
        "phone_ending__startswith",
        "code_digest__startswith",
        "verification",
        "verification__gt",
        "verification__id__startswith",
        "verification__phone__startswith",
        "statuses__payload__icontains",
        "id__regex",
        "pk__gt",
        "device__startswith",
        "state__regex",
    ],
    "verification": [
        "id__gt",
        "pk__startswith",
        "phone__regex",
        "calls__code_digest__gt",
        "user__username__startswith",
        "ip__startswith",
        "status__regex",
    ],
    "verifiedphone": ["phone__startswith", "phone__lt", "user__username__regex"],
    "dailystatistics": ["unreadable_rows__regex", "rows__gt"],
    "balancereading": ["balance__regex"],
}


@pytest.mark.parametrize("model", LOOKUPS)
def test_a_list_is_filtered_by_its_own_filters_alone(model: str, admin_client: Client) -> None:
    prove()
    for lookup in LOOKUPS[model]:
        answer = admin_client.get(f"{ADMIN}/{model}/", {lookup: "7"})
        assert (lookup, answer.status_code) == (lookup, 400)
    if model == "callrequest":
        for lookup in LOOKUPS[model]:
            answer = admin_client.get(f"{ADMIN}/{model}/export/", {lookup: "7"})
            assert (lookup, answer.status_code) == (lookup, 400)


def test_the_filters_of_a_list_still_work(admin_client: Client) -> None:
    call = prove()
    for model, parameters in {
        "callrequest": {
            "state": "no_answer",
            "channel": "flashcall",
            "origin": "app",
            "from": "2020-01-01",
            "number_of": str(call.pk),
        },
        "verification": {"status__exact": "approved"},
    }.items():
        answer = admin_client.get(f"{ADMIN}/{model}/", parameters)
        assert len(answer.context["cl"].result_list) == 1


ADDRESSES = {
    "list of calls": f"{ADMIN}/callrequest/",
    "list of verifications": f"{ADMIN}/verification/",
    "list of verified phones": f"{ADMIN}/verifiedphone/",
    "export": f"{ADMIN}/callrequest/export/",
    "box for customers": f"{ADMIN}/person/",
    "api": "/api/calls/",
}


@pytest.mark.parametrize(
    ("surface", "text"),
    [
        *((surface, "+7 999 000-00-00") for surface in ADDRESSES),
        ("list of calls", f"tel:{PHONE}"),
        ("list of calls", "000000000012"),
    ],
)
def test_whole_numbers_are_searched_for_a_hundred_times_an_hour(
    surface: str, text: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "django_voicepassword.audit")
    user = create_staff_user("view_full_phone")
    for _ in range(99):
        limits.count_search(user.pk)
    find, client = SURFACES[surface], client_of(user)
    assert find(client, text) == 0
    refused = client.get(ADDRESSES[surface], {"q": text})
    assert refused.status_code == 429
    assert 0 < int(refused.headers["Retry-After"]) <= 3600
    assert [line for line in caplog.messages if line.endswith(", refused: too many searches")]
    assert text not in caplog.text
    # Only whole numbers, and only this user.
    assert find(client, "4567") == 0
    assert find(client_of(create_staff_user(name="other")), text) == 0


def test_the_view_of_autocomplete_fields_refuses_too() -> None:
    user = create_staff_user()
    for _ in range(100):
        limits.count_search(user.pk)
    answer = client_of(user).get(AUTOCOMPLETE, {**AUTOCOMPLETE_OF_A_CALL, "term": PHONE})
    assert answer.status_code == 403


@pytest.mark.parametrize("surface", SURFACES)
def test_a_search_for_a_whole_number_is_logged_without_it(
    surface: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "django_voicepassword.audit")
    user = create_staff_user()
    client = client_of(user)
    for text in ("4567", "anna", PHONE):
        SURFACES[surface](client, text)
    (line,) = [line for line in caplog.messages if "searched" in line]
    assert line.startswith(f"user {user.pk} searched for a whole number: ")
    assert PHONE not in caplog.text


def test_a_refused_search_tells_nothing_of_the_limits_of_the_number() -> None:
    user = create_staff_user()
    for _ in range(100):
        limits.count_search(user.pk)
    page = client_of(user).get(f"{ADMIN}/callrequest/", {"q": PHONE})
    assert page.status_code == 429
    text = page.content.decode()
    assert "limit of this number" not in text
    assert "The last four digits find a number too" in text
    assert PHONE not in text


def test_the_searches_of_an_hour_ago_count_no_more() -> None:
    now = timezone.now()
    for _ in range(100):
        limits.count_search(1, now - timedelta(minutes=61))
    limits.count_search(1, now)


def test_the_permission_to_see_users_is_not_the_one_to_see_numbers() -> None:
    """``view_user`` opens Django's list of users, and no longer endings here."""
    prove()
    user = create_staff_user()
    user.user_permissions.add(Permission.objects.get(codename="view_user"))
    assert SURFACES["list of calls"](client_of(user), "34567") == 0


def test_unblocking_a_typed_number_counts_as_a_search_for_it(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The history of a call tells whether a number that was unblocked is the call's."""
    caplog.set_level(logging.INFO, "django_voicepassword.audit")
    user = create_staff_user("unblock_phone")
    for _ in range(99):
        limits.count_search(user.pk)
    client, form = client_of(user), f"{ADMIN}/callrequest/unblock/"
    assert client.post(form, {"phone": "no number"}).status_code == 302
    assert client.post(form, {"phone": PHONE}).status_code == 302
    assert f"user {user.pk} searched for a whole number: unblocking" in caplog.messages
    caplog.clear()
    refused = client.post(form, {"phone": PHONE})
    assert refused.status_code == 429
    assert 0 < int(refused.headers["Retry-After"]) <= 3600
    (line,) = [line for line in caplog.messages if "whole number" in line]
    assert line.endswith("unblocking, refused: too many searches")
