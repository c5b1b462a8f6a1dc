"""The OpenAPI schema is valid, without warnings, and describes what the API answers."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from django.contrib.auth import get_user_model
from django.test import Client

from django_voicepassword import verifications
from django_voicepassword.api.own.schema import ERRORS as OWN_ERRORS
from django_voicepassword.api.schema import ERRORS
from django_voicepassword.api.staff import views
from django_voicepassword.exceptions import VerificationError
from django_voicepassword.models import (
    BalanceReading,
    CallStatus,
    DailyStatistics,
    TrustedDevice,
)
from django_voicepassword.testing import Sent
from tests.api.staff import NOON, StaffApi, make, verified

ROOT = Path(__file__).parents[2]
STAFF = {
    "/api/calls/": views.CallsView,
    "/api/calls/{id}/": views.CallView,
    "/api/statistics/": views.StatisticsView,
    "/api/balance/": views.BalanceView,
}


@pytest.fixture(scope="module")
def schema(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    path = tmp_path_factory.mktemp("schema") / "schema.yaml"
    command = [sys.executable, "-m", "django", "spectacular", "--settings=tests.settings"]
    command += ["--validate", "--fail-on-warn", "--file", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    assert "Warning" not in done.stderr
    return dict(yaml.safe_load(path.read_text("utf-8")))


def test_every_endpoint_is_there(schema: dict[str, Any]) -> None:
    endpoints = {(path, method) for path, methods in schema["paths"].items() for method in methods}
    assert endpoints == {
        ("/api/verifications/", "post"),
        ("/api/verifications/{id}/", "get"),
        ("/api/verifications/{id}/resend/", "post"),
        ("/api/verifications/{id}/check/", "post"),
        ("/api/login/", "post"),
        ("/api/phones/", "get"),
        ("/api/phones/", "post"),
        ("/api/phones/{id}/", "delete"),
        ("/api/devices/", "get"),
        ("/api/devices/", "delete"),
        ("/api/devices/{id}/", "delete"),
        ("/api/calls/", "get"),
        ("/api/calls/{id}/", "get"),
        ("/api/statistics/", "get"),
        ("/api/balance/", "get"),
    }


def test_every_staff_parameter_is_described(schema: dict[str, Any]) -> None:
    for path, view in STAFF.items():
        described = {
            parameter["name"]
            for parameter in schema["paths"][path]["get"].get("parameters", [])
            if parameter["in"] == "query"
        }
        assert described == set(view.parameters)
        assert view.permission in schema["paths"][path]["get"]["description"]
        assert schema["paths"][path]["get"]["security"]
    assert "security" not in schema["paths"]["/api/login/"]["post"]


def test_every_error_is_described_with_its_status() -> None:
    tables = [*ERRORS.items(), *OWN_ERRORS.items()]
    described = {code: status for status, codes in tables for code in codes}
    for error in VerificationError.__subclasses__():
        assert described[error.code] == error.status_code


def test_retry_after_is_described_where_it_is_sent(schema: dict[str, Any]) -> None:
    for methods in schema["paths"].values():
        for operation in methods.values():
            assert "Retry-After" in operation["responses"]["429"]["headers"]


def assert_described(schema: dict[str, Any], answer: Any, path: str, method: str = "post") -> None:
    """The answer has all required fields of the schema and no others."""
    described = schema["paths"][path][method]["responses"][str(answer.status_code)]
    body = described["content"]["application/json"]["schema"]
    jsonschema.validate(answer.json(), {**body, "components": _closed(schema["components"])})


def _closed(components: dict[str, Any]) -> dict[str, Any]:
    """Forbid properties that are not described."""
    schemas = {
        name: {**schema, "additionalProperties": False}
        if schema.get("type") == "object"
        else schema
        for name, schema in components["schemas"].items()
    }
    return {**components, "schemas": schemas}


@pytest.mark.django_db
def test_answers_match_the_schema(
    schema: dict[str, Any], outbox: list[Sent], configure: Callable[..., None]
) -> None:
    client = Client()

    def post(path: str, body: dict[str, Any], **names: str) -> Any:
        address = path.format(**names)
        answer = client.post(address, json.dumps(body), "application/json")
        assert_described(schema, answer, path)
        return answer.json()

    post("/api/verifications/", {"phone": "12"})
    post("/api/verifications/", {})
    id = post("/api/verifications/", {"phone": "79990000001"})["id"]
    assert_described(
        schema, client.get(f"/api/verifications/{id}/"), "/api/verifications/{id}/", "get"
    )
    assert_described(schema, client.get("/api/verifications/x/"), "/api/verifications/{id}/", "get")
    post("/api/verifications/{id}/resend/", {}, id=id)
    post("/api/verifications/{id}/check/", {"code": "x"}, id=id)
    post("/api/verifications/{id}/check/", {"code": outbox[-1].code}, id=id)
    post("/api/verifications/{id}/check/", {"code": outbox[-1].code}, id=id)
    id = post("/api/verifications/", {"phone": "79990000001"})["id"]
    post("/api/login/", {"verification": id, "code": outbox[-1].code})
    configure(LIMITS={"phone": ["0/h"]})
    post("/api/verifications/", {"phone": "79990000001"})


@pytest.mark.django_db
def test_own_answers_match_the_schema(schema: dict[str, Any], outbox: list[Sent]) -> None:
    client, address = Client(), "/api/phones/"
    user = get_user_model().objects.create(username="someone")
    client.force_login(user)

    def ask(path: str, method: str, client: Client = client, id: Any = "", **body: str) -> Any:
        answer = getattr(client, method)(path.format(id=id), body or None)
        assert str(answer.status_code) in schema["paths"][path][method]["responses"]
        if answer.status_code == 204:
            return None
        assert_described(schema, answer, path, method)
        return answer.json()

    verification = verifications.start("79990000001", purpose="confirm")
    approved = verifications.check(verification.id, outbox[-1].code)
    proof = verifications.make_proof(approved)
    added = ask(address, "post", proof=proof)
    ask(address, "post", proof=proof)
    ask(address, "post")
    TrustedDevice.objects.create(phone="79990000001", user=user, token_hash="x")
    (device,) = ask("/api/devices/", "get")
    for path, id in (("/api/phones/{id}/", added["id"]), ("/api/devices/{id}/", device["id"])):
        for number in (0, id):
            ask(path, "delete", id=number)
    for path in (address, "/api/devices/"):
        ask(path, "get")
        ask(path, "get", Client())
    ask("/api/devices/", "delete")


@pytest.mark.django_db
def test_staff_answers_match_the_schema(schema: dict[str, Any]) -> None:
    api = StaffApi(*{view.permission for view in STAFF.values()}, "view_full_phone")

    def get(path: str, client: Client = api.client, id: Any = "", **query: Any) -> dict[str, Any]:
        answer = client.get(path.format(id=id), query)
        assert_described(schema, answer, path, "get")
        return dict(answer.json())

    call = verified(price="0.35", difference=7, listed_at=NOON)
    CallStatus.objects.create(
        call=call, source="poll", state="other", payload={"id": "1", "price": None}
    )
    make()
    DailyStatistics.objects.create(date=NOON.date(), counts={"voice": {"busy": 2}})
    for path in STAFF:
        get(path, Client(), 1)
        get(path, StaffApi().client, 1)
        get(path, id=0, nothing="of this name")
    get("/api/balance/")
    BalanceReading.objects.create(balance="-1.5", currency="Rub")
    get("/api/balance/")
    assert get("/api/calls/", page_size=1)["next"]
    assert get("/api/calls/")["results"]
    get("/api/calls/{id}/", id=call.pk)
    get("/api/calls/{id}/", id=0)
    period: dict[str, Any] = {"from": "2026-03-09", "to": "2026-03-10"}
    assert get("/api/statistics/", **period)["total"]["rows"] == 0


@pytest.mark.processes
def test_the_projects_throttles_and_versioning_apply() -> None:
    """In a separate process, because DRF reads these settings once."""
    framework = {
        "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
        "DEFAULT_THROTTLE_CLASSES": ["rest_framework.throttling.AnonRateThrottle"],
        "DEFAULT_THROTTLE_RATES": {"anon": "1/hour"},
        "DEFAULT_VERSIONING_CLASS": "rest_framework.versioning.URLPathVersioning",
    }
    program = f"""
import django, json
from django.conf import settings
settings.REST_FRAMEWORK = {framework!r}
settings.ROOT_URLCONF = "routes"
django.setup()
import sys, types
from django.urls import include, re_path
routes = types.ModuleType("routes")
routes.urlpatterns = [re_path("^api/(?P<version>v1)/", include("django_voicepassword.api.urls"))]
sys.modules["routes"] = routes
from django.core.management import call_command
from django.db import connection
connection.settings_dict["NAME"] = ":memory:"
call_command("migrate", verbosity=0)
from django.test import Client
client = Client()
for _ in range(2):
    answer = client.post("/api/v1/verifications/", {{"phone": "79990000001"}})
    body = answer.json()
    retry_after = answer.headers.get("Retry-After")
    print(json.dumps([answer.status_code, body.get("code"), body.get("limit"), retry_after]))
"""
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={**os.environ, "DJANGO_SETTINGS_MODULE": "tests.settings", "DATABASE_URL": ""},
    )
    assert done.returncode == 0, done.stderr
    first, second = (json.loads(line) for line in done.stdout.splitlines())
    assert first[:2] == [201, None]
    assert second[:3] == [429, "rate_limited", "requests"]
    assert int(second[3]) > 3000
