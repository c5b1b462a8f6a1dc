"""The smoke test: logs in at the pages by every channel and code source, with a transcript.

It runs real processes (web, worker, beat, sandbox) in a temporary folder and talks to them by HTTP.
DATABASE_URL and CELERY_BROKER_URL choose other servers, as for the demo. Exits with 1 on a failure.
"""

from __future__ import annotations

import html
import json
import re
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import requests
from processes import Site, StartError, free_port

from django_voicepassword.sandbox.magic_numbers import OUTCOMES

#: Without limits, because all requests come from one address within a minute.
SETTINGS: dict[str, Any] = {
    "RESEND_AFTER": 0,
    "TIMEOUT": [3.05, 3],
    "LIMITS": {"phone": [], "phone_guesses": [], "ip": []},
}
PATIENCE = 30


class Failure(Exception):
    """The site did not do what was expected."""


class Person:
    """A browser with cookies but without JavaScript, and a phone whose calls the sandbox lists."""

    def __init__(self, site: Site, number: str) -> None:
        self.site = site
        self.number = number
        self.session = requests.Session()
        self.session.headers["Accept-Language"] = "en"
        self.page = ""

    def open(self, path: str) -> None:
        self._show(self.session.get(f"{self.site.web_url}{path}", timeout=PATIENCE))

    def post(self, path: str, **fields: str) -> str:
        """Send a form of the page; return the path of the next page."""
        token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)', self.page)
        if token is None:
            raise Failure("the page has no form")
        sent = "  ".join(f"{name} {value}" for name, value in fields.items())
        answer = self.session.post(
            f"{self.site.web_url}{path}",
            data={"csrfmiddlewaretoken": token[1], **fields},
            timeout=PATIENCE,
        )
        self._show(answer)
        next_path = answer.url.removeprefix(self.site.web_url)
        say(f"POST {path}  {sent}".rstrip(), f"{answer.status_code} {next_path}")
        return next_path

    def start(self, spelling: str = "", **fields: str) -> None:
        self.open("/auth/login/")
        if (
            self.post("/auth/login/", phone=spelling or self.number, **fields)
            != "/auth/login/code/"
        ):
            raise Failure("the code page did not open")

    def log_in(self, code: str) -> None:
        if self.post("/auth/login/code/", code=code) != "/":
            raise Failure(f"not logged in: {self.text('vp-error')}")
        say("the page says", self.text("vp-lead"))

    def call(self, channel: str) -> dict[str, Any]:
        """Wait for a call or SMS of this channel, and return the newest one."""

        def newest() -> Any:
            calls = reversed(self.calls())
            return next((call for call in calls if call["channel"] == channel), None)

        call: dict[str, Any] = until(newest, f"the phone to get a {channel}")
        if channel == "sms":
            say("an SMS comes", f"“{call['text']}”")
        elif channel == "voice":
            say("the phone rings", f"from +{call['from']}, and a robot says “{call['says']}”")
        else:
            say("the phone rings", f"from +{call['from']}")
        return call

    def calls(self) -> list[dict[str, Any]]:
        answer = requests.get(
            f"{self.site.sandbox_url}/control/ledger.json?number={self.number}", timeout=PATIENCE
        )
        return list(answer.json()["calls"])

    def state(self) -> dict[str, Any]:
        answer = self.session.get(f"{self.site.web_url}/auth/login/code/state/", timeout=PATIENCE)
        return dict(answer.json())

    def wait_for(self, *deliveries: str) -> dict[str, Any]:
        """Wait until the newest call is in one of these states; return the verification's state."""

        def arrived() -> Any:
            state = self.state()
            return state if state["delivery"] in deliveries else None

        state: dict[str, Any] = until(arrived, f"the call to be {' or '.join(deliveries)}")
        say("the call is", f"{state['delivery']}: {state['hint']}")
        return state

    def text(self, css_class: str) -> str:
        """Return the text of the first element of this class."""
        element = re.search(rf'class="{css_class}"[^>]*>(.*?)</(?:p|div)>', self.page, re.DOTALL)
        return html.unescape(re.sub(r"<[^>]+>|\s+", " ", element[1])).strip() if element else ""

    def _show(self, answer: requests.Response) -> None:
        self.page = answer.text
        for call in self.calls():
            if f">{call['code']}<" in self.page:
                raise Failure("the page shows the code")


def flash_call_with_our_code(site: Site) -> None:
    person = Person(site, "79990000001")
    person.start("8 (999) 000-00-01")
    call = person.call("flashcall")
    check(
        call["from"].endswith(call["code"]) and len(call["code"]) == 4,
        "four digits that the number ends with",
    )
    person.log_in(call["from"][-4:])
    check(len(person.calls()) == 1, "it rang once")


def voice_call_that_repeats(site: Site) -> None:
    person = Person(site, "79990000002")
    person.start(channel="voice")
    call = person.call("voice")
    check(call["says"].count(" ".join(call["code"])) == 2, "the robot says the code twice")
    person.wait_for("answered")
    person.log_in(call["code"])


def sms_after_a_failed_call(site: Site) -> None:
    person = Person(site, "79990000105")
    person.start()
    call = person.call("flashcall")
    person.wait_for("failed")
    person.post("/auth/login/code/resend/", channel="sms")
    text = person.call("sms")
    check(text["code"] == call["code"], "the SMS repeats the code of the call")
    person.wait_for("delivered")
    person.log_in(text["code"])


