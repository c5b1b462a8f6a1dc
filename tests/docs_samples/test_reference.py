"""The tables of docs/ list every setting, error, state, signal, command, option, task and check."""

from __future__ import annotations

import ast
import configparser
import re
from typing import Any

import pytest
from django.core.management import get_commands
from django.dispatch import Signal

from django_voicepassword import signals
from django_voicepassword.calls import errors as call_errors
from django_voicepassword.conf import DEFAULTS
from django_voicepassword.exceptions import VerificationError
from django_voicepassword.models import CallRequest, CallStatus, Verification
from django_voicepassword.provider.protocol import vocabulary
from django_voicepassword.sandbox.magic_numbers import OUTCOMES
from django_voicepassword.schedule import BEAT_SCHEDULE
from django_voicepassword.statistics.lost_calls import MATCHED_BY_TIME
from tests.docs_samples.collect import ROOT
from tests.docs_samples.formats import errors, options_of
from tests.docs_samples.reference import by_first, codes, rows, text

pytestmark = pytest.mark.any_version

COMMANDS = sorted(name for name, app in get_commands().items() if app == "django_voicepassword")


@pytest.mark.parametrize("key", DEFAULTS)
def test_settings_have_each_key_and_its_default(key: str) -> None:
    row = by_first("docs/settings.md")[key]
    assert ast.literal_eval(codes(row[1])[0]) == DEFAULTS[key]


@pytest.mark.parametrize(("name", "kind"), errors().items())
def test_errors_have_each_class_its_code_and_its_status(name: str, kind: Any) -> None:
    if name in ("VoicePasswordError", "ProviderError", "VerificationError"):
        return
    row = by_first("docs/errors.md")[name]
    assert codes(row[1]) == [kind.code]
    if issubclass(kind, VerificationError):
        assert row[2] == str(kind.status_code)
        names = getattr(getattr(kind.__init__, "__code__", None), "co_names", ())
        assert codes(row[3]) == [
            word for word in ("attempts_left", "limit", "retry_after", "reason") if word in names
        ]


def test_errors_have_each_code_of_the_provider_beside_its_class() -> None:
    table = by_first("docs/errors.md")
    for code, kind in vocabulary.ERROR_CODES.items():
        assert code in codes(table[kind.__name__][2])


def test_errors_have_each_error_code_of_a_call() -> None:
    ours = {value for name, value in vars(call_errors).items() if name.isupper()}
    ours.add(MATCHED_BY_TIME)
    assert ours <= set(by_first("docs/errors.md"))


def test_the_readme_has_each_extra() -> None:
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    assert set(by_first("README.md")) == set(setup["options.extras_require"])


def test_states_have_each_status_of_a_verification() -> None:
    assert set(Verification.Status.values) <= set(by_first("docs/states.md"))


@pytest.mark.parametrize("state", CallRequest.State.values)
def test_states_have_each_state_its_step_and_its_words(state: str) -> None:
    row = next(row for row in rows("docs/states.md") if len(row) == 5 and row[0] == f"`{state}`")
    assert int(row[1]) == CallRequest.PROGRESS[state]
    listed = {
        word.casefold() for word in (*codes(row[3]), *codes(row[4])) if not word.startswith('"')
    }
    assert listed == {
        word
        for table in (vocabulary.CALL_STATES, vocabulary.SMS_STATES)
        for word, state_of_word in table.items()
        if state_of_word == state
    }


def test_states_have_each_source_of_a_report() -> None:
    assert all(f"`{source}`" in text("docs/states.md") for source in CallStatus.Source.values)


def test_signals_have_each_signal() -> None:
    names = {name for name, value in vars(signals).items() if isinstance(value, Signal)}
    assert set(by_first("docs/signals.md")) == names


@pytest.mark.parametrize("name", COMMANDS)
def test_commands_have_each_command_and_its_options(name: str) -> None:
    page = text("docs/commands.md")
    assert any(row[0].startswith(f"`{name}") for row in rows("docs/commands.md"))
    section = page.partition(f"### {name}\n")[2].partition("\n##")[0]
    assert section, f"no section {name}"
    if "sandbox" in name:
        section = text("docs/sandbox.md")
    assert {f"--{option}" for option in options_of(name)} == set(
        re.findall(r"`(--[\w-]+)`", section)
    )


def test_tasks_have_each_task_and_when_beat_starts_it() -> None:
    table = by_first("docs/commands.md")
    source = (ROOT / "django_voicepassword/tasks.py").read_text()
    names = set(re.findall(r'name="django_voicepassword\.tasks\.(\w+)"', source))
    assert names <= set(table)
    for entry in BEAT_SCHEDULE.values():
        when = table[entry["task"].rpartition(".")[2]][2]
        schedule: Any = entry["schedule"]
        expected = f"{schedule:g} s" if isinstance(schedule, float) else str(min(schedule.minute))
        assert expected in when


def test_the_sandbox_has_each_magic_number() -> None:
    listed = {row[0]: row[1] for row in rows("docs/sandbox.md") if row[0].isdigit()}
    assert listed == {number: outcome.about for number, outcome in OUTCOMES.items()}


def test_checks_have_each_id() -> None:
    source = "".join(
        path.read_text() for path in (ROOT / "django_voicepassword/checks").glob("*.py")
    )
    assert set(re.findall(r'"(voicepassword\.[EWI]\d{3})"', source)) == {
        name for name in by_first("docs/checks.md") if name.startswith("voicepassword.")
    }
