"""Every path through a site that touches a secret, over real HTTP with a worker and a sandbox."""

from __future__ import annotations

import time
from pathlib import Path

import requests
from processes import Site

from tests.sandbox_process import SandboxProcess
from tests.secrets.evidence import Evidence
from tests.secrets.recording_client import RecordingClient
from tests.secrets.secret_search import Secrets
from tests.waiting import until

#: Most of these are magic numbers of the sandbox: its table says what happens to a call.
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
#: Without the country code.
NUMBERS = {*(phone[1:] for phone in PHONES), "2015550123"}
STAFF, PASSWORD = "support", "only-for-this-test"
#: A member of the staff with every permission of the app except to see whole numbers.
_MAKE_STAFF = f"""
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
user = get_user_model().objects.create_user({STAFF!r}, password={PASSWORD!r}, is_staff=True)
own = Permission.objects.filter(content_type__app_label="django_voicepassword")
user.user_permissions.set(own.exclude(codename="view_full_phone"))
"""
_ADMIN = "/admin/django_voicepassword/"


class Journey:
    """``secrets`` grows with every code that the journey uses."""

    def __init__(self, site: Site, secrets: Secrets) -> None:
        self.site = site
        self.sandbox = SandboxProcess.at(site.sandbox_url)
        self.secrets = secrets
        self.answers: list[Evidence] = []

    def go(self) -> set[str]:
        """Take all paths; return the opened pages of the admin."""
        self.by_pages("8 (926) 123-45-07", PAGES)
        self.by_program(BUSY)
        self.by_a_lost_answer(DROPPED)
        self.by_a_lost_answer(TRUNCATED)
        for phone in (SPAM, NO_MONEY, BAD_KEY):
            self.by_a_refusal(phone)
        self.start(NO_CALLBACK, "voice")
        self.hostile_report(NO_CALLBACK)
        self.refusals(LIMITED)
        # The call without a callback is polled a second after it was placed.
        time.sleep(1)
        self.tasks("poll_calls")
        # The sync would tell the call's state before the poll.
        self.tasks("sync_daily", "check_balance", "purge")
        opened = self.staff()
        self.site.kill("sandbox")
        self.start(GONE, rings=False)
        self.tasks("check_balance", "sync_daily")
        return opened

    def client(self) -> RecordingClient:
        return RecordingClient(self.site, self.answers)

    def start(self, phone: str, channel: str = "flashcall", rings: bool = True) -> tuple[str, str]:
        """Start a verification by the API; return its id and the code that the sandbox got."""
        while True:
            before = len(self.sandbox.calls(phone)) if rings else 0
            answer = self.client().post("/api/verifications/", phone=phone, channel=channel)
            id = answer.json()["id"]
            if not rings:
                return id, ""
            code = self._code_of(phone, before)
            if self.accept_code(code):
                return id, code

    def accept_code(self, code: str) -> bool:
        """Add a code to the secrets; return False for one that other figures may equal by chance.

        Four digits may also be a year, a round figure, the prefix of a number in the statistics,
        or the reversed last digits of a number in the index of endings. Other figures are known
        by their surroundings: see ``secret_search``.
        """
        ambiguous = {digits for phone in PHONES for digits in (phone[:4], phone[:-5:-1])}
        if code in ambiguous or code.startswith(("19", "20")) or code.endswith("00"):
            return False
        self.secrets.codes.add(code)
        return True

    def by_pages(self, written: str, phone: str) -> None:
        """Log in at the pages: a wrong guess, then the right one."""
        while True:
            client = self.client()
            before = len(self.sandbox.calls(phone))
            client.submit("/auth/login/", phone=written)
            code = self._code_of(phone, before)
            if self.accept_code(code):
                break
        client.get("/auth/login/code/")
        client.submit("/auth/login/code/", code=f"{code}-wrong")
        answer = client.submit("/auth/login/code/", code=code)
        assert answer.url == f"{self.site.web_url}/", answer.text
        client.get("/auth/login/code/state/")

    def by_program(self, phone: str) -> None:
        """Log in by the API: a busy flash call, a voice call, an SMS, a wrong and a right guess."""
        id, code = self.start(phone)
        program = self.client()
        for channel in ("voice", "sms"):
            program.post(f"/api/verifications/{id}/resend/", channel=channel)
            self.sandbox.wait_for_call(phone, channel, timeout=40)
            until(
                lambda: (
                    program.get(f"/api/verifications/{id}/").json()["delivery"]
                    not in ("queued", "placing", "placed")
                )
            )
        wrong = program.post(f"/api/verifications/{id}/check/", code=f"{code} wrong")
        assert wrong.status_code == 400
        assert "proof" in program.post(f"/api/verifications/{id}/check/", code=code).json()

    def by_a_lost_answer(self, phone: str) -> None:
        """Log in with the code of a call whose answer was lost."""
        id, code = self.start(phone)
        until(
            lambda: self.client().get(f"/api/verifications/{id}/").json()["delivery"] == "unknown"
        )
        answer = self.client().post("/api/login/", verification=id, code=code)
        assert answer.status_code == 200, answer.text

    def by_a_refusal(self, phone: str) -> None:
        """Be refused by the provider. Where it refuses the account, a balance lets sends go on."""
        id, _ = self.start(phone, rings=False)
        until(
            lambda: self.client().get(f"/api/verifications/{id}/").json()["delivery"] == "refused"
        )
        self.tasks("check_balance")

    def hostile_report(self, phone: str) -> None:
        """Send a callback whose values repeat everything that the provider knows."""
        call = self.sandbox.calls(phone)[-1]
        everything = f"NEW {call['code']} +{phone} {self.sandbox.key}"
        report = {
            "id": everything,
            "number": phone,
            "state": everything,
            "service": everything,
            "code": call["code"],
            everything: everything,
        }
        answer = requests.post(call["callback_url"], json=report, timeout=10)
        assert answer.status_code == 200, answer.text

    def refusals(self, phone: str) -> None:
        """Be refused before a call: an invalid number, another country, too many calls."""
        program = self.client()
        assert program.post("/api/verifications/", phone="+7 999").status_code == 400
        assert program.post("/api/verifications/", phone=FOREIGN).status_code == 400
        statuses = [program.post("/api/verifications/", phone=phone).status_code for _ in range(8)]
        assert statuses[-1] == 429

    def tasks(self, *names: str) -> None:
        """Have the worker run tasks, and wait for their results."""
        before = len(self._results())
        program = "; ".join(f"tasks.{name}.delay()" for name in names)
        self.site.manage("shell", "--command", f"from django_voicepassword import tasks; {program}")
        until(lambda: len(self._results()) >= before + len(names))

    def staff(self) -> set[str]:
        """Open the admin and the staff API as somebody who may not see whole numbers."""
        self.site.manage("shell", "--command", _MAKE_STAFF)
        person = self.client()
        person.submit("/admin/login/", username=STAFF, password=PASSWORD)
        calls = person.get("/api/calls/").json()["results"]
        opened = person.crawl(_ADMIN, _ADMIN)
        opened |= person.crawl("/api/calls/", "/api/calls/")
        for path in (
            f"/api/calls/{calls[0]['id']}/",
            "/api/statistics/",
            "/api/balance/",
            "/admin/",
        ):
            assert person.get(path).status_code == 200
        assert person.submit(f"{_ADMIN}callrequest/{calls[-1]['id']}/do/ask/").status_code == 200
        for path in [path for path in opened if path.partition("?")[0].endswith("/export/")]:
            exported = person.submit(path, format="csv")
            assert exported.headers["Content-Type"] == "text/csv; charset=utf-8"
        return opened

    def _code_of(self, phone: str, before: int) -> str:
        """Return the code of the newest call of a number that had ``before`` calls."""
        return str(until(lambda: self.sandbox.calls(phone)[before:])[-1]["code"])

    def _results(self) -> list[Path]:
        return list((self.site.var / "results").glob("celery-task-meta-*"))
