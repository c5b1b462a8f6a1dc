"""Notices on every page of the admin, also on those that answer a POST; each is shown once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from django_voicepassword.limits import circuit
from django_voicepassword.limits.guard.trips import end, trip
from django_voicepassword.models import FraudTrip
from tests.admin_pages.staff_users import create_staff_user

pytestmark = pytest.mark.django_db

INDEX = "/admin/"
CALLS = "/admin/django_voicepassword/callrequest/"
ADD_USER = reverse("admin:auth_user_add")
USERS = reverse("admin:auth_user_changelist")
REFUSED_ACCOUNT = "Nobody gets a code"
SUSPECTED = "An attack is suspected since"


def open_trip(kind: str = "prefix", subject: str = "7999") -> FraudTrip:
    return trip(kind, subject, "sends", timezone.now(), failures=60, threshold=50)


def refuse_account() -> None:
    circuit.open_circuit("Authorisation_Failed")


@pytest.mark.parametrize(
    ("begin", "text"), [(refuse_account, REFUSED_ACCOUNT), (open_trip, SUSPECTED)]
)
def test_a_page_that_answers_a_post_has_the_notice_too(
    admin_client: Client, begin: Callable[[], Any], text: str
) -> None:
    begin()
    user = create_staff_user()
    with_errors = admin_client.post(ADD_USER, {"username": "anna"})
    confirmation = admin_client.post(
        USERS, {"action": "delete_selected", "_selected_action": str(user.pk)}
    )
    for answer in (with_errors, confirmation):
        assert answer.status_code == 200
        assert answer.content.decode().count(text) == 1


def test_a_form_that_leads_to_another_page_does_not_double_the_notice(client: Client) -> None:
    user = create_staff_user("unblock_phone")
    user.set_password("secret")
    user.save()
    refuse_account()
    open_trip()
    client.force_login(user)
    # A message for the next page waits, as after a click on a slow page.
    client.post(f"{CALLS}unblock-address/", {"address": "192.0.2.1"})
    # Django makes the context of this page before it looks at the form.
    form = {"old_password": "secret", "new_password1": "9Kd2x8Qz", "new_password2": "9Kd2x8Qz"}
    answer = client.post(reverse("admin:password_change"), form)
    assert answer.status_code == 302
    for waiting in (1, 0):
        page = client.get(INDEX).content.decode()
        assert (page.count(REFUSED_ACCOUNT), page.count(SUSPECTED)) == (1, 1)
        assert page.count("192.0.2.1: Unblocked the address") == waiting


def test_messages_of_the_project_stay(admin_client: Client) -> None:
    open_trip()
    answer = admin_client.post(
        ADD_USER,
        {
            "username": "anna",
            "password1": "9Kd2x8Qz",
            "password2": "9Kd2x8Qz",
            "usable_password": "true",
        },
        follow=True,
    )
    page = answer.content.decode()
    assert "was added successfully" in page
    assert page.count(SUSPECTED) == 1


def test_the_notice_ends_with_the_trip(admin_client: Client) -> None:
    assert SUSPECTED not in admin_client.get(INDEX).content.decode()
    begun = open_trip()
    assert "operator prefix +7999." in admin_client.get(INDEX).content.decode()
    end(begun, FraudTrip.End.CALM, timezone.now())
    assert SUSPECTED not in admin_client.get(INDEX).content.decode()


def test_many_trips_have_one_notice(admin_client: Client) -> None:
    open_trip("network", "192.0.2.0/24")
    open_trip()
    page = admin_client.get(INDEX).content.decode()
    assert "Attacks are suspected in 2 places since" in page
    assert "first: network 192.0.2.0/24." in page
    page = admin_client.get(INDEX, headers={"accept-language": "ru"}).content.decode()
    assert "Есть подозрение на атаки: 2 места" in page


def test_the_notice_shows_no_block_of_numbers(admin_client: Client) -> None:
    """With the two digits that a masked number shows, it would tell all but two."""
    open_trip("block", "7999123")
    page = admin_client.get(INDEX).content.decode()
    assert "block of numbers +7999*******." in page
    assert "7999123" not in page


@pytest.mark.parametrize(
    ("mode", "text"),
    [("enforce", "people on new devices"), ("audit", "nobody is refused"), ("off", "")],
)
def test_the_notice_says_what_it_means_for_people(
    admin_client: Client, configure: Callable[..., None], mode: str, text: str
) -> None:
    open_trip()
    configure(FRAUD_GUARD=mode)
    page = admin_client.get(INDEX).content.decode()
    assert (SUSPECTED in page) == bool(text)
    assert text in page


def test_the_notice_leads_whoever_may_to_the_page_protection(admin_client: Client) -> None:
    open_trip()
    link = f'<a href="{reverse("admin:django_voicepassword_protection")}">Protection</a>'
    assert link in admin_client.get(INDEX).content.decode()
    client = Client()
    client.force_login(create_staff_user())
    page = client.get(INDEX).content.decode()
    assert SUSPECTED in page
    assert link not in page
