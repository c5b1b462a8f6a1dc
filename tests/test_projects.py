"""Custom user models: finding and creating users, with numbers in the project's own format."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from tests import python_programs

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
        "rest_framework.authtoken",
        "django_voicepassword",
        "tests.projects",
    ],
    ROOT_URLCONF="django_voicepassword.api.urls",
    AUTH_USER_MODEL="projects." + options["model"],
    AUTHENTICATION_BACKENDS=[options.get("backend", "django_voicepassword.backends.PhoneBackend")],
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
    # Tables are made at once, which is quicker than by migrations.
    MIGRATION_MODULES=dict.fromkeys(
        ["auth", "authtoken", "contenttypes"]
        + ([] if options.get("migrates") else ["django_voicepassword"])
    ),
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    VOICEPASSWORD={"TRANSPORT": "memory", "LOGIN": "token", **options["settings"]},
)
django.setup()
import logging
from django.contrib.auth import authenticate, get_user_model
from django.core import checks
from django.core.management import call_command
from django.test import Client
from django_voicepassword import verifications
from django_voicepassword.accounts import users
from django_voicepassword.exceptions import Refused
from django_voicepassword.testing import outbox

errors = [str(message) for message in checks.run_checks() if message.level >= checks.ERROR]
call_command("migrate", run_syncdb=True, verbosity=0)
User = get_user_model()
everybody = User._base_manager
if options.get("existing"):
    User.objects.create(**options["existing"])
    if not options["settings"].get("USER_PHONE_FIELD"):
        User.objects.get().verified_phones.create(phone="79990000002")
    if options.get("deleted"):
        User.objects.update(is_deleted=True)
log = []
handler = logging.Handler()
handler.emit = lambda record: log.append(logging.Formatter().format(record))
logging.getLogger("django_voicepassword").addHandler(handler)

def log_in(verification):
    code = outbox[-1].code
    if options.get("api"):
        given = {"verification": verification.id, "code": code}
        response = Client(raise_request_exception=False).post("/login/", given)
        return [response.status_code, *response.json()]
    user = authenticate(None, verification=verification.id, voicepassword_code=code)
    return user and [user.pk, str(everybody.values_list("phone", flat=True).get(pk=user.pk))]

results = [
    log_in(verifications.start(phone))
    for phone in ("8 (999) 000-00-01", "79990000002", "+7 999 000-00-02")
]
if options.get("deleted"):
    try:
        users.assign(User.objects.create(username="other"), "79990000002")
        results.append("assigned")
    except Refused:
        results.append("refused")
print(json.dumps({"results": results, "errors": errors, "log": "\\n".join(log)}))
"""
FIELD = {"settings": {"USER_PHONE_FIELD": "phone", "USER_PHONE_TRUSTED": True}}


def run(**options: Any) -> dict[str, Any]:
    done = python_programs.run(["-c", PROGRAM, json.dumps({"settings": {}, **options})])
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout.splitlines()[-1]))


def log_in_thrice(**options: Any) -> list[Any]:
    ran = run(**options)
    assert ran["errors"] == []
    return list(ran["results"])


def test_a_phone_number_field_that_names_the_user() -> None:
    assert log_in_thrice(model="FieldUser", **FIELD) == [
        [1, "+79990000001"],
        [2, "+79990000002"],
        [2, "+79990000002"],
    ]


def test_an_existing_user_is_found() -> None:
    results = log_in_thrice(model="FieldUser", existing={"id": 5, "phone": "+79990000002"}, **FIELD)
    assert [user[0] for user in results] == [6, 5, 5]


def test_a_project_creates_users_in_its_own_way() -> None:
    results = log_in_thrice(
        model="PlusUser", backend="tests.projects.backends.EmailBackend", **FIELD
    )
    assert results == [[1, "+79990000001"], [2, "+79990000002"], [2, "+79990000002"]]


def test_fields_that_have_a_value_anyway_need_no_create_user() -> None:
    assert [user[0] for user in log_in_thrice(model="FullUser", **FIELD)] == [1, 2, 2]


@pytest.mark.parametrize(
    ("model", "missing", "made"),
    [
        ("PlusUser", "named by", 0),
        ("BornUser", "born", 0),
        ("MailedUser", "email", 1),
        ("FoldedUser", "email", 1),
        ("PairUser", '"first" and "last"', 1),
        ("ShortUser", "username", 0),
    ],
)
def test_a_user_who_cannot_be_created_is_refused_like_an_unknown_one(
    model: str, missing: str, made: int
) -> None:
    ran = run(model=model, api=True, **FIELD)
    assert "E008" in ran["errors"][0]
    assert missing in ran["errors"][0]
    refused = [403, "code", "detail"]
    assert ran["results"][made:] == [refused] * (3 - made)
    assert "override PhoneBackend.create_user" in ran["log"]
    assert "new_users.py" in ran["log"]
    assert not re.search(r"9990000\d", ran["log"])


@pytest.mark.parametrize(
    ("settings", "confirmed"), [({"USER_PHONE_FIELD": "phone"}, "refused"), ({}, "assigned")]
)
@pytest.mark.parametrize("model", ["SoftUser", "HiddenUser"])
def test_a_deleted_user_is_refused(model: str, settings: dict[str, Any], confirmed: str) -> None:
    """Another user may take the number over where it is not in the deleted user's field."""
    existing = {"id": 5, "username": "gone", "phone": "79990000002"}
    ran = run(model=model, settings=settings, existing=existing, deleted=True, api=True)
    assert ran["errors"] == []
    assert ran["log"] == ""
    refused = [403, "code", "detail"]
    assert ran["results"] == [[200, "token", "device"], refused, refused, confirmed]


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
    """Also as the app's own migration makes it."""
    results = log_in_thrice(
        model="PlusUser",
        backend="tests.projects.backends.EmailBackend",
        settings={},
        migrates=True,
    )
    assert [user[0] for user in results] == [1, 2, 2]
