"""Python samples that are no files, run in this process with the memory transport."""

from __future__ import annotations

import ast
import datetime
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import pytest
from django.contrib.auth import authenticate, get_user_model
from django.contrib.auth.models import AnonymousUser
from django.contrib.sessions.backends.db import SessionStore
from django.http import HttpRequest
from django.test import RequestFactory
from django.views.generic import FormView

from django_voicepassword import client, statistics, verifications
from django_voicepassword.backends import PhoneBackend
from django_voicepassword.models import Verification
from django_voicepassword.testing import outbox
from tests.docs_samples.collect import ROOT, Sample
from tests.sandbox_process import SandboxProcess

#: Keys of VOICEPASSWORD while a sample runs.
SETTINGS = {"TRANSPORT": "memory", "RESEND_AFTER": 0}


def starts_process(sample: Sample) -> bool:
    """Whether it runs in a process of its own or needs a sandbox."""
    return _runs_apart(sample) or _needs_sandbox(sample)


def _runs_apart(sample: Sample) -> bool:
    return "sentry_sdk" in sample.text


def _needs_sandbox(sample: Sample) -> bool:
    return "django_voicepassword.client" in sample.text


def run(sample: Sample) -> None:
    """Run a sample statement by statement; a traceback has the lines of the page."""
    if _runs_apart(sample):
        _run_apart(sample)
        return
    with _from_a_sandbox(sample):
        names = _names(sample)
        for statement in ast.parse(sample.text).body:
            if outbox:
                # The person types the code of the newest call.
                names["code"] = outbox[-1].code
            ast.increment_lineno(statement, sample.line - 1)
            module = ast.Module([statement], type_ignores=[])
            exec(compile(module, str(ROOT / sample.page), "exec"), names)
    for word, holds in _OUTCOMES.items():
        if word in sample.text:
            assert holds(names), f"{sample.where}: {word} has not the effect that the page says"


def _run_apart(sample: Sample) -> None:
    """Run a sample in a process of its own: Sentry patches every library.

    Without an address it sends nothing.
    """
    text = "\n" * (sample.line - 2) + f"import sentry_sdk\n{sample.text}"
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", text], capture_output=True, text=True
    )
    assert done.returncode == 0, f"{sample.where}: {done.stderr}"


def _request() -> HttpRequest:
    request = RequestFactory().post("/")
    request.session = SessionStore()
    request.user = AnonymousUser()
    return request


def _names(sample: Sample) -> dict[str, Any]:
    """Return the names that samples use without defining them."""
    today = statistics.provider_today()
    names = {
        "request": _request(),
        "user": get_user_model()(username="anna"),
        "api_key": SandboxProcess.key,
        "authenticate": authenticate,
        "date": today,
        "day": today,
        "first": today - datetime.timedelta(days=6),
        "last": today,
        "PhoneBackend": PhoneBackend,
        "FormView": FormView,
        "verifications": verifications,
    }
    if "verifications.start(" not in sample.text and "verification" in sample.text:
        names["verification"] = _verification(is_approved="make_proof" in sample.text)
    return names


def _verification(is_approved: bool) -> Verification:
    verification = verifications.start("+7 999 123-45-67")
    return verifications.check(verification.id, outbox[-1].code) if is_approved else verification


@contextmanager
def _from_a_sandbox(sample: Sample) -> Iterator[None]:
    """Send the requests of a sample with its own client to a sandbox."""
    if not _needs_sandbox(sample):
        yield
        return
    with SandboxProcess() as sandbox, pytest.MonkeyPatch.context() as patch:
        patch.setattr(client, "Client", partial(client.Client, base_url=sandbox.api_url))
        yield


#: Call in a sample -> whether the names that it leaves behind are as expected.
_OUTCOMES: dict[str, Callable[[dict[str, Any]], bool]] = {
    "authenticate(": lambda names: names["user"] is not None and names["user"].pk is not None,
    "verifications.check(": lambda names: (
        verifications.get(names["verification"].id).status == "approved"
    ),
    "client.sms(": lambda names: names["reply"].id != "",
}
