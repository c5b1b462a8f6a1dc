"""What was refused, in the admin: above a search for calls, in a list, and what support can do."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.admin import AdminSite
from django.contrib.admin.models import LogEntry
from django.test import Client, RequestFactory
from django.urls import path, reverse
from django.utils import timezone, translation

from django_voicepassword import limits, verifications
from django_voicepassword.admin.calls import CallRequestAdmin
from django_voicepassword.admin.refusal_texts import REASONS, advice, name
from django_voicepassword.exceptions import RateLimited
from django_voicepassword.limits import refusals
from django_voicepassword.models import CallRequest, LimitCounter, RefusedAttempt
from django_voicepassword.testing import Sent
from tests.admin_pages.staff_users import create_staff_user, logged_in

pytestmark = pytest.mark.django_db

LIST = "/admin/django_voicepassword/callrequest/"
REFUSED = "/admin/django_voicepassword/refusedattempt/"
UNBLOCK_ADDRESS = f"{LIST}unblock-address/"
PHONE = "79991234567"
ADDRESS = "192.0.2.1"


def refuse(limit: str = "ip", phone: str = PHONE, address: str = ADDRESS, times: int = 1) -> None:
    request = RequestFactory().get("/", REMOTE_ADDR=address)
    for _ in range(times):
        refusals.record(RateLimited(limit, 60), phone, request)


def page_of(client: Client, query: str) -> str:
    return client.get(LIST, {"q": query}).content.decode()


@pytest.mark.parametrize(
    # The last two are spellings of the address in the log of a web server.
    "query",
    ["8 999 123-45-67", "4567", ADDRESS, f"::ffff:{ADDRESS}", f"{ADDRESS}:50123"],
)
def test_a_search_for_a_number_its_ending_or_an_address_shows_what_was_refused(query: str) -> None:
    refuse(times=3)
    page = page_of(logged_in(), query)
    assert "too many calls for the address without a right code" in page
    assert "3 times" in page
    assert "Many people may share this address" in page
    assert ADDRESS in page
    assert "+7 *** ***-**-67" in page


@pytest.mark.parametrize("query", ["79990000001", "0001", "192.0.2.2", "anna", ""])
def test_other_searches_do_not_show_it(query: str) -> None:
    refuse()
    page = page_of(logged_in(), query)
    assert "Refused: nothing was sent" not in page
    assert ("No send was refused in the last 30 days." in page) == (len(query) > 5)


def test_an_address_is_no_number_even_if_it_has_as_many_digits(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, "django_voicepassword.audit")
    refuse(address="192.168.100.200")
    refuse(address="2001:db8::1")
    client = logged_in()
    assert "192.168.100.200</a>" in page_of(client, "192.168.100.200")
    assert "2001:db8::1</a>" in page_of(client, "2001:DB8:0::1")
    assert "whole number" not in caplog.text


def test_a_reader_of_whole_numbers_sees_them_and_the_log_says_so(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, "django_voicepassword.audit")
    refuse()
    assert "+7 999 123-45-67" in page_of(logged_in("view_full_phone"), "4567")
    assert any("saw 1 whole numbers: refused attempts" in line for line in caplog.messages)
    assert PHONE not in caplog.text


def test_a_search_of_the_list_of_refused_attempts_is_counted_and_noted(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, "django_voicepassword.audit")
    refuse()
    client = logged_in()
    user = client.session["_auth_user_id"]
    for _ in range(99):
        limits.count_search(user)
    assert client.get(REFUSED, {"q": PHONE}).status_code == 200
    assert any("searched for a whole number" in line for line in caplog.messages)
    assert client.get(REFUSED, {"q": PHONE}).status_code == 429
    # An ending and an address tell no number.
    assert client.get(REFUSED, {"q": "4567"}).context["cl"].result_count == 1
    assert client.get(REFUSED, {"q": ADDRESS}).context["cl"].result_count == 1


def test_the_list_of_refused_attempts_says_why_in_words() -> None:
    refuse("phone", times=2)
    refuse("of_the_project", "79990000001")
    client = logged_in()
    page = client.get(REFUSED).content.decode()
    assert "calls to the number" in page
    assert "of_the_project" in page
    assert "+7 *** ***-**-67" in page
    assert client.get(REFUSED, {"reason": "phone"}).context["cl"].result_count == 1
    assert client.get(REFUSED, {"phone__startswith": "7999"}).status_code == 400
    attempt = RefusedAttempt.objects.get(phone=PHONE)
    page = client.get(f"{REFUSED}{attempt.pk}/change/").content.decode()
    assert "Unblock the number, or let the customer wait." in page
    assert PHONE not in page


def test_a_long_list_of_refused_attempts_is_not_counted(
    django_assert_num_queries: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("django_voicepassword.admin.changelist.COUNT_AT_MOST", 60)
    now = timezone.now()
    RefusedAttempt.objects.bulk_create(
        RefusedAttempt(
            phone=f"7999{number:07}", reason="ip", last_at=now - timedelta(minutes=number)
        )
        for number in range(70)
    )
    client = logged_in()
    with django_assert_num_queries(10):
        answer = client.get(REFUSED)
    assert answer.context["cl"].result_count == 60


def test_every_reason_has_words_in_both_languages() -> None:
    for language in ("en", "ru"):
        with translation.override(language):
            for reason in REASONS:
                assert name(reason) != reason
                assert advice(reason)
    assert (name("sundays"), advice("sundays")) == ("sundays", "")


def test_an_address_is_unblocked_with_its_network(
    outbox: list[Sent], configure: Callable[..., None], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "django_voicepassword.audit")
    configure(LIMITS={"ip": ["1/h"], "phone": []})
    request = RequestFactory().get("/", REMOTE_ADDR="2001:db8::1")
    neighbours = [
        RequestFactory().get("/", REMOTE_ADDR=f"2001:db8:0:{host:x}::1") for host in range(1, 10)
    ]
    for each in (request, *neighbours):
        verifications.start(PHONE, request=each)
    with pytest.raises(RateLimited):
        verifications.start(PHONE, request=request)

    client = logged_in("unblock_phone")
    page = page_of(client, "2001:db8::1")
    assert "calls for the address without a right code in 1 hour: 1 of 1" in " ".join(page.split())
    assert "Unblock the address 2001:db8::1" in page
    assert "No limit of this address is used." in page_of(client, "192.0.2.9")
    assert client.get(UNBLOCK_ADDRESS).status_code == 302
    with pytest.raises(RateLimited):
        verifications.start(PHONE, request=request)
    answer = client.post(UNBLOCK_ADDRESS, {"address": "2001:db8::1"}, follow=True)
    assert answer.request["QUERY_STRING"] == "q=2001%3Adb8%3A%3A1"
    assert "2001:db8::1: Unblocked the address" in answer.content.decode()
    verifications.start(PHONE, request=request)

    user = client.session["_auth_user_id"]
    assert f"user {user} unblocked the sends of address 2001:db8::1" in caplog.messages
    assert LogEntry.objects.get().object_repr == "2001:db8::1"


def test_an_address_is_unblocked_in_the_spelling_of_a_log() -> None:
    LimitCounter.objects.create(key=f"ip:{ADDRESS}", updated_at=timezone.now())
    client = logged_in("unblock_phone")
    answer = client.post(UNBLOCK_ADDRESS, {"address": f"::ffff:{ADDRESS}"}, follow=True)
    assert f">{ADDRESS}: Unblocked the address" in answer.content.decode()
    assert not LimitCounter.objects.filter(key=f"ip:{ADDRESS}").exists()


def test_rows_over_which_a_limit_is_spread_go_too_and_no_others() -> None:
    now = timezone.now()
    kept = ["ip:192.0.2.10", "ip:192.0.2.10#0", "phone:192.0.2.1"]
    for key in ["ip:192.0.2.1", "ip:192.0.2.1#0", "ip:192.0.2.1#15", *kept]:
        LimitCounter.objects.create(key=key, updated_at=now)
    limits.unblock_address("192.0.2.1")
    assert sorted(LimitCounter.objects.values_list("key", flat=True)) == kept


def test_a_request_without_an_address_can_be_unblocked_too() -> None:
    LimitCounter.objects.create(key="ip:unknown", updated_at=timezone.now())
    refuse(address="")
    client = logged_in("unblock_phone")
    assert "Unblock the address unknown" in page_of(client, PHONE)
    client.post(UNBLOCK_ADDRESS, {"address": "unknown"})
    assert not LimitCounter.objects.filter(key="ip:unknown").exists()


def test_unblocking_an_address_needs_its_permission_and_an_address() -> None:
    refuse()
    reader = logged_in()
    assert "Unblock the address" not in page_of(reader, ADDRESS)
    assert reader.post(UNBLOCK_ADDRESS, {"address": ADDRESS}).status_code == 403
    support = Client()
    support.force_login(create_staff_user("unblock_phone", name="chief"))
    page = support.post(UNBLOCK_ADDRESS, {"address": "ip:192.0.2.1"}, follow=True)
    assert "This is not an address." in page.content.decode()


other = AdminSite("other")
other.register(CallRequest, CallRequestAdmin)
urlpatterns = [path("other/", other.urls), path("admin/", admin.site.urls)]


@pytest.mark.urls(__name__)
def test_the_pages_of_another_admin_site_stay_on_it(outbox: list[Sent]) -> None:
    call = CallRequest.objects.get(verification=verifications.start(PHONE).id)
    refuse()
    client = logged_in("unblock_phone", "cancel_verification")
    base = "/other/django_voicepassword/callrequest/"
    assert reverse("admin:django_voicepassword_callrequest_changelist") == LIST
    pages = client.get(base, {"q": PHONE}), client.get(f"{base}{call.pk}/change/")
    for page in pages:
        assert 'action="/other/' in page.content.decode()
        assert '"/admin/' not in page.content.decode()
    for form, values in {
        "unblock": {"phone": PHONE},
        "unblock-address": {"address": ADDRESS},
        f"{call.pk}/do/cancel": {},
    }.items():
        answer: Any = client.post(f"{base}{form}/", values)
        assert answer.url.startswith(base), form
