"""Custom user models: finding and creating users, with numbers in the project's own format."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.processes

PROGRAM = """
import json, sys
import django
from django.conf import settings

options = json.loads(sys.argv[1])
settings.configure(
    SECRET_KEY="only-for-the-tests-and-long-enough-for-sha256",
    INSTALLED_APPS=[
        "django.contrib.auth",
        "django.contrib.contenttypes",
        "rest_framework",
        "django_voicepassword",
        "tests.projects",
    ],
    AUTH_USER_MODEL="projects." + options["model"],
    AUTHENTICATION_BACKENDS=[options.get("backend", "django_voicepassword.backends.PhoneBackend")],
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    VOICEPASSWORD={"TRANSPORT": "memory", **options["settings"]},
)
django.setup()
from django.contrib.auth import authenticate, get_user_model
from django.core.management import call_command
from django_voicepassword import verifications
from django_voicepassword.testing import outbox

call_command("check")
call_command("migrate", run_syncdb=True, verbosity=0)
User = get_user_model()
if options.get("existing"):
    User.objects.create(**options["existing"])
results = []
for phone in ("8 (999) 000-00-01", "79990000002", "+7 999 000-00-02"):
    verification = verifications.start(phone)
    try:
        user = authenticate(None, verification=verification.id, voicepassword_code=outbox[-1].code)
        phone = User.objects.values_list("phone", flat=True).get(pk=user.pk) if user else None
        results.append([user.pk, str(phone)] if user else None)
    except Exception as error:
        results.append(f"{type(error).__name__}: {error}")
print(json.dumps(results))
"""
ROOT = Path(__file__).parents[1]
FIELD = {"settings": {"USER_PHONE_FIELD": "phone", "USER_PHONE_TRUSTED": True}}


def log_in_thrice(**options: Any) -> list[Any]:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, json.dumps(options)],
        capture_output=True,
        text=True,
        cwd=ROOT,
    )
    assert done.returncode == 0, done.stderr
    return list(json.loads(done.stdout.splitlines()[-1]))


def test_a_phone_number_field_that_names_the_user() -> None:
    assert log_in_thrice(model="FieldUser", **FIELD) == [
        [1, "+79990000001"],
        [2, "+79990000002"],
        [2, "+79990000002"],
    ]


def test_an_existing_user_is_found() -> None:
    results = log_in_thrice(model="FieldUser", existing={"id": 5, "phone": "+79990000002"}, **FIELD)
    assert [user[0] for user in results] == [6, 5, 5]


def test_another_username_field_needs_create_user() -> None:
    results = log_in_thrice(model="PlusUser", **FIELD)
    assert all("override PhoneBackend.create_user" in result for result in results)
    results = log_in_thrice(
        model="PlusUser", backend="tests.projects.backends.EmailBackend", **FIELD
    )
    assert results == [[1, "+79990000001"], [2, "+79990000002"], [2, "+79990000002"]]


@pytest.mark.parametrize(("is_active", "expected"), [(True, [5, 5]), (False, [None, None])])
def test_without_create_users_only_active_users_log_in(
    is_active: bool, expected: list[Any]
) -> None:
    results = log_in_thrice(
        model="PlusUser",
        existing={
            "id": 5,
            "email": "a@example.org",
            "phone": "+79990000002",
            "is_active": is_active,
        },
        settings={"CREATE_USERS": False, **FIELD["settings"]},
    )
    assert [user[0] if user else None for user in results] == [None, *expected]


def test_verified_phone_works_with_any_user_model() -> None:
    results = log_in_thrice(
        model="PlusUser", backend="tests.projects.backends.EmailBackend", settings={}
    )
    assert [user[0] for user in results] == [1, 2, 2]
