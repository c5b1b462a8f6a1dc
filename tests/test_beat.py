"""The schedule in django-celery-beat: installed once, updated afterwards."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

pytest.importorskip("django_celery_beat")

PROGRAM = """
import django
from django.conf import settings

settings.configure(
    SECRET_KEY="only-for-the-tests-and-long-enough-for-sha256",
    USE_TZ=True,
    INSTALLED_APPS=[
        "django.contrib.auth", "django.contrib.contenttypes", "rest_framework", "django_voicepassword", "django_celery_beat"
    ],
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    VOICEPASSWORD={"TRANSPORT": "memory"},
)
django.setup()
from django.core.management import call_command
from django_celery_beat.models import PeriodicTask

call_command("migrate", verbosity=0)
call_command("voicepassword_beat")
PeriodicTask.objects.filter(name="voicepassword-purge").update(enabled=False, task="something.else")
call_command("voicepassword_beat")
for task in PeriodicTask.objects.filter(name__startswith="voicepassword").order_by("name"):
    print(task.task, task.enabled, task.interval or task.crontab)
"""


def test_it_is_installed_once_and_updated_afterwards() -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[1],
    )
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert [line.rpartition(" ")[2] for line in lines[:8]] == ["installed"] * 4 + ["updated"] * 4
    told = [line.split(" ", 2) for line in lines[8:]]
    assert [task.removeprefix("django_voicepassword.tasks.") for task, _, _ in told] == [
        "check_balance",
        "poll_calls",
        "purge",
        "sync_daily",
    ]
    assert [enabled for _, enabled, _ in told] == ["True", "True", "False", "True"]
    assert told[1][2] == "every 15 seconds"


def test_without_the_package_it_says_what_to_do() -> None:
    with pytest.raises(CommandError, match=r"django-voicepassword\[beat\]"):
        call_command("voicepassword_beat")
