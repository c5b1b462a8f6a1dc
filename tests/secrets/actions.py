"""What the tests of reports do: post to the API and the pages, and place a call."""

from __future__ import annotations

import json

from django.test import Client

from django_voicepassword import tasks
from django_voicepassword.models import Verification

API = "/api/verifications/"


def post(path: str, form: bool = False, **body: str) -> int:
    """Post JSON, or a form. Return the status of the answer."""
    client = Client(raise_request_exception=False)
    if form:
        return client.post(path, body).status_code
    return client.post(path, json.dumps(body), "application/json").status_code


def client_at_code_page(verification: Verification) -> Client:
    """Return a client whose session has this verification, as after the page of the phone."""
    client = Client(raise_request_exception=False)
    session = client.session
    session["voicepassword_verification"] = str(verification.id)
    session.save()
    return client


def place_call(verification: Verification) -> None:
    """Run the worker's task for the only call of a verification."""
    tasks.place_call.apply((verification.calls.get().pk,))
