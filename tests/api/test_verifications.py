"""The API for verification and login, as its clients use it."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth import SESSION_KEY, get_user_model
from django.core.exceptions import ImproperlyConfigured
from django.core.signals import got_request_exception
from django.db import InterfaceError, OperationalError
from django.http import HttpRequest
from django.test import Client, RequestFactory
from django.utils import timezone
from django.views.debug import ExceptionReporter
from freezegun import freeze_time
from rest_framework import versioning as rest_versioning
from rest_framework.authtoken.models import Token
from rest_framework.exceptions import NotAcceptable, PermissionDenied
from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.renderers import JSONRenderer
from rest_framework.views import APIView

from django_voicepassword import checks, verifications
from django_voicepassword.api import views
from django_voicepassword.exceptions import Refused, Unavailable
from django_voicepassword.models import CallRequest, Verification, VerifiedPhone
from django_voicepassword.testing import Sent
from django_voicepassword.verifications import dispatch, messages

pytestmark = pytest.mark.django_db
PHONE = "+7 999 000-00-01"
FIELDS = [
    "id",
    "phone",
    "purpose",
    "status",
    "channel",
    "delivery",
    "code_length",
    "hint",
    "attempts_left",
    "expires_at",
    "resend_at",
    "next_channels",
]


class Api:
    """A client of the API: sends JSON and no CSRF token."""

    def __init__(self) -> None:
        self.client = Client(enforce_csrf_checks=True)

    def post(self, path: str, body: Any = None, **headers: str) -> Any:
        answer: Any = self.client.post(
            f"/api/{path}", json.dumps(body or {}), "application/json", headers=headers
        )
        answer.body = answer.json()
        return answer

    def get(self, path: str) -> Any:
        answer: Any = self.client.get(f"/api/{path}")
        answer.body = answer.json()
        return answer

    def start(self, **fields: Any) -> str:
        answer = self.post("verifications/", {"phone": PHONE, **fields})
        assert answer.status_code == 201, answer.body
        return str(answer.body["id"])


@pytest.fixture
def api(outbox: list[Sent]) -> Api:
    return Api()


def wrong_code(code: str) -> str:
    return f"{(int(code) + 1) % 10000:04}"


def test_a_verification_has_the_fields_of_the_contract(api: Api, outbox: list[Sent]) -> None:
    answer = api.post("verifications/", {"phone": "8 (999) 000-00-01"})
    assert answer.status_code == 201
    assert list(answer.body) == FIELDS
    assert answer.body["phone"] == "+7 *** ***-**-01"
    assert {name: answer.body[name] for name in FIELDS[2:7]} == {
        "purpose": "login",
        "status": "pending",
        "channel": "flashcall",
        "delivery": "placed",
        "code_length": 4,
    }
    assert (answer.body["attempts_left"], answer.body["next_channels"]) == (5, ["voice", "sms"])
    assert "last 4 digits" in answer.body["hint"]
    assert api.get(f"verifications/{answer.body['id']}/").body == answer.body
    # Its four digits may well stand in a random id, in a year and in microseconds.
    told = answer.content.decode()
    for name in ("id", "expires_at", "resend_at"):
        told = told.replace(answer.body[name], "")
    assert outbox[0].code not in told
    assert "no-store" in answer.headers["Cache-Control"]
    assert not answer.cookies


def test_the_hint_speaks_the_language_of_the_request(api: Api) -> None:
    answer = api.post("verifications/", {"phone": PHONE}, accept_language="ru")
    assert "последние 4\u00a0цифры" in answer.body["hint"]
    assert (
        "номер" in api.post("verifications/", {"phone": "12"}, accept_language="ru").body["detail"]
    )


def test_the_right_code_gives_a_proof(api: Api, outbox: list[Sent]) -> None:
    id = api.start(purpose="change-phone")
    answer = api.post(
        f"verifications/{id}/check/", {"code": f" {outbox[0].code[:2]}-{outbox[0].code[2:]} "}
    )
    assert (answer.status_code, answer.body["status"]) == (200, "approved")
    proof = verifications.read_proof(answer.body["proof"])
    assert (proof.phone, proof.purpose, str(proof.verification)) == (
        "79990000001",
        "change-phone",
        id,
    )
    again = api.post(f"verifications/{id}/check/", {"code": outbox[0].code})
    assert (again.status_code, again.body["code"]) == (409, "verification_closed")


def test_attempts_count_down_to_429(api: Api, outbox: list[Sent]) -> None:
    id = api.start()
    for left in (4, 3, 2, 1, 0):
        answer = api.post(f"verifications/{id}/check/", {"code": wrong_code(outbox[0].code)})
        assert (answer.status_code, answer.body["code"], answer.body["attempts_left"]) == (
            400,
            "wrong_code",
            left,
        )
    answer = api.post(f"verifications/{id}/check/", {"code": outbox[0].code})
    assert (answer.status_code, answer.body["code"]) == (429, "too_many_attempts")
    assert 0 < int(answer.headers["Retry-After"]) <= 300


def test_a_resend_waits_and_takes_the_next_channel(api: Api, outbox: list[Sent]) -> None:
    id = api.start()
    early = api.post(f"verifications/{id}/resend/")
    assert (early.status_code, early.body["code"], early.body["limit"]) == (
        429,
        "rate_limited",
        "resend_after",
    )
    assert early.headers["Retry-After"] == str(early.body["retry_after"])
    with freeze_time(timezone.now() + timedelta(seconds=61)):
        answer = api.post(f"verifications/{id}/resend/")
        assert (answer.status_code, answer.body["channel"]) == (200, "voice")
    with freeze_time(timezone.now() + timedelta(seconds=122)):
        assert api.post(f"verifications/{id}/resend/", {"channel": "sms"}).body["channel"] == "sms"
    with freeze_time(timezone.now() + timedelta(seconds=183)):
        spent = api.post(f"verifications/{id}/resend/")
        assert (spent.status_code, spent.body["limit"]) == (429, "sends")
    assert {sent.code for sent in outbox} == {outbox[0].code}


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"phone": "12"}, 400, "invalid_phone"),
        ({"phone": "+1 202 555 0123"}, 400, "prefix_not_allowed"),
        ({"phone": PHONE, "channel": "sms"}, 400, "channel_unavailable"),
        ({}, 400, "invalid"),
        ({"phone": ""}, 400, "invalid"),
        ({"phone": None}, 400, "invalid"),
        ({"phone": ["79990000001"]}, 400, "invalid"),
        ({"phone": "7" * 65}, 400, "invalid"),
        ({"phone": "7999\x00000001"}, 400, "invalid"),
        ({"phone": "\ud800"}, 400, "invalid"),
        ({"phone": "７９９９０００００１"}, 400, "invalid_phone"),
        ({"phone": PHONE, "channel": "pigeon"}, 400, "invalid"),
        ({"phone": PHONE, "purpose": "<script>"}, 400, "invalid"),
        ([], 400, "invalid"),
        ("text", 400, "invalid"),
    ],
)
def test_bad_input_starts_no_call(
    api: Api, outbox: list[Sent], body: Any, status: int, code: str
) -> None:
    answer = api.post("verifications/", body)
    assert (answer.status_code, answer.body["code"]) == (status, code)
    assert answer.body["detail"]
    assert (outbox, Verification.objects.count()) == ([], 0)


@pytest.mark.parametrize(
    "raw", [b"{", b"\xff\xfe", b'{"phone": NaN}', b"[" * 2000, b'{"phone": 1' + b"0" * 400 + b"}"]
)
def test_invalid_json_is_400(api: Api, raw: bytes) -> None:
    answer = api.client.post("/api/verifications/", raw, "application/json")
    assert answer.status_code == 400
    assert set(answer.json()) >= {"code", "detail"}


@pytest.mark.parametrize(
    "code", ["", " ", "１２３４", "٣٣٣٣", "12345678901234567890", "abcd", "12\x00"]
)
def test_a_malformed_code_is_400(api: Api, code: str) -> None:
    answer = api.post(f"verifications/{api.start()}/check/", {"code": code})
    assert answer.status_code == 400
    assert answer.body["code"] in ("wrong_code", "invalid")


def test_a_code_may_be_a_json_number(
    api: Api, outbox: list[Sent], configure: Callable[..., None]
) -> None:
    configure(TEST_NUMBERS={"79000000001": "1234"})
    id = api.start(phone="79000000001")
    assert api.post(f"verifications/{id}/check/", {"code": 1234}).status_code == 200
    assert outbox == []


@pytest.mark.parametrize("id", ["1", "6f1c2a9e-3b57-4d80-9e42-c7a5d0b81f36", "x" * 200, "%00", "٣"])
def test_an_unknown_id_is_404(api: Api, id: str) -> None:
    for answer in (
        api.get(f"verifications/{id}/"),
        api.post(f"verifications/{id}/check/", {"code": "1234"}),
        api.post(f"verifications/{id}/resend/"),
        api.post("login/", {"verification": "x" * 60, "code": "1234"}),
    ):
        assert (answer.status_code, answer.body["code"]) == (404, "not_found")


def test_an_expired_verification_is_410(api: Api, outbox: list[Sent]) -> None:
    id = api.start()
    with freeze_time(timezone.now() + timedelta(seconds=301)):
        for path in ("check", "resend"):
            answer = api.post(f"verifications/{id}/{path}/", {"code": outbox[0].code})
            assert (answer.status_code, answer.body["code"]) == (410, "verification_expired")
        assert api.get(f"verifications/{id}/").body["status"] == "expired"


def test_a_limit_is_named_and_the_budget_is_503(api: Api, configure: Callable[..., None]) -> None:
    configure(LIMITS={"phone": ["1/h"]})
    api.start()
    answer = api.post("verifications/", {"phone": "8 999 0000001"})
    assert (answer.status_code, answer.body["limit"]) == (429, "phone")
    assert 3500 < int(answer.headers["Retry-After"]) <= 3600
    configure(DAILY_BUDGET=0)
    answer = api.post("verifications/", {"phone": "+7 999 000-00-02"})
    assert (answer.status_code, answer.body["code"]) == (503, "budget_exhausted")
    assert "Retry-After" in answer.headers


def test_a_broker_that_is_down_is_503(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    def down(call: CallRequest) -> None:
        raise Unavailable("the broker does not take the call")

    monkeypatch.setattr(dispatch, "dispatch", down)
    answer = api.post("verifications/", {"phone": PHONE})
    assert (answer.status_code, answer.body["code"]) == (503, "unavailable")


def refuse_send(verification: Verification, channel: str, request: HttpRequest | None) -> None:
    raise Refused("the captcha was not solved")


def test_a_refusal_by_before_send_is_403(
    api: Api, outbox: list[Sent], configure: Callable[..., None]
) -> None:
    configure(BEFORE_SEND=f"{__name__}.refuse_send")
    answer = api.post("verifications/", {"phone": PHONE})
    assert (answer.status_code, answer.body["code"]) == (403, "refused")
    assert (outbox, Verification.objects.count()) == ([], 0)


def test_login_creates_a_user_and_a_session(api: Api, outbox: list[Sent]) -> None:
    answer = api.post("login/", {"verification": api.start(), "code": outbox[0].code})
    assert answer.status_code == 200
    user = get_user_model().objects.get(pk=answer.body["user"]["id"])
    assert api.client.session[SESSION_KEY] == str(user.pk)
    assert VerifiedPhone.objects.get(user=user).phone == "79990000001"
    assert "9990000001" not in user.get_username()
    later = api.post("login/", {"verification": api.start(), "code": outbox[1].code})
    assert later.body["user"] == answer.body["user"]


def test_login_refuses_another_purpose(api: Api, outbox: list[Sent]) -> None:
    answer = api.post(
        "login/", {"verification": api.start(purpose="order"), "code": outbox[0].code}
    )
    assert (answer.status_code, answer.body["code"]) == (403, "refused")
    assert SESSION_KEY not in api.client.session


def test_logins_with_a_code_for_another_purpose_cost_nothing(api: Api, outbox: list[Sent]) -> None:
    verification = api.start(purpose="order")
    code = outbox[0].code
    for _ in range(5):
        api.post("login/", {"verification": verification, "code": code})
    shown = api.get(f"verifications/{verification}/").body
    assert (shown["status"], shown["attempts_left"]) == ("pending", 5)
    checked = api.post(f"verifications/{verification}/check/", {"code": code})
    assert checked.body["status"] == "approved"


def test_a_code_of_another_length_costs_no_attempt(api: Api) -> None:
    verification = api.start()
    for _ in range(6):
        answer = api.post(f"verifications/{verification}/check/", {"code": "12345"})
        assert (answer.status_code, answer.body["code"]) == (400, "wrong_code")
        assert answer.body["attempts_left"] == 5


def test_a_test_number_may_have_a_code_of_ten_digits(
    api: Api, configure: Callable[..., None]
) -> None:
    configure(TEST_NUMBERS={"79000000001": "4821395706"})
    started = api.post("verifications/", {"phone": "79000000001"}).body
    assert (started["code_length"], "last 10 digits" in started["hint"]) == (10, True)
    login = {"verification": started["id"], "code": "48213-95706"}
    assert api.post("login/", login).status_code == 200


def test_a_dead_verification_never_rings_again(
    api: Api, outbox: list[Sent], configure: Callable[..., None]
) -> None:
    configure(RESEND_AFTER=0)
    verification = api.start()
    for path, body in [
        (f"verifications/{verification}/check/", {}),
        ("login/", {"verification": verification}),
    ] * 3:
        answer = api.post(path, {**body, "code": wrong_code(outbox[0].code)})
    assert (answer.status_code, answer.body["code"]) == (429, "too_many_attempts")
    assert api.get(f"verifications/{verification}/").body["status"] == "max_attempts"
    answer = api.post(f"verifications/{verification}/resend/")
    assert (answer.status_code, answer.body["code"]) == (429, "too_many_attempts")
    assert len(outbox) == CallRequest.objects.count() == 1


@pytest.mark.parametrize("known", [True, False])
def test_the_answer_does_not_reveal_accounts(
    api: Api, outbox: list[Sent], configure: Callable[..., None], known: bool
) -> None:
    configure(CREATE_USERS=False)
    if known:
        user = get_user_model().objects.create(username="someone", is_active=False)
        VerifiedPhone.objects.create(user=user, phone="79990000001")
    started = api.post("verifications/", {"phone": PHONE})
    answer = api.post("login/", {"verification": started.body["id"], "code": outbox[0].code})
    assert (answer.status_code, answer.body) == (
        403,
        {
            "code": "refused",
            "detail": "This number cannot be used here. Enter another number, or write to support.",
        },
    )
    assert SESSION_KEY not in api.client.session


def test_login_returns_a_drf_token(
    api: Api, outbox: list[Sent], configure: Callable[..., None]
) -> None:
    configure(LOGIN="token")
    answer = api.post("login/", {"verification": api.start(), "code": outbox[0].code})
    token = Token.objects.get(user__verified_phones__phone="79990000001").key
    assert answer.body == {"token": token, "device": answer.body["device"]}
    assert SESSION_KEY not in api.client.session


@pytest.mark.parametrize(
    ("login", "missing"),
    [("token", "rest_framework.authtoken"), ("jwt", "simplejwt"), ("nowhere.login", "dotted path")],
)
def test_a_missing_package_is_reported_before_the_code_is_used(
    api: Api,
    outbox: list[Sent],
    configure: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
    login: str,
    missing: str,
) -> None:
    id = api.start()
    configure(LOGIN=login)
    monkeypatch.setattr("django.apps.apps.is_installed", lambda name: False)
    monkeypatch.setitem(sys.modules, "rest_framework_simplejwt.tokens", None)
    if login != "nowhere.login":
        found = {message.id: message.msg for message in checks.check_users()}
        assert missing in found["voicepassword.E009"]
    with pytest.raises(ImproperlyConfigured, match=missing):
        api.post("login/", {"verification": id, "code": outbox[0].code})
    assert Verification.objects.get(id=id).attempts == 0


def test_login_returns_simplejwt_tokens(
    api: Api, outbox: list[Sent], configure: Callable[..., None]
) -> None:
    configure(LOGIN="jwt")
    answer = api.post("login/", {"verification": api.start(), "code": outbox[0].code})
    assert set(answer.body) == {"access", "refresh", "device"}
    assert SESSION_KEY not in api.client.session


def custom_answer(request: HttpRequest, user: Any, verification: Verification) -> dict[str, Any]:
    return {"hello": user.pk, "purpose": verification.purpose}


def test_login_returns_the_answer_of_a_custom_callable(
    api: Api, outbox: list[Sent], configure: Callable[..., None]
) -> None:
    configure(LOGIN=f"{__name__}.custom_answer")
    answer = api.post("login/", {"verification": api.start(), "code": outbox[0].code})
    assert answer.body == {
        "hello": get_user_model().objects.get().pk,
        "purpose": "login",
        "device": answer.body["device"],
    }


def test_a_form_of_another_site_is_refused(api: Api, outbox: list[Sent]) -> None:
    foreign = api.client.post(
        "/api/verifications/", {"phone": PHONE}, headers={"origin": "https://evil.example"}
    )
    assert (foreign.status_code, outbox) == (403, [])
    own = api.client.post(
        "/api/verifications/", {"phone": PHONE}, headers={"origin": "http://testserver"}
    )
    assert own.status_code == 201


@pytest.mark.parametrize(
    ("origin", "status"),
    [
        ("https://testserver", 201),
        ("http://testserver", 403),
        ("https://app.example.org", 201),
        ("https://deep.app.example.org", 201),
        ("http://app.example.org", 403),
        ("https://notexample.org", 403),
        ("https://example.net:8443", 201),
        ("https://example.net", 403),
        ("null", 403),
        ("http://[", 403),
    ],
)
def test_the_origin_of_a_form_is_judged_as_by_djangos_csrf_protection(
    api: Api, settings: Any, origin: str, status: int
) -> None:
    settings.CSRF_TRUSTED_ORIGINS = ["https://*.example.org", "https://example.net:8443"]
    response = api.client.post(
        "/api/verifications/", {"phone": PHONE}, headers={"origin": origin}, secure=True
    )
    assert response.status_code == status


@pytest.mark.parametrize(
    "versioning",
    [
        "AcceptHeaderVersioning",
        "HostNameVersioning",
        "NamespaceVersioning",
        "QueryParameterVersioning",
        "URLPathVersioning",
    ],
)
def test_every_address_answers_with_any_versioning(
    api: Api,
    admin_client: Client,
    outbox: list[Sent],
    monkeypatch: pytest.MonkeyPatch,
    settings: Any,
    versioning: str,
) -> None:
    used = getattr(rest_versioning, versioning)
    # DRF reads its settings when its classes are made.
    monkeypatch.setattr(APIView, "versioning_class", used)
    monkeypatch.setattr(rest_versioning.BaseVersioning, "allowed_versions", ["v1"])
    settings.REST_FRAMEWORK = {
        **settings.REST_FRAMEWORK,
        "DEFAULT_VERSIONING_CLASS": f"{used.__module__}.{versioning}",
    }
    host = "v2.example.org" if versioning == "HostNameVersioning" else "testserver"
    for client in (api.client, admin_client):
        client.defaults["HTTP_HOST"] = host
    query = "?version=v1" if versioning == "QueryParameterVersioning" else ""
    id = api.start()
    assert api.client.get(f"/api/verifications/{id}/{query}").status_code == 200
    login = {"verification": id, "code": outbox[0].code}
    assert api.client.post(f"/api/login/{query}", login).status_code == 200
    assert admin_client.get(f"/api/calls/{query}").status_code == 200


@pytest.mark.django_db(transaction=True)
def test_a_guess_stays_counted_under_atomic_requests(
    api: Api, outbox: list[Sent], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Even if a later exception would roll back everything that the request did."""
    from django.db import connections

    def broken(error: Exception) -> None:
        raise RuntimeError("a bug")

    id = api.start()
    connections["default"].settings_dict["ATOMIC_REQUESTS"] = True
    try:
        assert (
            api.post(f"verifications/{id}/check/", {"code": wrong_code(outbox[0].code)}).status_code
            == 400
        )
        assert (
            api.post("login/", {"verification": id, "code": wrong_code(outbox[0].code)}).status_code
            == 400
        )
        monkeypatch.setattr(messages, "error_body", broken)
        with pytest.raises(RuntimeError):
            api.post(f"verifications/{id}/check/", {"code": wrong_code(outbox[0].code)})
    finally:
        connections["default"].settings_dict["ATOMIC_REQUESTS"] = False
    assert Verification.objects.get(id=id).attempts == 3