def flash_call_with_six_digits_of_the_provider(site: Site) -> None:
    person = Person(site, "79990000001")
    before = len(person.calls())
    person.start("+7 999 000-00-01")
    until(lambda: len(person.calls()) > before, "the phone to ring")
    call = person.call("flashcall")
    check(
        call["from"].endswith(call["code"]) and len(call["code"]) == 6,
        "six digits that the number ends with",
    )
    person.wait_for("placed", "no_answer")
    person.log_in(call["from"][-6:])


def voice_call_with_the_code_of_the_provider(site: Site) -> None:
    person = Person(site, "79990000003")
    person.start()
    call = person.call("voice")
    person.wait_for("answered")
    person.log_in(call["code"])


#: The refusals after which the app sends nothing to anybody.
OF_THE_ACCOUNT = ("not_enough_money", "authorisation_failed", "user_disabled")


def every_error_number(site: Site) -> None:
    """Numbers that cannot be called: the page says so, and the phone does not ring."""
    numbers = [number for number, outcome in OUTCOMES.items() if outcome.reply.startswith("error:")]
    for number in numbers:
        error = OUTCOMES[number].reply.partition(":")[2]
        heading(f"   {number}: {error}")
        person = Person(site, number)
        person.start()
        person.wait_for("refused")
        check(not person.calls(), "it did not ring")
        if error in OF_THE_ACCOUNT:
            # Nothing is sent until the balance is good again.
            print(f"   the balance is {site.manage('voicepassword_balance').splitlines()[0]}")


def every_lost_answer(site: Site) -> None:
    """Calls whose answer is lost: they are unknown, ring once, and their code logs in."""
    lost = ("slow", "silent", "drop", "500", "html", "truncated")
    numbers = [number for number, outcome in OUTCOMES.items() if outcome.reply in lost]
    for number in numbers:
        heading(f"   {number}: {OUTCOMES[number].about}")
        person = Person(site, number)
        person.start()
        call = person.call("flashcall")
        # The callback may come before this line.
        person.wait_for("unknown", "no_answer")
        person.log_in(call["code"])
        check(len(person.calls()) == 1, "it rang once")


def the_books(site: Site) -> None:
    """Print the calls in the database; none may be left in the middle."""
    program = (
        "import json; from django_voicepassword.models import CallRequest; "
        "print(json.dumps([[c.masked_phone, c.channel, c.state, str(c.price or ''), c.error_code] "
        "for c in CallRequest.objects.order_by('id')]))"
    )
    rows = json.loads(site.manage("shell", "--verbosity=0", "--command", program).splitlines()[-1])
    for row in rows:
        print(
            "   "
            + "".join(
                f"{cell:<{width}}" for cell, width in zip(row, (20, 11, 11, 8, 0), strict=True)
            ).rstrip()
        )
    check(
        not [row for row in rows if row[2] in ("queued", "placing")],
        "no call is left in the middle",
    )


Journey = Callable[[Site], None]
#: Settings of the site, and the journeys that are made with them.
PLAN: list[tuple[dict[str, Any], list[Journey]]] = [
    (
        {"VOICE_REPEAT": True},
        [
            flash_call_with_our_code,
            voice_call_that_repeats,
            sms_after_a_failed_call,
            every_error_number,
            every_lost_answer,
            the_books,
        ],
    ),
    (
        {"CODE_SOURCE": "service", "CODE_LENGTH": 6, "CHANNELS": ["flashcall"]},
        [flash_call_with_six_digits_of_the_provider],
    ),
    (
        {"CODE_SOURCE": "service", "CHANNELS": ["voice", "flashcall", "sms"]},
        [voice_call_with_the_code_of_the_provider],
    ),
]


def main() -> int:
    failed = []
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="voicepassword-smoke-") as folder:
        log_path = Path(folder) / "log"
        with log_path.open("w") as log:
            for overrides, journeys in PLAN:
                heading(f"Starting sandbox, web, worker and beat with {json.dumps(overrides)}")
                with Site(
                    Path(folder) / "var",
                    free_port(),
                    free_port(),
                    {**SETTINGS, **overrides},
                    log=log,
                ) as site:
                    for journey in journeys:
                        heading(journey.__name__.replace("_", " ").capitalize())
                        try:
                            journey(site)
                        except (Failure, StartError, requests.RequestException) as error:
                            failed.append(journey.__name__)
                            print(f"   FAILED: {error}", flush=True)
        if failed:
            print(
                "\nThe log of the processes ends with:\n"
                + "".join(log_path.read_text().splitlines(True)[-60:])
            )
    seconds = time.monotonic() - began
    print(
        f"\n{'FAILED: ' + ', '.join(failed) if failed else 'All of it works'} ({seconds:.0f} s)",
        flush=True,
    )
    return 1 if failed else 0


def heading(text: str) -> None:
    print(f"\n{text}", flush=True)


def say(what: str, result: str) -> None:
    print(f"   {what:<52} {result}".rstrip(), flush=True)


def check(holds: bool, what: str) -> None:
    if not holds:
        raise Failure(f"not so: {what}")
    say("✓", what)


def until(condition: Callable[[], Any], what: str) -> Any:
    """Return the first true value of ``condition``; Failure if none comes in time."""
    deadline = time.monotonic() + PATIENCE
    while not (value := condition()):
        if time.monotonic() > deadline:
            raise Failure(f"waited {PATIENCE} s for {what}")
        time.sleep(0.1)
    return value


if __name__ == "__main__":
    sys.exit(main())
