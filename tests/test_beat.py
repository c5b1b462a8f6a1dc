"""``voicepassword_beat`` installs the schedule in django-celery-beat, and updates it later."""

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
        "django.contrib.auth", "django.contrib.contenttypes", "rest_framework",
        "django_voicepassword", "django_celery_beat",
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


@pytest.mark.processes
def test_the_schedule_is_installed_once_and_then_updated() -> None:
    process = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[1],
    )
    assert process.returncode == 0, process.stderr
    lines = process.stdout.splitlines()
    assert [line.rpartition(" ")[2] for line in lines[:8]] == ["installed"] * 4 + ["updated"] * 4
    tasks = [line.split(" ", 2) for line in lines[8:]]
    assert [task.removeprefix("django_voicepassword.tasks.") for task, _, _ in tasks] == [
        "check_balance",
        "poll_calls",
        "purge",
        "sync_daily",
    ]
    assert [enabled for _, enabled, _ in tasks] == ["True", "True", "False", "True"]
    assert tasks[1][2] == "every 15 seconds"


def test_without_django_celery_beat_the_command_names_the_extra_to_install() -> None:
    with pytest.raises(CommandError, match=r"django-voicepassword\[beat\]"):
        call_command("voicepassword_beat")