@pytest.mark.parametrize("error", [OperationalError, InterfaceError])
def test_a_database_lost_after_the_commit_is_503(
    api: Api,
    outbox: list[Sent],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    error: type[Exception],
) -> None:
    def gone(*args: Any) -> None:
        raise error("server closed the connection")

    monkeypatch.setattr(views, "describe", gone)
    answer = api.post("verifications/", {"phone": PHONE})
    assert (answer.status_code, answer.body["code"]) == (503, "unavailable")
    assert "the database cannot be used" in caplog.text
    assert len(outbox) == 1


@pytest.mark.parametrize(
    "path", ["verifications/", "verifications/{id}/check/", "verifications/{id}/resend/", "login/"]
)
def test_an_error_report_contains_no_phone_and_no_code(
    api: Api, outbox: list[Sent], monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    id = api.start()
    # A resend need not wait.
    Verification.objects.update(last_sent_at=None)
    code = outbox[0].code
    reports = []

    def broken(*args: Any, **kwargs: Any) -> None:
        raise RuntimeError("a bug")

    def report(request: HttpRequest, **kwargs: Any) -> None:
        reports.append(ExceptionReporter(request, *sys.exc_info()).get_traceback_text())
        reports.append(ExceptionReporter(request, *sys.exc_info()).get_traceback_html())

    monkeypatch.setattr("django.db.models.query.QuerySet.update", broken)
    monkeypatch.setattr("django_voicepassword.models.compiled.Statement.sql", broken)
    got_request_exception.connect(report)
    api.client.raise_request_exception = False
    body = {"phone": "8 999 000-00-02", "code": code, "verification": id}
    try:
        answer = api.client.post(f"/api/{path.format(id=id)}", json.dumps(body), "application/json")
    finally:
        got_request_exception.disconnect(report)
    assert answer.status_code == 500
    assert reports
    for text in reports:
        told = text.replace(id, "").replace("&#x27;", "'")
        # The port of the database has quotes as well, and may have four digits.
        told = re.sub(r"'PORT': '\d+'", "", told)
        for secret in ("000-00-02", "79990000002", f"'{code}'", f'"{code}"'):
            assert secret not in told


@pytest.mark.parametrize("method", ["get", "put", "delete", "patch"])
def test_a_wrong_method_is_405_in_the_same_form(api: Api, method: str) -> None:
    answer = getattr(api.client, method)("/api/verifications/")
    assert answer.status_code == 405
    assert set(answer.json()) == {"code", "detail"}


class Wrapped(JSONRenderer):
    def render(self, data: Any, *args: Any, **kwargs: Any) -> bytes:
        return super().render({"data": data}, *args, **kwargs)


class WrappedView(views.StartView):
    renderer_classes = (Wrapped,)


class ClosedView(views.StartView):
    def initial(self, request: Any, *args: Any, **kwargs: Any) -> None:
        raise PermissionDenied


@pytest.mark.parametrize("accept", [None, "*/*", "application/json", "application/json; indent=4"])
def test_a_project_may_change_how_a_view_answers(accept: str | None) -> None:
    headers = {"accept": accept} if accept else {}
    request = RequestFactory().post("/", {"phone": "+79990000001"}, headers=headers)
    answer = WrappedView.as_view()(request).render()
    assert json.loads(answer.content)["data"]["status"] == "pending"
    refused = ClosedView.as_view()(request).render()
    assert (refused.status_code, json.loads(refused.content)["code"]) == (403, "permission_denied")
    plain = views.StartView.as_view()(request).render()
    assert json.loads(plain.content)["status"] == "pending"


def test_a_project_may_negotiate_in_its_own_way(monkeypatch: pytest.MonkeyPatch) -> None:
    class Refusing(DefaultContentNegotiation):
        def select_renderer(self, *args: Any, **kwargs: Any) -> Any:
            raise NotAcceptable

    monkeypatch.setattr(views.StartView, "content_negotiation_class", Refusing)
    assert Api().post("verifications/", {"phone": PHONE}).status_code == 406
