"""Long lists tell no false numbers, and their older rows can be reached."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.test import Client
from django.utils import timezone

from django_voicepassword.admin import changelist
from django_voicepassword.models import CallRequest, Verification, VerifiedPhone
from tests.admin_pages.staff_users import logged_in

pytestmark = pytest.mark.django_db
ADMIN = "/admin/django_voicepassword"
LISTS = ["callrequest", "verification", "verifiedphone"]
ROWS = 230


@pytest.fixture
def history(monkeypatch: pytest.MonkeyPatch) -> None:
    """More rows of each kind than are counted; one in each minute."""
    monkeypatch.setattr(changelist, "COUNT_AT_MOST", 100)
    now = timezone.now()
    minutes = [now - timedelta(minutes=number) for number in range(ROWS)]
    users = get_user_model().objects.bulk_create(
        get_user_model()(username=f"user{number}") for number in range(ROWS)
    )
    phones = [f"7999{number:07}" for number in range(ROWS)]
    Verification.objects.bulk_create(
        Verification(phone=phone, created_at=moment, expires_at=moment + timedelta(minutes=5))
        for phone, moment in zip(phones, minutes, strict=True)
    )
    CallRequest.objects.bulk_create(
        CallRequest(
            phone=phone, channel="voice", state="busy", created_at=moment, claimed_at=moment
        )
        for phone, moment in zip(phones, minutes, strict=True)
    )
    VerifiedPhone.objects.bulk_create(
        VerifiedPhone(user=user, phone=phone, verified_at=moment)
        for user, phone, moment in zip(users, phones, minutes, strict=True)
    )


@pytest.mark.usefixtures("history")
@pytest.mark.parametrize("model", LISTS)
def test_the_oldest_row_is_reached_by_links_alone(model: str) -> None:
    client = logged_in()
    seen: list[Any] = []
    page = 1
    while True:
        answer = client.get(f"{ADMIN}/{model}/", {"p": str(page)})
        seen += answer.context["cl"].result_list
        text = answer.content.decode()
        counted = min(100 + 50 * (page - 1), ROWS)
        assert ("More than" in text) == (counted < ROWS)
        assert (f"More than {counted} rows" if counted < ROWS else f"{ROWS} rows") in text
        assert f"{counted} results" not in text or counted == ROWS
        if f"?p={page + 1}" not in text:
            break
        page += 1
    assert page == 5
    assert len({row.pk for row in seen}) == ROWS


@pytest.mark.usefixtures("history")
def test_a_number_that_cannot_be_a_page_says_so() -> None:
    client = logged_in()
    for page in ("0", "-1", "9" * 30, "²", "many", "7"):
        assert client.get(f"{ADMIN}/verification/", {"p": page}).status_code in (200, 302)
    # Nobody makes the database count a million rows.
    answer = client.get(f"{ADMIN}/verification/", {"p": "1"})
    paginator = answer.context["cl"].paginator
    paginator.page_shown = 10**9
    assert paginator._bound == 100 + 50 * (changelist.DEEPEST_PAGE - 1)


@pytest.mark.parametrize("model", LISTS)
def test_each_list_has_a_bar_of_periods(model: str) -> None:
    zone = timezone.get_default_timezone()
    old = datetime(2024, 5, 5, 12, tzinfo=zone)
    for moment, phone in ((old, "79990000001"), (timezone.now(), "79990000002")):
        user = get_user_model().objects.create_user(phone[-1])
        Verification.objects.create(
            phone=phone, created_at=moment, expires_at=moment + timedelta(minutes=5)
        )
        CallRequest.objects.create(phone=phone, channel="sms", state="refused", created_at=moment)
        VerifiedPhone.objects.create(user=user, phone=phone, verified_at=moment)
    client = logged_in()

    def listed(**days: str) -> list[str]:
        cl = client.get(f"{ADMIN}/{model}/", days).context["cl"]
        return [row.phone for row in cl.result_list]

    assert listed(**{"from": "2024-05-05", "to": "2024-05-05"}) == ["79990000001"]
    assert listed(**{"from": "2024-05-06"}) == ["79990000002"]
    page = client.get(f"{ADMIN}/{model}/").content.decode()
    assert "?from=2024-01-01&amp;to=2024-12-31" in page
    wrong = client.get(f"{ADMIN}/{model}/", {"from": "yesterday"})
    assert (wrong.status_code, wrong.headers["Location"]) == (302, f"{ADMIN}/{model}/?e=1")


def test_a_filter_keeps_the_period(client: Client) -> None:
    page = logged_in().get(f"{ADMIN}/verification/", {"from": "2024-01-01"}).content.decode()
    assert "?from=2024-01-01&amp;status__exact=canceled" in page


def test_no_address_sorts_a_list_by_a_column_without_an_index() -> None:
    moment = timezone.now()
    for attempts, minutes in ((1, 2), (3, 1), (2, 0)):
        created_at = moment - timedelta(minutes=minutes)
        Verification.objects.create(
            phone="79990000001",
            attempts=attempts,
            created_at=created_at,
            expires_at=created_at + timedelta(minutes=5),
        )
    client = logged_in()
    orders = {
        query: [
            row.attempts
            for row in client.get(f"{ADMIN}/verification/{query}").context["cl"].result_list
        ]
        for query in ("", "?o=4", "?o=-4", "?o=1", "?o=0")
    }
    newest_first = {query: [2, 3, 1] for query in ("", "?o=4", "?o=-4", "?o=1")}
    assert orders == {**newest_first, "?o=0": [1, 3, 2]}


@pytest.mark.parametrize("model", LISTS)
def test_a_list_that_nothing_narrows_offers_no_link_to_all_rows(model: str) -> None:
    client = logged_in()
    assert "Show all" not in client.get(f"{ADMIN}/{model}/").content.decode()
    narrowed = client.get(f"{ADMIN}/{model}/", {"q": "4567"}).content.decode()
    assert "0 results" in narrowed
    assert "Show all" in narrowed
