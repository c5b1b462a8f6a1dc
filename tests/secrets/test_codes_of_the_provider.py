"""Codes that the provider makes come back over the wire: ten digits, which nothing else is, so any
hit is a leak.

The same way for an account whose key travels in the body.
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
from tests.secrets.evidence import APART, LIMIT_KEYS, PHONE_COLUMNS, Piece, found
from tests.secrets.faults import GUESS, PHONE, WRITTEN
from tests.secrets.traces import Known
from tests.secrets.walker import reports

pytestmark = pytest.mark.django_db


@pytest.fixture(scope="module")
def sandbox() -> Iterator[SandboxProcess]:
    with SandboxProcess() as sandbox:
        yield sandbox


def rows() -> Iterator[Piece]:
    """Each column of each table of ours."""
    for model in apps.get_app_config("django_voicepassword").get_models():
        for field in model._meta.concrete_fields:
            place = f"{model._meta.db_table}.{field.column}"
            cells = APART.join(
                str(value) for value in model._default_manager.values_list(field.attname, flat=True)
            )
            yield Piece(
                place, cells, has_numbers=field.column in PHONE_COLUMNS or place == LIMIT_KEYS
            )


def place_newest() -> None:
    placing.place(CallRequest.objects.latest("id").pk)


@pytest.mark.parametrize("auth", ["header", "body"])
def test_no_line_and_no_row_has_them(
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
        with reports() as kept:
            verification = verifications.start(WRITTEN)
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
    known = Known({sandbox.key, code, GUESS}, phones={PHONE[1:]})
    assert any("/send/" in line for line in kept.lines)
    assert found([*rows(), *(Piece("a report", text) for text in kept.all())], known) == []
