"""A site in production whose every output is recorded, and one run of the whole journey."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from processes import free_port

from django_voicepassword import verifications
from django_voicepassword.models import LimitCounter, Verification
from django_voicepassword.security import codes
from tests.forked_site import ForkedSite
from tests.sandbox_process import SandboxProcess
from tests.secrets.evidence import SEPARATOR, Evidence, collect_evidence
from tests.secrets.faults import GUESS, KEY, PHONE, PHONE_AS_TYPED
from tests.secrets.journey import NUMBERS, Journey
from tests.secrets.secret_search import Secrets

ROOT = Path(__file__).parent.parent.parent


@dataclass
class Run:
    """What a journey left behind, and the secrets that must not be in it.

    ``opened``: the opened pages of the admin.
    """

    secrets: Secrets
    evidence: list[Evidence]
    var: Path
    opened: set[str]

    def of(self, place: str) -> list[Evidence]:
        """Return the evidence whose place begins with ``place``."""
        return [piece for piece in self.evidence if piece.place.startswith(place)]

    def text(self, place: str) -> str:
        return SEPARATOR.join(piece.text for piece in self.of(place))


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
        ForkedSite(var, free_port(), free_port(), overrides, log, environment) as site,
    ):
        journey = Journey(site, Secrets({key, SandboxProcess.key}, phones=NUMBERS))
        opened = journey.go()
    evidence = [*collect_evidence(var, output), *journey.answers]
    return Run(journey.secrets, evidence, var, opened)


@pytest.fixture
def production(settings: Any, configure: Callable[..., None]) -> None:
    """Settings of a site in production whose provider refuses every connection."""
    settings.DEBUG = False
    configure(
        TRANSPORT="http",
        API_KEY=KEY,
        DISPATCH="celery",
        API_URL="http://127.0.0.1:9/",
        TIMEOUT=(0.5, 0.5),
    )


def keys_near(verification: Verification) -> list[str]:
    """Return the key of its call as a report may show it, and the keys of the calls after it."""
    key = verification.calls.get().pk
    return [str(later) for later in range(key, key + 10)]


@pytest.fixture
def verification(production: None, db: None, monkeypatch: pytest.MonkeyPatch) -> Verification:
    """A verification whose call waits in the queue."""
    monkeypatch.setattr("django_voicepassword.calls.broker.publish", lambda *args: None)
    verification = verifications.start(PHONE_AS_TYPED)
    while (code := codes.make(verification.id)) < "3000" or code in keys_near(verification):
        # A line number in a traceback could equal this code, or the key of the call where the
        # database has counted that far: take another verification.
        verification.calls.all().delete()
        verification.delete()
        LimitCounter.objects.all().delete()
        verification = verifications.start(PHONE_AS_TYPED)
    # A guess of another length is not compared.
    verification.code_length = len(GUESS)
    verification.save()
    return verification


@pytest.fixture
def called_verification(verification: Verification) -> Verification:
    """A verification whose call has rung with the code GUESS."""
    digest = codes.digest(verification.id, PHONE, GUESS)
    verification.calls.update(
        state="answered", claimed_at=verification.created_at, code_digest=digest
    )
    return verification


@pytest.fixture
def provider_code(verification: Verification, configure: Callable[..., None]) -> None:
    """The provider makes the code of every call: CODE."""
    transport = "tests.secrets.faults.client_with_provider_code"
    configure(
        TRANSPORT=transport,
        CODE_SOURCE="service",
        CODE_LENGTH=10,
        CHANNELS=["flashcall"],
        DISPATCH="celery",
    )
