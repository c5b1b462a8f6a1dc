"""What the tests of reports share: the secrets that no report may tell, and how a page is asked
for.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager

from django.test import Client as Browser

from django_voicepassword import tasks
from django_voicepassword.models import Verification
from tests.secrets.faults import CODE, GUESS, KEY, PHONE
from tests.secrets.traces import Known
from tests.secrets.walker import Reports, reports

API = "/api/verifications/"


@contextmanager
def no_report_tells(expect: str = "it broke", codes: set[str] | None = None) -> Iterator[Reports]:
    """Something is reported meanwhile, ``expect`` is said of it, and none of it holds a secret."""
    with reports() as kept:
        yield kept
    assert any(expect in text for text in kept.texts), kept.all()
    known = Known({KEY, GUESS, CODE}, codes or set(), {PHONE[1:]})
    assert [found for text in kept.all() for found in known.find(text)] == []


def post(path: str, form: bool = False, **body: str) -> int:
    """The status of the answer."""
    browser = Browser(raise_request_exception=False)
    if form:
        return browser.post(path, body).status_code
    return browser.post(path, json.dumps(body), "application/json").status_code


def at_code(verification: Verification) -> Browser:
    """A browser that was asked for the code."""
    browser = Browser(raise_request_exception=False)
    session = browser.session
    session["voicepassword_verification"] = str(verification.id)
    session.save()
    return browser


def place(verification: Verification) -> None:
    """Have its call placed by a worker's task."""
    tasks.place_call.apply((verification.calls.get().pk,))
