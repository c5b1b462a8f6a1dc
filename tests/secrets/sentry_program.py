"""A site with Sentry, in a process of its own: Sentry puts its hands into every library. Prints
what would be sent, as JSON.

The argument says how Sentry is set up: see ``SETUPS``.
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
#: Without any option, and the two ways that docs/security.md advises.
SETUPS: dict[str, dict[str, Any]] = {
    "default": {},
    "without": {"max_request_body_size": "never", "include_local_variables": False},
    "hiding": {
        "max_request_body_size": "never",
        "event_scrubber": EventScrubber(denylist=_NAMES, recursive=True),
    },
}


class Kept(Transport):
    """Sends nothing."""

    sent: list[Any] = []

    def capture_envelope(self, envelope: Any) -> None:
        self.sent += [item.payload.json for item in envelope.items if item.payload.json is not None]


def main(setup: str) -> None:
    # The stack of every line that is logged as an error, too: the most that can be asked for.
    sentry_sdk.init(
        "http://key@127.0.0.1:9/1", transport=Kept, attach_stacktrace=True, **SETUPS[setup]
    )
    import django

    django.setup()
    from django.core.management import call_command
    from django.test.utils import setup_test_environment

    setup_test_environment()
    call_command("migrate", verbosity=0)
    code = break_everything()
    sentry_sdk.flush()
    json.dump({"code": code, "events": Kept.sent}, sys.stdout)


def take(*args: object) -> None:
    """What the queue does with a call."""


def break_everything() -> str:
    """A fault at each end: the page, the API, a guess, the worker, the provider. The code of the
    verification.
    """
    from django.conf import settings

    from django_voicepassword import tasks, verifications
    from django_voicepassword.calls import broker
    from django_voicepassword.security import codes
    from tests.secrets.faults import GUESS, KEY, WRITTEN, broken_sql
    from tests.secrets.scene import API, place, post

    broker.publish = take
    given = settings.VOICEPASSWORD
    given.update(
        TRANSPORT="http",
        DISPATCH="celery",
        API_KEY=KEY,
        API_URL="http://127.0.0.1:9/",
        TIMEOUT=(1, 1),
    )
    verification = verifications.start(WRITTEN)
    with broken_sql("INSERT limitcounter"):
        post("/auth/login/", form=True, phone=WRITTEN)
        post(API, phone=WRITTEN)
        post(f"{API}{verification.id}/check/", code=GUESS)
    tasks.check_balance.apply()
    given.update(TRANSPORT="tests.secrets.faults.client_that_breaks")
    place(verification)
    return codes.make(verification.id)


if __name__ == "__main__":
    main(sys.argv[1])
