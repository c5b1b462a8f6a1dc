"""The list of calls: its columns, search, filters and number of queries."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from io import StringIO
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.core.management import call_command
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from django_voicepassword import limits, verifications
from django_voicepassword.admin import changelist
from django_voicepassword.models import CallRequest, Verification, VerifiedPhone
from django_voicepassword.testing import Sent
from tests.admin_pages.staff_users import VIEW_PERMISSIONS, logged_in

pytestmark = pytest.mark.django_db
LIST = "/admin/django_voicepassword/callrequest/"


def create_call(phone: str = "79991234567", **values: Any) -> CallRequest:
    now = timezone.now()
    defaults: dict[str, Any] = {
        "phone": phone,
        "channel": "flashcall",
        "state": "no_answer",
        "claimed_at": now,
        "created_at": now,
    }
    return CallRequest.objects.create(**{**defaults, **values})


def listed(client: Client, **parameters: str) -> list[int]:
    """Return the keys of the calls that the list shows."""
    answer = client.get(LIST, parameters)
    assert answer.status_code == 200, answer.headers
    return [call.pk for call in answer.context["cl"].result_list]


def test_the_checks_of_the_admin_find_nothing() -> None:
    output = StringIO()
    call_command("check", stdout=output, fail_level="WARNING")
    assert "no issues" in output.getvalue()


def test_a_row_shows_everything_at_a_glance(outbox: list[Sent]) -> None:
    verification = verifications.start("79991234567")
    user = verifications.check(
        verification.id, outbox[0].code
    ).user or get_user_model().objects.create_user("anna")
    Verification.objects.update(user=user, attempts=3)
    CallRequest.objects.update(
        state="failed",
        error_code="no_reply",
        price=Decimal("0.35"),
        duration=4,
        origin="imported",
        channel="voice",
    )
    page = logged_in("view_user").get(LIST).content.decode()
    assert (
        '<td class="field-state_or_error"><span class="vp-badge vp-badge-bad">failed</span>' in page
    )
    assert '<td class="field-approval"><span class="vp-badge vp-badge-good">approved</span>' in page
    assert '<td class="field-price_short">0.35</td>' in page
    assert '<td class="field-channel">voice call</td>' in page
    assert f'<a href="/admin/auth/user/{user.pk}/change/">{user}</a>' in page
    assert "+7 *** ***-**-67" in page


def test_a_row_names_an_error_and_another_system_in_words() -> None:
    create_call(state="refused", error_code="NOT_ENOUGH_MONEY")
    create_call(state="refused", error_code="never heard of")
    create_call(origin="imported")
    page = logged_in().get(LIST).content.decode()
    badges = re.findall(r'vp-badge-(\w+)">([^<]+)</span>', page)
    assert badges == [
        ("good", "no answer"),
        ("plain", "imported"),
        ("bad", "never heard of"),
        ("bad", "no money"),
    ]
    assert '<a href="?error=not_enough_money">no money</a>' in page


@pytest.mark.parametrize(
    "may", [VIEW_PERMISSIONS, ("view_callrequest",), ("view_verification", "view_verifiedphone")]
)
def test_no_link_leads_to_what_may_not_be_seen(outbox: list[Sent], may: tuple[str, ...]) -> None:
    verification = verifications.start("79991234567")
    user = get_user_model().objects.create_user("anna")
    Verification.objects.update(user=user)
    VerifiedPhone.objects.create(user=user, phone="79991234567")
    reader = get_user_model().objects.create_user("support", is_staff=True)
    reader.user_permissions.set(Permission.objects.filter(codename__in=may))
    client = Client()
    client.force_login(reader)
    ours = "/admin/django_voicepassword/"
    pages = [f"{ours}{name}/" for name in ("callrequest", "verification", "verifiedphone")]
    pages += [
        f"{pages[0]}{verification.calls.get().pk}/change/",
        f"{pages[1]}{verification.pk}/change/",
    ]
    read = [
        answer.content.decode()
        for answer in (client.get(page) for page in pages)
        if answer.status_code == 200
    ]
    assert len(read) >= 2
    assert all("anna" in page for page in read)
    links = {link for page in read for link in re.findall(r'href="(/admin/[^"?]*)', page)}
    assert len(links) > 5
    assert {
        link: client.get(link).status_code for link in links if client.get(link).status_code == 403
    } == {}


def test_the_newest_comes_first() -> None:
    now = timezone.now()
    keys = [create_call(created_at=now - timedelta(minutes=age)).pk for age in (5, 1, 9)]
    assert listed(logged_in()) == [keys[1], keys[0], keys[2]]


def test_only_who_may_sees_whole_numbers_and_that_is_noted(
    caplog: pytest.LogCaptureFixture,
) -> None:
    call = create_call()
    VerifiedPhone.objects.create(
        user=get_user_model().objects.create_user("anna"), phone="79991234567"
    )
    addresses = [LIST, f"{LIST}{call.pk}/change/", "/admin/django_voicepassword/verifiedphone/"]
    caplog.set_level(logging.INFO, "django_voicepassword.audit")
    client = logged_in()
    for address in addresses:
        page = client.get(address).content.decode()
        assert "+7 *** ***-**-67" in page
        assert "1234567" not in page
        assert "123-45-67" not in page
    assert caplog.records == []
    chief = Client()
    chief.force_login(get_user_model().objects.create_superuser("chief"))
    for address in addresses:
        assert (
            '<a class="vp-phone" href="tel:+79991234567">+7 999 123-45-67</a>'
            in chief.get(address).content.decode()
        )
    pk = get_user_model().objects.get(username="chief").pk
    assert [record.getMessage() for record in caplog.records] == [
        f"user {pk} saw 1 whole numbers: list of callrequest",
        f"user {pk} saw 1 whole numbers: callrequest {call.pk}",
        f"user {pk} saw 1 whole numbers: list of verifiedphone",
    ]


@pytest.mark.parametrize(
    ("parameters", "names"),
    [
        ({"state": "busy"}, ["busy"]),
        ({"channel": "sms"}, ["sms"]),
        ({"origin": "imported"}, ["imported"]),
        ({"error": "any"}, ["refused"]),
        ({"error": "number_not_valid"}, ["refused"]),
        ({"error": "no_reply"}, []),
        ({"differs": "any"}, ["differs"]),
        ({"differs": "price"}, ["differs"]),
        ({"differs": "state"}, []),
        ({"q": "4433"}, ["sms"]),
        ({"q": "8 (999) 111-44-33"}, ["sms"]),
        ({"q": "id-7"}, ["busy"]),
        ({"q": "4433", "state": "busy"}, []),
        ({"from": "2026-03-10", "to": "2026-03-10"}, ["old"]),
        ({"to": "2026-03-09"}, []),
    ],
)
def test_the_filters_and_the_search(parameters: dict[str, str], names: list[str]) -> None:
    noon = datetime(2026, 3, 10, 12, tzinfo=timezone.get_default_timezone())
    calls = {
        "busy": create_call(state="busy", provider_id="id-7"),
        "sms": create_call("79991114433", channel="sms", state="delivered"),
        "imported": create_call(origin="imported"),
        "refused": create_call(state="refused", error_code="number_not_valid"),
        "differs": create_call(difference=CallRequest.Difference.PRICE),
        "old": create_call(created_at=noon),
    }
    assert listed(logged_in(), **parameters) == [calls[name].pk for name in names]


def test_the_calls_of_one_number_are_listed_without_naming_it() -> None:
    first, second = create_call(), create_call()
    create_call("79990000001")
    assert listed(logged_in(), number_of=str(first.pk)) == [second.pk, first.pk]
    assert listed(logged_in_again(), number_of="999999") == []


def logged_in_again() -> Client:
    client = Client()
    client.force_login(get_user_model().objects.get(username="support"))
    return client


@pytest.mark.parametrize(
    "parameters",
    [{"state": "nonsense"}, {"from": "yesterday"}, {"number_of": "x"}, {"number_of": "9" * 30}],
)
def test_what_cannot_be_filtered_by_says_so(parameters: dict[str, str]) -> None:
    answer = logged_in().get(LIST, parameters)
    assert (answer.status_code, answer.headers["Location"]) == (302, f"{LIST}?e=1")


def test_the_period_leads_from_years_to_days_and_back() -> None:
    create_call(created_at=datetime(2024, 5, 5, 12, tzinfo=timezone.get_default_timezone()))
    create_call()
    client = logged_in()

    def period_bar(**parameters: str) -> Any:
        return client.get(LIST, parameters).context["cl"].period_bar

    today = timezone.localdate()
    assert [choice.label for choice in period_bar().deeper()] == [
        str(year) for year in range(today.year, 2023, -1)
    ]
    year = period_bar(**{"from": "2024-01-01", "to": "2024-12-31"})
    assert (len(year.deeper()), year.deeper()[4].label, year.above().label) == (
        12,
        "May 2024",
        "All years",
    )
    assert year.deeper()[4].query == "?from=2024-05-01&to=2024-05-31"
    month = period_bar(**{"from": "2024-05-01", "to": "2024-05-31", "state": "busy"})
    assert (len(month.deeper()), month.above().query) == (
        31,
        "?from=2024-01-01&state=busy&to=2024-12-31",
    )
    assert month.deeper()[4].query == "?from=2024-05-05&state=busy&to=2024-05-05"
    day = period_bar(**{"from": "2024-05-05", "to": "2024-05-05"})
    assert (day.deeper(), day.above().label) == ([], "May 2024")
    assert [
        choice.is_chosen for choice in period_bar(**{"from": str(today), "to": str(today)}).usual()
    ].count(True) >= 1


def test_a_list_counts_no_more_rows_than_it_shows(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(changelist, "COUNT_AT_MOST", 60)
    for number in range(70):
        create_call(f"7999000{number:04}")
    client = logged_in()
    answer = client.get(LIST)
    assert answer.context["cl"].result_count == 60
    assert "More than 60 rows" in answer.content.decode()
    assert "60 results" not in client.get(LIST, {"channel": "flashcall", "q": ""}).content.decode()
    assert "1 row\n" in client.get(LIST, {"q": "0069"}).content.decode()


@pytest.mark.parametrize(
    ("parameters", "queries"),
    [
        # Session, user, permissions of the user and of their groups, the count, the rows, the
        # oldest call; and for the notices, the counters, the oldest queued call and the open trips.
        ({}, 10),
        ({"state": "busy"}, 10),
        # And the refused attempts to such numbers.
        ({"q": "67"}, 11),
        ({"differs": "any"}, 10),
        # And the search is counted: two writes and a savepoint around them. The number's limits.
        ({"q": "79991234567"}, 16),
        # And the users with that name, their calls, and the calls with that id.
        ({"q": "anna"}, 13),
    ],
)
def test_more_calls_cost_no_more_queries(
    django_assert_num_queries: Any, parameters: dict[str, str], queries: int
) -> None:
    user = get_user_model().objects.create_user("anna")
    client = logged_in()
    for _ in range(2):
        for _ in range(20):
            now = timezone.now()
            verification = Verification.objects.create(
                phone="79991234567",
                user=user,
                created_at=now,
                expires_at=now + timedelta(minutes=5),
            )
            create_call(verification=verification, state="busy", difference=1)
        with django_assert_num_queries(queries):
            assert listed(client, **parameters)


def test_a_search_for_a_number_shows_its_limits_and_can_unblock_it(
    outbox: list[Sent], configure: Callable[..., None]
) -> None:
    configure(LIMITS={"phone": ["2/10m"], "ip": []})
    for _ in range(2):
        verifications.start("79991234567")
    # A number that reached a limit before its first call has no call in the list.
    CallRequest.objects.all().delete()
    client = logged_in("unblock_phone")
    page = client.get(LIST, {"q": "8 999 123 45 67"}).content.decode()
    used = "calls to the number in 10 minutes: 2 of 2"
    assert f'<span class="vp-badge vp-badge-bad">{used}</span>' in page
    assert (
        "No limit of this number is used."
        in client.get(LIST, {"q": "79990000001"}).content.decode()
    )
    assert "This number" not in client.get(LIST, {"q": "4567"}).content.decode()
    unblock = reverse("admin:django_voicepassword_callrequest_unblock")
    assert client.get(unblock).status_code == 302
    assert limits.usage("79991234567") == [("phone 2/10m", 2, 2)]
    answer = client.post(unblock, {"phone": "79991234567"}, follow=True)
    assert "+7 *** ***-**-67: Unblocked the number" in answer.content.decode()
    assert limits.usage("79991234567") == []
    assert (
        "This is not a phone number"
        in client.post(unblock, {"phone": "abc"}, follow=True).content.decode()
    )


def test_unblocking_needs_its_permission(outbox: list[Sent]) -> None:
    verifications.start("79991234567")
    client = logged_in()
    page = client.get(LIST, {"q": "79991234567"}).content.decode()
    assert "calls to the number in 10 minutes: 1 of 3" in page
    assert "Unblock the number" not in page
    assert (
        client.post(
            reverse("admin:django_voicepassword_callrequest_unblock"), {"phone": "79991234567"}
        ).status_code
        == 403
    )
    assert limits.usage("79991234567") == [("phone 3/10m", 1, 3), ("phone 10/d", 1, 10)]
