"""Codes that the provider makes: they come in its answer and must not be stored or logged.

They have ten digits, which no other figure has by chance, so any match is a leak. The test also
runs for an account whose key is sent in the body.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator

import pytest
from django.apps import apps

from django_voicepassword import statistics, verifications
from django_voicepassword.calls import placing, polling
from django_voicepassword.exceptions import WrongCode
from django_voicepassword.models import CallRequest
from tests.sandbox_process import SandboxProcess
from tests.secrets.error_tracker import collect_reports
from tests.secrets.evidence import (
    LIMIT_KEYS,
    PHONE_COLUMNS,
    SEPARATOR,
    Evidence,
    find_leaks,
)
from tests.secrets.faults import GUESS, PHONE, PHONE_AS_TYPED
from tests.secrets.secret_search import Secrets

pytestmark = pytest.mark.django_db


@pytest.fixture(scope="module")
def sandbox() -> Iterator[SandboxProcess]:
    with SandboxProcess() as sandbox:
        yield sandbox


def rows() -> Iterator[Evidence]:
    """Yield each column of each table of the app."""
    for model in apps.get_app_config("django_voicepassword").get_models():
        for field in model._meta.concrete_fields:
            place = f"{model._meta.db_table}.{field.column}"
            cells = SEPARATOR.join(
                str(value) for value in model._default_manager.values_list(field.attname, flat=True)
            )
            yield Evidence(
                place, cells, has_numbers=field.column in PHONE_COLUMNS or place == LIMIT_KEYS
            )


def place_newest() -> None:
    placing.place(CallRequest.objects.latest("id").pk)


@pytest.mark.parametrize("auth", ["header", "body"])
def test_no_log_line_and_no_row_contains_a_code_of_the_provider(
    sandbox: SandboxProcess, configure: Callable[..., None], auth: str
) -> None:
    channels = ["flashcall", "sms"]
    configure(
        **sandbox.settings,
        API_AUTH=auth,
        CODE_SOURCE="service",
        CODE_LENGTH=10,
        CHANNELS=channels,
        RESEND_AFTER=0,
    )
    root = logging.getLogger()
    level = root.level
    root.setLevel(logging.DEBUG)
    try:
        with collect_reports() as reports:
            verification = verifications.start(PHONE_AS_TYPED)
            place_newest()
            verifications.resend(verification.id)
            place_newest()
            with pytest.raises(WrongCode):
                verifications.check(verification.id, GUESS)
            polling.refresh(verification.calls.earliest("id").pk)
            statistics.sync_day(statistics.provider_today())
            code = sandbox.calls(PHONE)[-1]["code"]
            assert verifications.check(verification.id, code).status == "approved"
    finally:
        root.setLevel(level)
    assert len(code) == 10
    secrets = Secrets({sandbox.key, code, GUESS}, phones={PHONE[1:]})
    assert any("/send/" in line for line in reports.lines)
    evidence = [*rows(), *(Evidence("a report", text) for text in reports.all())]
    assert find_leaks(evidence, secrets) == []
