"""A site with Sentry that raises errors and prints, as JSON, what Sentry would send.

A program of its own, because Sentry patches every library. The argument is a key of ``SETUPS``.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any

import sentry_sdk
from sentry_sdk.scrubber import DEFAULT_DENYLIST, EventScrubber
from sentry_sdk.transport import Transport

os.environ["DJANGO_SETTINGS_MODULE"] = "tests.settings"

_NAMES = [*DEFAULT_DENYLIST, "phone", "number", "code", "voicepassword_code"]
#: Sentry without options, and the two setups that docs/security.md recommends.
SETUPS: dict[str, dict[str, Any]] = {
    "default": {},
    "without": {"max_request_body_size": "never", "include_local_variables": False},
    "hiding": {
        "max_request_body_size": "never",
        "event_scrubber": EventScrubber(denylist=_NAMES, recursive=True),
    },
}


class RecordingTransport(Transport):
    """Records the events and sends nothing."""

    sent: list[Any] = []

    def capture_envelope(self, envelope: Any) -> None:
        self.sent += [item.payload.json for item in envelope.items if item.payload.json is not None]


def main(setup: str) -> None:
    # With the stack of every logged error: the most that Sentry can collect.
    sentry_sdk.init(
        "http://key@127.0.0.1:9/1",
        transport=RecordingTransport,
        attach_stacktrace=True,
        **SETUPS[setup],
    )
    import django

    django.setup()
    from django.core.management import call_command
    from django.test.utils import setup_test_environment

    setup_test_environment()
    call_command("migrate", verbosity=0)
    code = break_everything()
    sentry_sdk.flush()
    json.dump({"code": code, "events": RecordingTransport.sent}, sys.stdout)


def publish_nothing(task: object, *args: object, **options: object) -> None:
    """Replaces the broker."""


def break_everything() -> str:
    """Raise an error in the page, the API, a guess, the worker and the provider's client.

    Return the code of the verification.
    """
    from django.conf import settings
    from django.test import override_settings

    from django_voicepassword import tasks, verifications
    from django_voicepassword.calls import broker
    from django_voicepassword.security import codes
    from tests.secrets.actions import API, place_call, post
    from tests.secrets.faults import GUESS, KEY, PHONE_AS_TYPED, broken_sql

    broker.publish = publish_nothing
    keys: dict[str, Any] = {
        **settings.VOICEPASSWORD,
        "TRANSPORT": "http",
        "DISPATCH": "celery",
        "API_KEY": KEY,
        "API_URL": "http://127.0.0.1:9/",
        "TIMEOUT": (1, 1),
    }
    # In a test run, only override_settings can ask for a DISPATCH other than "inline".
    override_settings(VOICEPASSWORD=keys).enable()
    verification = verifications.start(PHONE_AS_TYPED)
    # A guess of another length is not compared.
    verification.code_length = len(GUESS)
    verification.save()
    with broken_sql("INSERT limitcounter"):
        post("/auth/login/", form=True, phone=PHONE_AS_TYPED)
        post(API, phone=PHONE_AS_TYPED)
        post(f"{API}{verification.id}/check/", code=GUESS)
    tasks.check_balance.apply()
    keys["TRANSPORT"] = "tests.secrets.faults.broken_client"
    place_call(verification)
    return codes.make(verification.id)


if __name__ == "__main__":
    main(sys.argv[1])
