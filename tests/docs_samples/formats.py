"""Checks of samples that are no programs: JSON, templates, style sheets and other texts."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from django.core.management import get_commands, load_command_class
from django.template import engines
from django.test import Client

from django_voicepassword import exceptions
from django_voicepassword.api.serializers import ChallengeSerializer, VerificationSerializer
from django_voicepassword.api.staff.serializers import StaffCallPageSerializer, StaffCallSerializer
from django_voicepassword.verifications.messages import error_text
from tests.docs_samples.collect import ROOT, Sample
from tests.test_floors import FLOORS
from tests.web.content_security_policy import POLICY

#: Every send needs a solved challenge.
_CHALLENGED = {
    "CHALLENGE": "tests.web.test_challenge.is_human",
    "BEFORE_SEND": "tests.web.test_challenge.ask_for_a_challenge",
}
#: The layout of a site, which the template of a page extends.
_SITE = (
    "<!doctype html><head>{% block head %}{% endblock %}</head>"
    "<main>{% block main %}{% endblock %}</main>"
)


def check_json(sample: Sample) -> None:
    """Assert that it is JSON with the fields of the API."""
    answer = json.loads(sample.text)
    if "hint" in answer:
        assert list(answer) == list(VerificationSerializer().fields)
    elif answer.get("code") == "challenge_required":
        assert list(answer) == ["code", "detail", "challenge"]
        assert answer["detail"] == error_text(exceptions.ChallengeRequired())
        assert set(answer["challenge"]) == set(ChallengeSerializer().fields)
    elif "results" in answer:
        assert set(answer) == set(StaffCallPageSerializer().fields)
        assert set(answer["results"][0]) == set(StaffCallSerializer().fields)
    else:
        raise sample.fail("an answer that tests/docs_samples/formats.py does not know")


def check_template(sample: Sample, folder: Path, settings: Any) -> None:
    """Assert that it works as the project's ``voicepassword/base.html`` or what it names."""
    (folder / "voicepassword").mkdir()
    named = re.search(r'(?:extends "|\{# )voicepassword/(\w+\.html)', sample.text)
    name = named[1] if named else "base.html"
    (folder / "voicepassword" / name).write_text(sample.text)
    (folder / "site.html").write_text(_SITE)
    settings.TEMPLATES = [{**settings.TEMPLATES[0], "DIRS": [str(folder)]}]
    assert engines.all()
    page = Client().get("/auth/login/").content.decode()
    assert 'name="phone"' in page
    assert "voicepassword/voicepassword.css" in page
    if "block challenge" in sample.text:
        assert 'name="challenge"' not in page
        settings.VOICEPASSWORD = {**settings.VOICEPASSWORD, **_CHALLENGED}
        page = Client().post("/auth/login/", {"phone": "+79990000001"}).content.decode()
        assert 'name="challenge"' in page


def check_style(sample: Sample) -> None:
    """Assert that it sets exactly the custom properties that the stylesheet uses."""
    sheet = (ROOT / "django_voicepassword/static/voicepassword/voicepassword.css").read_text()
    names = re.findall(r"(--[\w-]+):", sample.text)
    assert names
    for name in names:
        assert f"var({name}" in sheet, f"the stylesheet does not use {name}"
    assert set(names) == set(re.findall(r"var\((--vp-[\w-]+)", sheet)) & set(
        re.findall(r"^ +(--vp-[\w-]+):", sheet, re.M)
    )


def check_policy(sample: Sample) -> None:
    """Assert that the pages are tested in a browser with the same policy."""
    tested = _directives(POLICY)
    for name, value in _directives(sample.text).items():
        assert tested[name] == value, f"the pages are tested with {name} {tested[name]}"


def check_tree(sample: Sample) -> None:
    """Assert that it lists every error below its base class."""
    ancestors: list[str] = []
    bases = {}
    for line in sample.text.splitlines():
        name = re.search(r"[A-Z]\w+", line)
        assert name, line
        depth = name.start() // 4
        ancestors = [*ancestors[:depth], name[0]]
        bases[name[0]] = ancestors[depth - 1] if depth else "Exception"
    assert bases == {name: kind.__mro__[1].__name__ for name, kind in errors().items()}


def check_synopsis(sample: Sample) -> None:
    """Assert that the command exists and has exactly these options."""
    name = sample.text.split()[1]
    assert set(re.findall(r"--([\w-]+)", sample.text)) == options_of(name)


def check_floors(sample: Sample) -> None:
    """Assert that lines such as ``floor 7   web   api`` have every module on its floor.

    Other words in a line are ignored.
    """
    lines = re.findall(r"^floor (\d) (.*)$", sample.text, re.MULTILINE)
    shown = {word: int(floor) for floor, line in lines for word in line.split() if word in FLOORS}
    # The package itself and the sandbox are on no floor.
    assert shown == {room: floor for room, floor in FLOORS.items() if room not in ("", "sandbox")}


def options_of(name: str) -> set[str]:
    """Return the options of a command without those that every command has."""

    def names(app: str, command: str) -> set[str]:
        parser = load_command_class(app, command).create_parser("manage.py", command)
        options = [option for action in parser._actions for option in action.option_strings]
        return {option.removeprefix("--") for option in options if option.startswith("--")}

    return names(get_commands()[name], name) - names("django.core", "sqlflush") - {"skip-checks"}


def errors() -> dict[str, type[Exception]]:
    """Return every class of ``exceptions`` by its name."""
    return {
        name: kind
        for name, kind in vars(exceptions).items()
        if isinstance(kind, type) and issubclass(kind, exceptions.VoicePasswordError)
    }


def _directives(policy: str) -> dict[str, str]:
    directives = {}
    for directive in policy.strip().split(";"):
        name, _, value = directive.strip().partition(" ")
        directives[name] = value
    return directives
