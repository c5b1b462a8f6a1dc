"""Every page of the history is complete in Django's own admin and under django-unfold."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.processes

ROOT = Path(__file__).parents[2]
PROGRAM = """
import sys
import django
from django.conf import settings
from tests import settings as test_settings

theme = sys.argv[1:]
names = [name for name in dir(test_settings) if name.isupper()]
settings.configure(**{name: getattr(test_settings, name) for name in names} | {
    "INSTALLED_APPS": [*theme, *test_settings.INSTALLED_APPS],
    "DATABASES": {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
})
django.setup()
from django.contrib.auth.models import User
from django.core.management import call_command
from django.test import Client
from django_voicepassword import verifications
from django_voicepassword.models import CallRequest

call_command("check")
call_command("migrate", verbosity=0)
client = Client()
client.force_login(User.objects.create_superuser("admin"))
verifications.start("79991234567")
call = verifications.start("79991234567").calls.get()
CallRequest.objects.update(error_code="no_reply", state="unknown", price="0.35")
base = "/admin/django_voicepassword/"
pages = {
    f"{base}callrequest/?q=4567&state=unknown": (
        ">answer lost</span>", "Past 7 days", "Export", "+7 999 123-45-67"
    ),
    f"{base}callrequest/?q=79991234567": (
        "calls to the number in 10 minutes: 2 of 3", "Unblock the number"
    ),
    f"{base}callrequest/?from=2026-01-01&to=2026-12-31": ("2026",),
    f"{base}callrequest/{call.pk}/change/": (
        "What became of it", "Ask the provider now", "put in the queue"
    ),
    f"{base}callrequest/{call.pk}/do/voice/": ("the provider charges about 0.35", "No, go back"),
    f"{base}callrequest/export/": ("CSV, for any number of rows",),
    base: ('id="vp-who"',),
    f"{base}person/?call={call.pk}": ("Say to the customer", "What happened, newest first"),
    f"/admin/auth/user/{User.objects.get().pk}/change/": ("Calls, codes and logins",),
    f"{base}verification/": ("pending",),
    f"{base}verification/{call.verification_id}/change/": ("flash call",),
    f"{base}verifiedphone/": (),
    f"{base}dailystatistics/": (),
    f"{base}balancereading/": (),
}
for address, parts in pages.items():
    answer = client.get(address)
    assert answer.status_code == 200, (address, answer.status_code)
    page = answer.content.decode()
    assert ("unfold/css" in page) is bool(theme), address
    for part in parts:
        assert part in page, (address, part)
"""


@pytest.mark.parametrize("theme", [[], ["unfold"]])
def test_every_page_is_complete(theme: list[str]) -> None:
    if theme:
        pytest.importorskip("unfold")
    process = subprocess.run(
        [sys.executable, "-c", PROGRAM, *theme], capture_output=True, text=True, cwd=ROOT
    )
    assert process.returncode == 0, process.stderr
