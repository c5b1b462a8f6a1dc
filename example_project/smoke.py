"""The scripted journey: every way of a code, over the pages, with a transcript. Exits with 1 when
one of them fails.

Each way runs against real processes (web, worker, beat, sandbox) over HTTP, in a folder of its own
that is removed afterwards. DATABASE_URL and CELERY_BROKER_URL choose other servers, as for the
demo.
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

#: Everything is tried from one address in a minute: the limits would stop it, and have tests of
#: their own.
SETTINGS: dict[str, Any] = {
    "RESEND_AFTER": 0,
    "TIMEOUT": [3.05, 3],
    "LIMITS": {"phone": [], "phone_guesses": [], "ip": []},
}
PATIENCE = 30


class Failure(Exception):
    """What was seen is not what was to be seen."""


class Person:
    """A browser with cookies and without JavaScript, and the phone that the sandbox shows."""

    def __init__(self, site: Site, number: str) -> None:
        self.site = site
        self.number = number
        self.session = requests.Session()
        self.session.headers["Accept-Language"] = "en"
        self.page = ""

    def open(self, path: str) -> None:
        self._shown(self.session.get(f"{self.site.web_url}{path}", timeout=PATIENCE))

    def post(self, path: str, **fields: str) -> str:
        """Send a form of the page; the path of the page that comes."""
        token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)', self.page)
        if token is None:
            raise Failure("the page has no form")
        told = "  ".join(f"{name} {value}" for name, value in fields.items())
        answer = self.session.post(
            f"{self.site.web_url}{path}",
            data={"csrfmiddlewaretoken": token[1], **fields},
            timeout=PATIENCE,
        )
        self._shown(answer)
        came = answer.url.removeprefix(self.site.web_url)
        say(f"POST {path}  {told}".rstrip(), f"{answer.status_code} {came}")
        return came

    def start(self, spelling: str = "", **fields: str) -> None:
        self.open("/auth/login/")
        if (
            self.post("/auth/login/", phone=spelling or self.number, **fields)
            != "/auth/login/code/"
        ):
            raise Failure("the page of the code did not come")

    def log_in(self, code: str) -> None:
        if self.post("/auth/login/code/", code=code) != "/":
            raise Failure(f"not logged in: {self.text('vp-error')}")
        say("the page says", self.text("vp-lead"))

    def call(self, channel: str) -> dict[str, Any]:
        """The newest call or text of this channel on the phone, once it is there."""

        def newest() -> Any:
            return next((one for one in reversed(self.calls()) if one["channel"] == channel), None)

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
        """The verification, once its newest call is in one of these states."""

        def arrived() -> Any:
            state = self.state()
            return state if state["delivery"] in deliveries else None

        state: dict[str, Any] = until(arrived, f"the call to be {' or '.join(deliveries)}")
        say("the call is", f"{state['delivery']}: {state['hint']}")
        return state

    def text(self, css_class: str) -> str:
        """What the element of this class says."""
        found = re.search(rf'class="{css_class}"[^>]*>(.*?)</(?:p|div)>', self.page, re.DOTALL)
        return html.unescape(re.sub(r"<[^>]+>|\s+", " ", found[1])).strip() if found else ""

    def _shown(self, answer: requests.Response) -> None:
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


def every_error_number(site: Site) -> None:
    """Who asks a number that cannot be called is told what to do; it does not ring, and costs
    nothing.
    """
    numbers = [number for number, outcome in OUTCOMES.items() if outcome.reply.startswith("error:")]
    for number in numbers:
        error = OUTCOMES[number].reply.partition(":")[2]
        heading(f"   {number}: {error}")
        person = Person(site, number)
        person.start()
        person.wait_for("refused")
        check(not person.calls(), "it did not ring")


def every_lost_answer(site: Site) -> None:
    """It rings, and the answer is lost: the call is unknown, rings once, and its code still counts."""
    lost = ("slow", "silent", "drop", "500", "html", "truncated")
    numbers = [number for number, outcome in OUTCOMES.items() if outcome.reply in lost]
    for number in numbers:
        heading(f"   {number}: {OUTCOMES[number].about}")
        person = Person(site, number)
        person.start()
        call = person.call("flashcall")
        # A callback may come before anybody waits for it.
        person.wait_for("unknown", "no_answer")
        person.log_in(call["code"])
        check(len(person.calls()) == 1, "it rang once")


def the_books(site: Site) -> None:
    """What the database has kept of all that."""
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
#: Settings of the site, and what is tried with them.
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
                told = json.dumps(overrides)
                heading(f"Starting sandbox, web, worker and beat with {told}")
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


def say(what: str, told: str) -> None:
    print(f"   {what:<52} {told}".rstrip(), flush=True)


def check(holds: bool, what: str) -> None:
    if not holds:
        raise Failure(f"not so: {what}")
    say("✓", what)


def until(found: Callable[[], Any], what: str) -> Any:
    """The first true value of ``found``."""
    ends = time.monotonic() + PATIENCE
    while not (value := found()):
        if time.monotonic() > ends:
            raise Failure(f"waited {PATIENCE} s for {what}")
        time.sleep(0.1)
    return value


if __name__ == "__main__":
    sys.exit(main())
