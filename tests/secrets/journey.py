"""Every way through the site that touches a secret, over real HTTP, with a worker and a provider."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import requests
from processes import Site

from tests.sandbox_process import SandboxProcess
from tests.secrets.evidence import Piece
from tests.secrets.traces import Known
from tests.secrets.visitor import Visitor

#: What becomes of a call to most of them is told by the sandbox's table.
PAGES, BUSY, DROPPED, TRUNCATED, SPAM = (
    "79261234507",
    "79990000103",
    "79990000303",
    "79990000306",
    "79990000203",
)
NO_MONEY, BAD_KEY, NO_CALLBACK, LIMITED, GONE = (
    "79990000205",
    "79990000206",
    "79990000402",
    "79167654309",
    "79265550142",
)
PHONES = (PAGES, BUSY, DROPPED, TRUNCATED, SPAM, NO_MONEY, BAD_KEY, NO_CALLBACK, LIMITED, GONE)
FOREIGN = "+1 (201) 555-0123"
#: Without the country's code.
NUMBERS = {*(phone[1:] for phone in PHONES), "2015550123"}
STAFF, PASSWORD = "support", "only-for-this-test"
#: Everything that the app has to allow, but not to see whole numbers.
_MAKE_STAFF = f"""
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
user = get_user_model().objects.create_user({STAFF!r}, password={PASSWORD!r}, is_staff=True)
own = Permission.objects.filter(content_type__app_label="django_voicepassword")
user.user_permissions.set(own.exclude(codename="view_full_phone"))
"""
_ADMIN = "/admin/django_voicepassword/"


class Journey:
    """``known`` grows with every number that is typed and every code that is told."""

    def __init__(self, site: Site, known: Known) -> None:
        self.site = site
        self.sandbox = SandboxProcess.at(site.sandbox_url)
        self.known = known
        self.answers: list[Piece] = []

    def go(self) -> set[str]:
        """All ways; the pages of the admin that were opened."""
        self.by_pages("8 (926) 123-45-07", PAGES)
        self.by_program(BUSY)
        self.by_a_lost_answer(DROPPED)
        self.by_a_lost_answer(TRUNCATED)
        for phone in (SPAM, NO_MONEY, BAD_KEY):
            self.start(phone, rings=False)
        self.start(NO_CALLBACK, "voice")
        self.hostile_report(NO_CALLBACK)
        self.refusals(LIMITED)
        self.tasks("poll_calls", "sync_daily", "check_balance", "purge")
        opened = self.staff()
        self.site.kill("sandbox")
        self.start(GONE, rings=False)
        self.tasks("check_balance", "sync_daily")
        return opened

    def visitor(self) -> Visitor:
        return Visitor(self.site, self.answers)

    def start(self, phone: str, channel: str = "flashcall", rings: bool = True) -> tuple[str, str]:
        """A verification by the API, and its code as the sandbox told it."""
        while True:
            before = len(self.sandbox.calls(phone)) if rings else 0
            id = (
                self.visitor()
                .post("/api/verifications/", phone=phone, channel=channel)
                .json()["id"]
            )
            if not rings:
                return id, ""
            code = self._code_of(phone, before)
            if self.take(code):
                return id, code

    def take(self, code: str) -> bool:
        """May this code be searched for? Another one is started where it may be met by chance.

        Four digits are met as a year, a round figure, the prefix of a number in the figures, and
        the last digits of a number, backwards, in the index of endings. Other figures are told by
        what is beside them: see ``traces``.
        """
        met = {word for phone in PHONES for word in (phone[:4], phone[:-5:-1])}
        if code in met or code.startswith(("19", "20")) or code.endswith("00"):
            return False
        self.known.codes.add(code)
        return True

    def by_pages(self, written: str, phone: str) -> None:
        """A wrong guess, then the right one, and a look at what the person has then."""
        while True:
            visitor = self.visitor()
            before = len(self.sandbox.calls(phone))
            visitor.submit("/auth/login/", phone=written)
            code = self._code_of(phone, before)
            if self.take(code):
                break
        visitor.get("/auth/login/code/")
        visitor.submit("/auth/login/code/", code=f"{code}-wrong")
        answer = visitor.submit("/auth/login/code/", code=code)
        assert answer.url == f"{self.site.web_url}/", answer.text
        visitor.get("/auth/login/code/state/")

    def by_program(self, phone: str) -> None:
        """A call that is busy, a robot, an SMS, a wrong guess, the right one."""
        id, code = self.start(phone)
        program = self.visitor()
        for channel in ("voice", "sms"):
            program.post(f"/api/verifications/{id}/resend/", channel=channel)
            until(lambda channel=channel: self.sandbox.wait_for_call(phone, channel))
            until(
                lambda: (
                    program.get(f"/api/verifications/{id}/").json()["delivery"]
                    not in ("queued", "placing", "placed")
                )
            )
        assert (
            program.post(f"/api/verifications/{id}/check/", code=f"{code} wrong").status_code == 400
        )
        assert "proof" in program.post(f"/api/verifications/{id}/check/", code=code).json()

    def by_a_lost_answer(self, phone: str) -> None:
        """It rang, and nobody knows: the code logs in."""
        id, code = self.start(phone)
        until(
            lambda: self.visitor().get(f"/api/verifications/{id}/").json()["delivery"] == "unknown"
        )
        answer = self.visitor().post("/api/login/", verification=id, code=code)
        assert answer.status_code == 200, answer.text

    def hostile_report(self, phone: str) -> None:
        """A callback whose words repeat all that its sender knows."""
        call = self.sandbox.calls(phone)[-1]
        told = f"NEW {call['code']} +{phone} {self.sandbox.key}"
        report = {
            "id": told,
            "number": phone,
            "state": told,
            "service": told,
            "code": call["code"],
            told: told,
        }
        answer = requests.post(call["callback_url"], json=report, timeout=10)
        assert answer.status_code == 200, answer.text

    def refusals(self, phone: str) -> None:
        """What is refused before anybody is called: no number, another country, too often."""
        program = self.visitor()
        assert program.post("/api/verifications/", phone="+7 999").status_code == 400
        assert program.post("/api/verifications/", phone=FOREIGN).status_code == 400
        codes = [program.post("/api/verifications/", phone=phone).status_code for _ in range(8)]
        assert codes[-1] == 429

    def tasks(self, *names: str) -> None:
        """Have tasks done by the worker, and wait until they are."""
        before = len(self._results())
        program = "; ".join(f"tasks.{name}.delay()" for name in names)
        self.site.manage("shell", "--command", f"from django_voicepassword import tasks; {program}")
        until(lambda: len(self._results()) >= before + len(names))

    def staff(self) -> set[str]:
        """Who may see everything but whole numbers: the admin, and the API of the staff."""
        self.site.manage("shell", "--command", _MAKE_STAFF)
        person = self.visitor()
        person.submit("/admin/login/", username=STAFF, password=PASSWORD)
        calls = person.get("/api/calls/").json()["results"]
        seen = person.walk(_ADMIN, _ADMIN)
        seen |= person.walk("/api/calls/", "/api/calls/")
        for path in (
            f"/api/calls/{calls[0]['id']}/",
            "/api/statistics/",
            "/api/balance/",
            "/admin/",
        ):
            assert person.get(path).status_code == 200
        assert person.submit(f"{_ADMIN}callrequest/{calls[-1]['id']}/do/ask/").status_code == 200
        for path in [path for path in seen if path.partition("?")[0].endswith("/export/")]:
            assert (
                person.submit(path, format="csv").headers["Content-Type"]
                == "text/csv; charset=utf-8"
            )
        return seen

    def _code_of(self, phone: str, before: int) -> str:
        return str(until(lambda: self.sandbox.calls(phone)[before:])[-1]["code"])

    def _results(self) -> list[Path]:
        return list((self.site.var / "results").glob("celery-task-meta-*"))


def until(found: Callable[[], Any], timeout: float = 30) -> Any:
    ends = time.monotonic() + timeout
    while not (value := found()):
        assert time.monotonic() < ends, "it did not happen in time"
        time.sleep(0.1)
    return value
