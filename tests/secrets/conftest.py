"""A site in production whose every word is written down, and one run of the whole journey through
it.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from processes import Site, free_port

from django_voicepassword import verifications
from django_voicepassword.models import LimitCounter, Verification
from django_voicepassword.security import codes
from tests.sandbox_process import SandboxProcess
from tests.secrets.evidence import APART, Piece, left_behind
from tests.secrets.faults import GUESS, KEY, PHONE, WRITTEN
from tests.secrets.journey import NUMBERS, Journey
from tests.secrets.traces import Known

ROOT = Path(__file__).parent.parent.parent


@dataclass
class Run:
    """What a journey left: texts, the secrets that must not be in them, and the pages of the admin
    that were opened.
    """

    known: Known
    pieces: list[Piece]
    var: Path
    opened: set[str]

    def of(self, place: str) -> list[Piece]:
        """The pieces whose place begins so."""
        return [piece for piece in self.pieces if piece.place.startswith(place)]

    def text(self, place: str) -> str:
        return APART.join(piece.text for piece in self.of(place))


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    if os.environ.get("DATABASE_URL"):
        pytest.skip("its site has a database of its own: once is enough")
    var = tmp_path_factory.mktemp("var")
    key = secrets.token_urlsafe(40)
    environment = {
        "DJANGO_SETTINGS_MODULE": "tests.secrets.site_settings",
        "PYTHONPATH": str(ROOT),
        "DEBUG": "False",
        "SECRET_KEY": key,
        "DATABASE_URL": f"sqlite:///{var / 'db.sqlite3'}",
        "CELERY_BROKER_URL": "filesystem://localhost/",
    }
    overrides = {
        "RESEND_AFTER": 0,
        "TIMEOUT": [2, 5],
        "LIMITS": {"ip": [], "phone": ["6/h"]},
        "POLL_DELAYS": [1, 3],
    }
    output = var / "output"
    with (
        output.open("w") as log,
        Site(var, free_port(), free_port(), overrides, log, environment) as site,
    ):
        journey = Journey(site, Known({key, SandboxProcess.key}, phones=NUMBERS))
        opened = journey.go()
    return Run(journey.known, [*left_behind(var, output), *journey.answers], var, opened)


@pytest.fixture
def production(settings: Any, configure: Callable[..., None]) -> None:
    """A site as it is in production; its provider refuses every connection."""
    settings.DEBUG = False
    configure(
        TRANSPORT="http",
        API_KEY=KEY,
        DISPATCH="celery",
        API_URL="http://127.0.0.1:9/",
        TIMEOUT=(0.5, 0.5),
    )


@pytest.fixture
def verification(production: None, db: None, monkeypatch: pytest.MonkeyPatch) -> Verification:
    """One whose call waits in the queue."""
    monkeypatch.setattr("django_voicepassword.calls.broker.publish", lambda *args: None)
    verification = verifications.start(WRITTEN)
    while codes.make(verification.id) < "3000":
        # A line number in a traceback could be mistaken for this code: take another verification.
        verification.calls.all().delete()
        verification.delete()
        LimitCounter.objects.all().delete()
        verification = verifications.start(WRITTEN)
    return verification


@pytest.fixture
def rung(verification: Verification) -> Verification:
    """One whose code is GUESS."""
    digest = codes.digest(verification.id, PHONE, GUESS)
    verification.calls.update(
        state="answered", claimed_at=verification.created_at, code_digest=digest
    )
    return verification


@pytest.fixture
def provider_makes_the_code(verification: Verification, configure: Callable[..., None]) -> None:
    """Every call is answered with CODE."""
    transport = "tests.secrets.faults.client_that_answers"
    configure(
        TRANSPORT=transport,
        CODE_SOURCE="service",
        CODE_LENGTH=10,
        CHANNELS=["flashcall"],
        DISPATCH="celery",
    )
