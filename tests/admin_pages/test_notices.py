"""Notices on every page of the admin, also on those that answer a POST; each is shown once."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from django_voicepassword.limits import circuit
from django_voicepassword.limits.guard.trips import end, trip
from django_voicepassword.models import BalanceReading, CallRequest, FraudTrip
from tests.admin_pages.staff_users import create_staff_user

pytestmark = [pytest.mark.django_db, pytest.mark.any_database]

INDEX = "/admin/"
DASHBOARD = "/admin/django_voicepassword/dashboard/"
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
    assert "Подозрения на атаки с" in page
    assert "(всего: 2), первое: сеть 192.0.2.0/24." in page


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
    address = reverse("admin:django_voicepassword_protection")
    link = f'<a href="{address}" class="underline">Protection</a>'
    assert link in admin_client.get(INDEX).content.decode()
    client = Client()
    client.force_login(create_staff_user())
    page = client.get(INDEX).content.decode()
    assert SUSPECTED in page
    assert link not in page


def test_a_notice_whose_figures_change_is_not_doubled(client: Client) -> None:
    """A page that was not rendered leaves its notice for the next one."""
    user = create_staff_user()
    user.set_password("secret")
    user.save()
    client.force_login(user)
    call = CallRequest.objects.create(
        phone="79991234567", channel="voice", created_at=timezone.now() - timedelta(seconds=50)
    )
    form = {"old_password": "secret", "new_password1": "9Kd2x8Qz", "new_password2": "9Kd2x8Qz"}
    assert client.post(reverse("admin:password_change"), form).status_code == 302
    CallRequest.objects.update(created_at=timezone.now() - timedelta(seconds=500))
    assert client.get(INDEX).content.decode().count("1 call is not placed yet") == 1
    page = client.get(INDEX).content.decode()
    assert page.count("1 call is not placed yet; it has waited for 8\xa0minutes.") == 1
    assert f'<a href="{CALLS}?state=queued" class="underline">Calls that wait</a>' in page
    call.claim("", timezone.now())
    assert "not placed yet" not in client.get(INDEX).content.decode()


def test_money_and_operators_are_for_those_who_see_the_dashboard(admin_client: Client) -> None:
    BalanceReading.objects.create(balance=Decimal("0"), currency="Rub")
    page = admin_client.get(INDEX).content.decode()
    assert "The balance is low: 0.00\xa0₽." in page
    assert f'<a href="{DASHBOARD}#vp-balance-now" class="underline">Balance</a>' in page
    client = Client()
    client.force_login(create_staff_user())
    assert "The balance is low" not in client.get(INDEX).content.decode()


def test_of_many_needs_the_gravest_is_shown_and_the_dashboard_has_the_others(
    admin_client: Client,
) -> None:
    refuse_account()
    open_trip()
    page = admin_client.get(INDEX).content.decode()
    assert (REFUSED_ACCOUNT in page, SUSPECTED in page) == (True, True)
    CallRequest.objects.create(
        phone="79991234567", channel="voice", created_at=timezone.now() - timedelta(seconds=50)
    )
    page = admin_client.get(INDEX).content.decode()
    assert (REFUSED_ACCOUNT in page, SUSPECTED in page) == (True, False)
    assert (
        f'<a href="{DASHBOARD}#vp-needs" class="underline">And 2 things more need doing</a>' in page
    )
    page = admin_client.get(DASHBOARD).content.decode()
    assert page.count(REFUSED_ACCOUNT) == page.count(SUSPECTED) == 1
    assert "things more" not in page
    # Support has no dashboard: it is shown all of them.
    client = Client()
    client.force_login(create_staff_user())
    page = client.get(INDEX).content.decode()
    assert all(text in page for text in (REFUSED_ACCOUNT, SUSPECTED, "1 call is not placed yet"))
    # Whoever answers customers can start no worker.
    assert page.count("Tell whoever runs this site.") == 2
    assert "Start a worker" not in page
    assert "people on new devices" in page
