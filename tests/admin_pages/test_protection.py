"""The page Protection and the list of trips: what is suspected, why, and the button to lift it."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.admin import AdminSite
from django.contrib.admin.models import LogEntry
from django.test import Client
from django.urls import path
from django.utils import timezone

from django_voicepassword.admin.columns import short_moment
from django_voicepassword.admin.protection import ProtectionAdmin
from django_voicepassword.admin.trips import FraudTripAdmin
from django_voicepassword.limits.guard import state as states
from django_voicepassword.limits.guard import watch
from django_voicepassword.limits.guard.trips import end, trip
from django_voicepassword.models import CallRequest, FraudTrip, Protection
from tests.admin_pages.staff_users import create_staff_user, logged_in

pytestmark = pytest.mark.django_db

PAGE = "/admin/django_voicepassword/protection/"
LIST = "/admin/django_voicepassword/fraudtrip/"


def open_trip(kind: str = "prefix", subject: str = "7999", cause: str = "sends") -> FraudTrip:
    return trip(kind, subject, cause, timezone.now(), 63, 50, conversion=0.045, usual=0.612)


def ended_trip(subject: str = "7998") -> FraudTrip:
    ended = open_trip(subject=subject)
    end(ended, FraudTrip.End.CALM, timezone.now())
    return ended


def page_of(client: Client, address: str = PAGE) -> str:
    return client.get(address).content.decode()


def test_the_page_shows_what_is_suspected_and_the_figures_that_tripped_it() -> None:
    client = logged_in("view_fraudtrip")
    assert page_of(client).count("Nothing.") == 2
    open_trip()
    ended_trip()
    page = page_of(client)
    assert "operator prefix <b>+7999</b>" in page
    assert "operator prefix <b>+7998</b>" in page
    for figure in ("63", "50", "4.5%", "61.2%", "calm for an hour", "sends without a right code"):
        assert figure in page, figure


def failures(count: int) -> None:
    """Create so many open sends of the unproven lane to one block, from two addresses."""
    now = timezone.now()
    for number in range(count):
        CallRequest.objects.create(
            phone=f"7999123{number:04}",
            channel="flashcall",
            state="no_answer",
            created_at=now - timedelta(minutes=1),
            claimed_at=now,
            is_open=True,
            counted_address=f"192.0.2.{number % 2}",
        )


def cells(page: str) -> list[str]:
    """Return the rows of the tables as text, each cell after a bar."""
    rows = re.findall(r"<tr>(.*?)</tr>", page, re.DOTALL)
    return [
        "|".join(" ".join(cell.split()) for cell in re.sub(r"<[^>]*>", " ", row).split("\n"))
        for row in (re.sub(r"</t[hd]>", "\n", row.replace("\n", " ")) for row in rows)
    ]


def test_the_page_shows_what_is_counted_against_its_thresholds(
    configure: Callable[..., None],
) -> None:
    configure(FRAUD_FLOOR=40)
    failures(6)
    shown = cells(page_of(logged_in("view_fraudtrip")))
    for row in (
        "whole site wrong guesses|0|40|–|–|",
        "whole site sends without a right code|6|40|0.0%|20.0%|",
        "network 192.0.2.0/24 sends without a right code|6|40|0.0%|20.0%|",
        "operator prefix +7999 sends without a right code|6|40|0.0%|20.0%|",
        "block of numbers +7999******* sends without a right code|6|8|0.0%|20.0%|",
    ):
        assert row in shown


def test_the_page_shows_what_audit_would_have_done(configure: Callable[..., None]) -> None:
    configure(FRAUD_GUARD="audit")
    client = logged_in("view_fraudtrip")
    title = "What the guard would have done if it did not only watch"
    assert title not in page_of(client)
    tripped = open_trip()
    FraudTrip.objects.update(tripped_at=timezone.now() - timedelta(minutes=5))
    failures(6)
    page = page_of(client)
    assert title in page
    row = f"operator prefix +7999 sends without a right code, audit|{moment_of(tripped)}|–|6|"
    assert row in cells(page)


def moment_of(trip: FraudTrip) -> str:
    trip.refresh_from_db()
    return short_moment(trip.tripped_at)


def test_the_page_tells_of_an_outage_and_of_the_last_watch() -> None:
    client = logged_in("view_fraudtrip")
    assert "The guard has not looked yet" in page_of(client)
    now = timezone.now()
    watch(now)
    assert "0\xa0minutes ago." in page_of(client)
    states.store(states.State(outages={"7999": 1}))
    assert "Calls to +7999 seem not to arrive" in page_of(client)


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"FRAUD_GUARD": "off"}, "The guard is off"),
        ({"FRAUD_GUARD": "audit"}, "The guard only watches"),
        ({"CHALLENGE": "tests.settings.SECRET_KEY"}, "must solve a challenge"),
        ({}, "get a longer code"),
        ({"LONG_CODE": None}, "new devices have to wait"),
    ],
)
def test_the_page_says_what_the_guard_does(
    configure: Callable[..., None], changes: dict[str, Any], text: str
) -> None:
    configure(**changes)
    assert text in page_of(logged_in("view_fraudtrip"))


def test_the_page_needs_the_permission_to_see_trips() -> None:
    assert logged_in().get(PAGE).status_code == 403
    support = Client()
    support.force_login(create_staff_user(name="other"))
    assert PAGE not in page_of(support, "/admin/")


def test_the_page_is_in_the_menu_beside_the_dashboard() -> None:
    page = page_of(logged_in("view_fraudtrip"), "/admin/")
    assert f'href="{PAGE}"' in page


@pytest.mark.parametrize(("back", "leads_to"), [("", PAGE), ("list", LIST), ("//evil.test", PAGE)])
def test_staff_lift_a_trip(back: str, leads_to: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "django_voicepassword.audit")
    begun = open_trip()
    client = logged_in("view_fraudtrip", "lift_fraudtrip")
    address = f"{LIST}{begun.pk}/lift/"
    assert address in page_of(client)
    assert address in page_of(client, LIST)
    assert address in page_of(client, f"{LIST}{begun.pk}/change/")
    assert client.get(address).status_code == 302
    assert FraudTrip.objects.get().is_open

    answer: Any = client.post(address, {"back": back})
    assert answer.url == leads_to
    lifted = FraudTrip.objects.get()
    assert (lifted.is_open, lifted.end) == (False, "staff")
    user = client.session["_auth_user_id"]
    assert f"user {user} lifted the guard's trip: prefix 7999, sends" in caplog.messages
    assert "Lifted" in LogEntry.objects.get().change_message
    for page in (PAGE, LIST, f"{LIST}{begun.pk}/change/"):
        assert address not in page_of(client, page)

    answer = client.post(address, follow=True)
    assert "It had ended already" in answer.content.decode()
    assert LogEntry.objects.count() == 1


def test_lifting_needs_its_permission() -> None:
    begun = open_trip()
    client = logged_in("view_fraudtrip")
    address = f"{LIST}{begun.pk}/lift/"
    for page in (PAGE, LIST, f"{LIST}{begun.pk}/change/"):
        assert address not in page_of(client, page)
    assert client.post(address).status_code == 403
    assert FraudTrip.objects.get().is_open
    lifter = Client()
    lifter.force_login(create_staff_user("view_fraudtrip", "lift_fraudtrip", name="lifter"))
    assert lifter.post(f"{LIST}{begun.pk + 1}/lift/").status_code == 404


def test_a_block_of_numbers_is_shown_to_readers_of_whole_numbers_alone() -> None:
    begun = open_trip("block", "7999123")
    pages = (PAGE, LIST, f"{LIST}{begun.pk}/change/")
    support, chief = logged_in("view_fraudtrip"), Client()
    chief.force_login(create_staff_user("view_fraudtrip", "view_full_phone", name="chief"))
    for page in pages:
        assert "7999123" not in page_of(support, page)
        assert "+7999*******" in page_of(support, page)
        assert "+7999123****" in page_of(chief, page)


def test_the_list_of_trips_is_filtered_and_has_a_period() -> None:
    open_trip()
    open_trip("site", "", "guesses")
    old = ended_trip()
    FraudTrip.objects.filter(pk=old.pk).update(tripped_at=timezone.now() - timedelta(days=40))
    client = logged_in("view_fraudtrip")
    for parameters, count in (
        ({}, 3),
        ({"kind__exact": "site"}, 1),
        ({"cause__exact": "sends"}, 2),
        ({"end__exact": "calm"}, 1),
        ({"from": (timezone.now() - timedelta(days=3)).date().isoformat()}, 2),
    ):
        assert client.get(LIST, parameters).context["cl"].result_count == count
    assert client.get(LIST, {"subject__startswith": "79"}).status_code == 400


other = AdminSite("other")
other.register(Protection, ProtectionAdmin)
other.register(FraudTrip, FraudTripAdmin)
alone = AdminSite("alone")
alone.register(FraudTrip, FraudTripAdmin)
urlpatterns = [
    path("other/", other.urls),
    path("alone/", alone.urls),
    path("admin/", admin.site.urls),
]


@pytest.mark.urls(__name__)
def test_another_admin_site_has_its_own_addresses() -> None:
    begun = open_trip()
    client = logged_in("view_fraudtrip", "lift_fraudtrip")
    base = "/other/django_voicepassword"
    for page in (
        f"{base}/protection/",
        f"{base}/fraudtrip/",
        f"{base}/fraudtrip/{begun.pk}/change/",
    ):
        text = page_of(client, page)
        assert f'{base}/fraudtrip/{begun.pk}/lift/"' in text
        assert '"/admin/' not in text
    answer: Any = client.post(f"{base}/fraudtrip/{begun.pk}/lift/")
    assert answer.url == f"{base}/protection/"
    answer = client.post(f"/alone/django_voicepassword/fraudtrip/{begun.pk}/lift/")
    assert answer.url == "/alone/django_voicepassword/fraudtrip/"
