"""Samples that are no program: JSON, templates, style sheets, a policy, a tree of errors, a
synopsis.
"""

from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path
from typing import Any

from django.core.management import get_commands, load_command_class
from django.template import engines
from django.test import Client

from django_voicepassword import exceptions
from django_voicepassword.api.staff.serializers import StaffCallPageSerializer, StaffCallSerializer
from django_voicepassword.verifications.description import Description
from tests.docs_samples.collect import ROOT, Sample
from tests.test_floors import FLOORS
from tests.web.content_security_policy import POLICY

#: The layout of a site, which a template of a page extends.
_SITE = "<!doctype html><head>{% block head %}{% endblock %}</head><main>{% block main %}{% endblock %}</main>"


def check_json(sample: Sample) -> None:
    """It is JSON, with the fields that the API has."""
    told = json.loads(sample.text)
    if "hint" in told:
        assert list(told) == [one.name for one in dataclasses.fields(Description)]
    elif "results" in told:
        assert set(told) == set(StaffCallPageSerializer().fields)
        assert set(told["results"][0]) == set(StaffCallSerializer().fields)
    else:
        raise sample.fail("no answer that tests/docs_samples/formats.py knows")


def check_template(sample: Sample, folder: Path, settings: Any) -> None:
    """As the project's ``voicepassword/base.html`` it shows the login page."""
    (folder / "voicepassword").mkdir()
    (folder / "voicepassword" / "base.html").write_text(sample.text)
    (folder / "site.html").write_text(_SITE)
    settings.TEMPLATES = [{**settings.TEMPLATES[0], "DIRS": [str(folder)]}]
    assert engines.all()
    page = Client().get("/auth/login/").content.decode()
    assert 'name="phone"' in page
    assert "voicepassword/voicepassword.css" in page


def check_style(sample: Sample) -> None:
    """Every custom property that it sets is one that the stylesheet takes."""
    sheet = (ROOT / "django_voicepassword/static/voicepassword/voicepassword.css").read_text()
    names = re.findall(r"(--[\w-]+):", sample.text)
    assert names
    for name in names:
        assert f"var({name}" in sheet, f"the stylesheet does not take {name}"
    assert set(names) == set(re.findall(r"var\((--vp-[\w-]+)", sheet)) & set(
        re.findall(r"^ +(--vp-[\w-]+):", sheet, re.M)
    )


def check_policy(sample: Sample) -> None:
    """The pages are tested in a browser under a policy that allows no more than this one."""
    tested = _directives(POLICY)
    for name, value in _directives(sample.text).items():
        assert tested[name] == value, f"the pages are tested with {name} {tested[name]}"


def check_tree(sample: Sample) -> None:
    """Every error, below the one that it is a kind of."""
    above: list[str] = []
    found = {}
    for line in sample.text.splitlines():
        name = re.search(r"[A-Z]\w+", line)
        assert name, line
        depth = name.start() // 4
        above = [*above[:depth], name[0]]
        found[name[0]] = above[depth - 1] if depth else "Exception"
    assert found == {name: kind.__mro__[1].__name__ for name, kind in errors().items()}


def check_synopsis(sample: Sample) -> None:
    """``manage.py command [--option …]``: the command is there, with these options and no others."""
    name = sample.text.split()[1]
    assert set(re.findall(r"--([\w-]+)", sample.text)) == options_of(name)


def check_floors(sample: Sample) -> None:
    """The lines ``floor 7   web   api …`` have every room of the package on its floor. Other words
    in a line are ignored.
    """
    lines = re.findall(r"^floor (\d) (.*)$", sample.text, re.MULTILINE)
    shown = {word: int(floor) for floor, line in lines for word in line.split() if word in FLOORS}
    # The package itself and the sandbox are on no floor.
    assert shown == {room: floor for room, floor in FLOORS.items() if room not in ("", "sandbox")}


def options_of(name: str) -> set[str]:
    """The options of a command beside those that every command has."""

    def names(app: str, command: str) -> set[str]:
        parser = load_command_class(app, command).create_parser("manage.py", command)
        options = [option for action in parser._actions for option in action.option_strings]
        return {option.removeprefix("--") for option in options if option.startswith("--")}

    return names(get_commands()[name], name) - names("django.core", "sqlflush") - {"skip-checks"}


def errors() -> dict[str, type[Exception]]:
    """Every class of ``exceptions``."""
    return {
        name: kind
        for name, kind in vars(exceptions).items()
        if isinstance(kind, type) and issubclass(kind, exceptions.VoicePasswordError)
    }


def _directives(policy: str) -> dict[str, str]:
    found = {}
    for directive in policy.strip().split(";"):
        name, _, value = directive.strip().partition(" ")
        found[name] = value
    return found
