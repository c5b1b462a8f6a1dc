"""The staff API: who may use it, what it answers, and what it never shows."""

from __future__ import annotations

import logging
import sys
from datetime import timedelta
from typing import Any

import pytest
from django.core.signals import got_request_exception
from django.http import HttpRequest
from django.test import Client
from django.views.debug import ExceptionReporter
from freezegun import freeze_time
from rest_framework.authentication import TokenAuthentication
from rest_framework.authtoken.models import Token

from django_voicepassword.api.staff import views
from django_voicepassword.models import CallRequest, CallStatus, Verification
from tests.api.staff import NOON, PATHS, PHONE, StaffApi, make, person, verified

pytestmark = pytest.mark.django_db
FIELDS = [
    "id",
    "phone",
    "channel",
    "state",
    "provider_id",
    "service",
    "price",
    "duration",
    "origin",
    "error_code",
    "created_at",
    "placed_at",
    "finished_at",
    "occurred_at",
    "listed_at",
    "differences",
    "verification",
]


@pytest.fixture
def api() -> StaffApi:
    return StaffApi("view_callrequest")


@pytest.fixture
def audit(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level(logging.INFO, "django_voicepassword.audit")
    return caplog


@pytest.mark.parametrize("path", PATHS)
def test_only_staff_with_the_permission_may_use_it(path: str) -> None:
    others = [name for name in PATHS.values() if name != PATHS[path]]
    clients = [
        Client(),
        StaffApi(PATHS[path], is_staff=False).client,
        StaffApi(*set(others)).client,
        StaffApi().client,
    ]
    for client in clients:
        answer = client.get(f"/api/{path}")
        assert answer.status_code == 403
        assert set(answer.json()) == {"code", "detail"}
        assert "no-store" in answer.headers["Cache-Control"]
    assert clients[0].get(f"/api/{path}").json()["code"] == "not_authenticated"
    assert clients[1].get(f"/api/{path}").json()["code"] == "permission_denied"
    assert StaffApi(PATHS[path]).get(path).status_code in (200, 404)


@pytest.mark.parametrize("path", PATHS)
def test_the_project_says_who_is_authenticated(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(views.StaffAPIView, "authentication_classes", [TokenAuthentication])
    assert Client().get(f"/api/{path}").status_code == 401
    user = person(PATHS[path])
    headers = {"authorization": f"Token {Token.objects.create(user=user)}"}
    assert Client().get(f"/api/{path}", headers=headers).status_code in (200, 404)
    user.is_active = False
    user.save()
    assert Client().get(f"/api/{path}", headers=headers).status_code == 401


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("method", ["post", "put", "patch", "delete"])
def test_nothing_can_be_changed(path: str, method: str) -> None:
    answer = getattr(StaffApi(PATHS[path]).client, method)(f"/api/{path}")
    assert (answer.status_code, set(answer.json())) == (405, {"code", "detail"})


def test_a_call_has_the_fields_of_the_contract(api: StaffApi) -> None:
    make(PHONE, origin="imported", occurred_at=NOON, listed_at=NOON, difference=6)
    verified(price="0.35", duration=3, provider_id="id-1", service="Voice Password", error_code="x")
    answer = api.get("calls/")
    assert answer.status_code == 200
    assert "no-store" in answer.headers["Cache-Control"]
    assert "private" in answer.headers["Cache-Control"]
    first, second = answer.body["results"]
    assert list(first) == FIELDS
    fields = {name: first[name] for name in FIELDS if not name.endswith("_at") and name != "id"}
    assert fields == {
        "phone": "+7 *** ***-**-67",
        "channel": "flashcall",
        "state": "no_answer",
        "provider_id": "id-1",
        "service": "Voice Password",
        "price": "0.3500",
        "duration": 3,
        "origin": "app",
        "error_code": "x",
        "differences": [],
        "verification": {
            "status": "approved",
            "purpose": "login",
            "attempts": 2,
            "sends": 1,
            "user": {"id": first["verification"]["user"]["id"], "username": "anna"},
        },
    }
    assert first["created_at"] == "2026-03-10T12:00:00+03:00"
    assert (second["verification"], second["price"], second["differences"]) == (
        None,
        None,
        ["price", "duration"],
    )
    assert second["listed_at"] is not None
    assert (answer.body["next"], answer.body["previous"]) == (None, None)


def test_the_id_of_a_verification_is_nowhere(api: StaffApi) -> None:
    call = verified()
    assert call.verification_id is not None
    for path in ("calls/", f"calls/{call.pk}/"):
        text = api.get(path).content.decode()
        assert str(call.verification_id) not in text
        assert str(call.verification_id).replace("-", "") not in text


def test_a_report_of_a_fault_shows_no_whole_number(monkeypatch: pytest.MonkeyPatch) -> None:
    reports = []

    def report(request: HttpRequest, **kwargs: Any) -> None:
        reports.append(ExceptionReporter(request, *sys.exc_info()).get_traceback_html())

    def broken(*args: Any, **kwargs: Any) -> None:
        raise RuntimeError("a fault")

    call = make()
    api = StaffApi("view_callrequest", "view_full_phone")
    monkeypatch.setattr(CallRequest, "differences", property(broken))
    got_request_exception.connect(report)
    api.client.raise_request_exception = False
    try:
        for path in ("calls/", f"calls/{call.pk}/"):
            assert api.client.get(f"/api/{path}").status_code == 500
    finally:
        got_request_exception.disconnect(report)
    assert len(reports) == 2
    assert PHONE not in "".join(reports)


def test_a_verification_whose_time_is_over_is_expired(api: StaffApi) -> None:
    call = verified()
    Verification.objects.update(status="pending", approved_at=None)
    assert api.get(f"calls/{call.pk}/").body["verification"]["status"] == "expired"
    with freeze_time(NOON + timedelta(seconds=1)):
        api.client.force_login(api.user)
        assert api.get(f"calls/{call.pk}/").body["verification"]["status"] == "pending"


def test_whole_numbers_are_for_who_may_see_them_and_that_is_noted(
    audit: pytest.LogCaptureFixture,
) -> None:
    call = verified(username=PHONE)
    masked, whole = StaffApi("view_callrequest"), StaffApi("view_callrequest", "view_full_phone")
    for path in ("calls/", f"calls/{call.pk}/"):
        # In many projects the user name is the phone number.
        assert PHONE not in masked.get(path).content.decode()
        assert "9991234567" not in masked.get(path).content.decode()
    assert audit.messages == []
    (result,) = whole.get("calls/").body["results"]
    assert (result["phone"], result["verification"]["user"]["username"]) == (f"+{PHONE}", PHONE)
    assert whole.get(f"calls/{call.pk}/").body["phone"] == f"+{PHONE}"
    assert whole.get("calls/", state="busy").body["results"] == []
    assert audit.messages == [
        f"user {whole.user.pk} saw 1 whole numbers: api calls",
        f"user {whole.user.pk} saw 1 whole numbers: api call {call.pk}",
    ]


def test_a_number_that_retention_masked_stays_masked() -> None:
    call = make("7999123****")
    for permissions, phone in ((), "+7 *** ***-**-**"), (("view_full_phone",), "+7999123****"):
        assert (
            StaffApi("view_callrequest", *permissions).get(f"calls/{call.pk}/").body["phone"]
            == phone
        )


def test_a_call_has_every_report_about_it(api: StaffApi) -> None:
    call = make()
    for source, state in (("send", "placed"), ("callback", "other"), ("daily", "no_answer")):
        CallStatus.objects.create(
            call=call,
            source=source,
            state=state,
            raw_state="WORD",
            price="0.35",
            payload={"id": "1", "number": "+7 *** ***-**-67"},
        )
    answer = api.get(f"calls/{call.pk}/")
    assert list(answer.body) == [*FIELDS, "statuses"]
    statuses = answer.body["statuses"]
    assert [(status["source"], status["state"]) for status in statuses] == [
        ("send", "placed"),
        ("callback", "other"),
        ("daily", "no_answer"),
    ]
    names = [
        "source",
        "state",
        "raw_state",
        "occurred_at",
        "received_at",
        "duration",
        "price",
        "payload",
        "repeats",
    ]
    assert list(statuses[0]) == names
    assert (statuses[0]["price"], statuses[0]["payload"]) == (
        "0.3500",
        {"id": "1", "number": "+7 *** ***-**-67"},
    )


@pytest.mark.parametrize(
    "id", ["0", "x", "-1", "1.0", "٣", "9" * 18, "9" * 19, "9" * 5000, "%00", "1e3"]
)
def test_an_unknown_call_is_404(api: StaffApi, id: str) -> None:
    make()
    answer = api.get(f"calls/{id}/")
    assert (answer.status_code, answer.body["code"]) == (404, "not_found")
