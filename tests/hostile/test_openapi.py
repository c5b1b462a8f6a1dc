"""Schemathesis sends the API valid and invalid requests; the answers must follow the schema.

In this process, by WSGI. The memory transport rings nobody.
"""

from __future__ import annotations

import zlib
from base64 import b64decode, b64encode
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from types import NoneType
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.core.handlers.wsgi import WSGIHandler
from django.utils import timezone
from drf_spectacular.generators import SchemaGenerator
from hypothesis import HealthCheck, assume, settings

from django_voicepassword import verifications
from django_voicepassword.models import BalanceReading, Verification
from django_voicepassword.testing import outbox
from tests.hostile import strategies as hostile
from tests.hostile.site import Site

schemathesis = pytest.importorskip("schemathesis")
pytestmark = pytest.mark.usefixtures("site")

PHONE = "+7 916 123-45-67"
NO_LIMITS: dict[str, list[str]] = {"phone": [], "ip": [], "phone_guesses": []}
CONFIGURATION = {
    "checks": {
        # A request may follow the schema and be refused, such as a text that is no number or a
        # wrong code. ``check_error_code`` checks the code of such an error.
        "positive_data_acceptance": {
            "expected-statuses": ["2xx", "400", "403", "404", "409", "410", "422", "429"]
        },
    },
}
quickly = settings(
    hostile.thorough, max_examples=hostile.EXAMPLES // 5, suppress_health_check=list(HealthCheck)
)
#: Verifications in the database: id and right code.
existing: list[tuple[str, str]] = []


def load_schema() -> Any:
    """Return the schema that drf-spectacular makes of the views, with the site behind it."""
    config = schemathesis.config.SchemathesisConfig.from_dict(CONFIGURATION)
    loaded = schemathesis.openapi.from_dict(
        SchemaGenerator().get_schema(request=None, public=True), config=config
    )
    loaded.app = WSGIHandler()
    return loaded


schema = load_schema()


def has_nul_credentials(case: Any) -> bool:
    """Return whether a cookie or a basic credential contains NUL.

    Django's sessions and DRF's basic authentication pass it to PostgreSQL, which fails: every
    view behind them answers 500.
    """
    basic = str((case.headers or {}).get("Authorization", "")).partition(" ")[2]
    credentials = "".join(map(str, (case.cookies or {}).values())).encode("utf-8", "replace")
    with suppress(ValueError):
        credentials += b64decode(f"{basic}==")
    return b"\x00" in credentials


@schema.hook
def filter_case(context: Any, case: Any) -> bool:
    """Leave out values that cannot be sent.

    A form has no null, Werkzeug's client writes an empty part without its line, and ``?to=`` is
    the same as no parameter.
    """
    if has_nul_credentials(case):
        return False
    is_form = isinstance(case.body, dict) and case.media_type != "application/json"
    values = [*(case.body.values() if is_form else ()), *(case.query or {}).values()]
    return all(value not in (None, "") for value in values)


@schema.hook
def map_case(context: Any, case: Any) -> Any:
    """Let half of the valid requests use existing verifications, with right numbers and codes."""
    if case.meta is None or not case.meta.generation.mode.is_positive or not existing:
        return case
    # A checksum, so that the same request is always changed in the same way.
    checksum = zlib.crc32(repr((case.path_parameters, case.body)).encode("utf-8", "replace"))
    if checksum % 2:
        return case
    id, code = existing[checksum // 2 % len(existing)]
    if "verifications/{id}" in case.operation.path:
        case.path_parameters["id"] = id
    if isinstance(case.body, dict):
        right = {"verification": id, "phone": PHONE, "code": code if checksum // 64 % 2 else "0"}
        case.body.update({name: value for name, value in right.items() if name in case.body})
    return case


@pytest.fixture
def existing_verifications(configure: Callable[..., None]) -> None:
    """Verifications in every state, most of them open."""
    configure(LIMITS=NO_LIMITS)
    started = [verifications.start(PHONE) for _ in range(10)]
    verifications.check(started[0].id, outbox[0].code)
    verifications.cancel(started[1].id)
    started[2].exhaust()
    past = timezone.now() - timedelta(seconds=600)
    Verification.objects.filter(id=started[3].id).update(
        created_at=past, expires_at=past + timedelta(seconds=300)
    )
    existing[:] = [
        (str(verification.id), sent.code)
        for verification, sent in zip(started, outbox, strict=True)
    ]


@pytest.fixture
def staff(existing_verifications: None) -> dict[str, str]:
    """The headers of a member of the staff who may see everything."""
    get_user_model().objects.create_superuser("chief", password="secret")
    BalanceReading.objects.create(balance=5, currency="Rub")
    return {"Authorization": f"Basic {b64encode(b'chief:secret').decode()}"}


def codes_of(operation: dict[str, Any], status: int) -> list[str]:
    """Return the error codes that the schema lists for an operation and a status."""
    described = operation["responses"][str(status)]["content"]["application/json"]
    return [example["value"]["code"] for example in described["examples"].values()]


def check_error_code(ctx: Any, response: Any, case: Any) -> None:
    """Assert that the schema lists the code of an error."""
    operation = case.operation.definition.raw
    if response.status_code >= 400 and str(response.status_code) in operation["responses"]:
        assert response.json()["code"] in codes_of(operation, response.status_code)


def is_sendable(case: Any) -> bool:
    """Return whether the test client can send a body: a form must be made of fields."""
    return case.media_type == "application/json" or not isinstance(
        case.body, (bool, int, float, NoneType)
    )


@pytest.fixture
def unlimited(existing_verifications: None, configure: Callable[..., None]) -> None:
    configure(LIMITS=NO_LIMITS, RESEND_AFTER=0, MAX_SENDS=30000, MAX_ATTEMPTS=30000)


@pytest.fixture
def limited(existing_verifications: None, configure: Callable[..., None]) -> None:
    configure(LIMITS={"phone": ["3/10m"], "ip": ["20/h"], "phone_guesses": ["15/d"]})


@schema.parametrize()
@quickly
def test_without_limits_the_answers_follow_the_schema(case: Any, unlimited: None) -> None:
    assume(is_sendable(case))
    case.call_and_validate(additional_checks=[check_error_code])


# Only what is posted is limited.
@schema.include(method="POST").parametrize()
@quickly
def test_with_limits_the_answers_follow_the_schema(case: Any, limited: None) -> None:
    assume(is_sendable(case))
    case.call_and_validate(additional_checks=[check_error_code])


@schema.include(operation_id_regex="staff").parametrize()
@quickly
def test_for_staff_the_answers_follow_the_schema(case: Any, staff: dict[str, str]) -> None:
    # This check sends an invalid session together with the right password.
    excluded = [schemathesis.specs.openapi.checks.ignored_auth]
    case.call_and_validate(
        headers=staff, additional_checks=[check_error_code], excluded_checks=excluded
    )


def test_the_schema_lists_errors_of_unusual_requests(site: Site) -> None:
    for path, operations in schema.raw_schema["paths"].items():
        for method, operation in operations.items():
            address = path.replace("{id}", "1")
            answers = [site.ask(method.upper(), address, HTTP_ACCEPT="text/html")]
            if method == "post":
                answers.append(site.ask("POST", address, b"phone", "text/plain"))
            for answer in answers:
                assert answer.json["code"] in codes_of(operation, answer.status)
