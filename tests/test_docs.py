"""Every sample in README.md and docs/ is executed, and every link leads somewhere.

The kind of a sample decides how it is executed: see ``tests/docs_samples``. A sample of an unknown
kind fails. ``docs_samples.commands.NOT_EXECUTED`` lists the programs that are not run, and why.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from django_voicepassword.testing import outbox
from tests.docs_samples import formats, kinds, programs, reference, shell
from tests.docs_samples.collect import Sample, all_samples, pages
from tests.docs_samples.commands import HANDLERS, NOT_EXECUTED
from tests.docs_samples.project import make_bare, make_usual
from tests.docs_samples.walk import STEPS, Walk

pytestmark = [pytest.mark.any_database, pytest.mark.any_version]

#: Kinds that are executed in order, in the project of their page.
FOLLOWED = {"files", *STEPS}
#: Kinds that need no project, besides programs and templates.
FORMATS: dict[str, Callable[[Sample], None]] = {
    "json": formats.check_json,
    "style": formats.check_style,
    "policy": formats.check_policy,
    "tree": formats.check_tree,
    "synopsis": formats.check_synopsis,
    "floors": formats.check_floors,
}


def _kind(sample: Sample) -> str:
    try:
        return kinds.kind_of(sample)
    except AssertionError:
        return "unknown"


def _params(*selected_kinds: str) -> list[Any]:
    """Return the samples of these kinds as test parameters, named by file and line."""
    params = []
    for sample in all_samples():
        if _kind(sample) in selected_kinds:
            marks = [pytest.mark.browser] if _kind(sample) == "script" else []
            marks += [pytest.mark.program("curl")] if "curl" in _programs(sample) else []
            if _kind(sample) in FOLLOWED:
                # Other pages are followed at the same time.
                marks += [pytest.mark.group(sample.page)]
            if _kind(sample) == "program" and programs.starts_process(sample):
                marks += [pytest.mark.processes]
            params.append(pytest.param(sample, id=sample.where, marks=marks))
    return params


def _programs(sample: Sample) -> set[str]:
    """Return the programs that a sample of shell commands runs."""
    if _kind(sample) != "shell":
        return set()
    return {command.words[0] for command in shell.commands_of(sample)}


@pytest.fixture(scope="session")
def walks(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Walk]:
    """Page -> the page as it was followed, once for all of its samples."""
    folder = tmp_path_factory.mktemp("docs")
    bare = make_bare(folder / "bare")
    usual = make_usual(folder / "usual", bare)

    @cache
    def follow(page: str) -> Walk:
        return Walk(page, folder / page.replace("/", "-"), bare, usual).go()

    return follow


@pytest.mark.parametrize(
    "sample", [pytest.param(sample, id=sample.where) for sample in all_samples()]
)
def test_a_sample_is_of_a_known_kind(sample: Sample) -> None:
    kind = kinds.kind_of(sample)
    assert kind in {*FOLLOWED, *FORMATS, "program", "template"}


def test_no_sample_overwrites_the_settings_of_an_earlier_one() -> None:
    made = [
        sample.page
        for sample in all_samples()
        if sample.language == "python"
        and re.search(r"^\s*VOICEPASSWORD\s*=", sample.text, re.MULTILINE)
    ]
    assert sorted(made) == ["README.md", "docs/tutorial.md"]


@pytest.mark.long
@pytest.mark.parametrize("sample", _params(*FOLLOWED))
def test_a_page_can_be_followed(sample: Sample, walks: Callable[[str], Walk]) -> None:
    outcome = walks(sample.page).outcomes.get(sample.line)
    if outcome is not None:
        raise sample.fail(str(outcome)) from outcome


@pytest.mark.django_db
@pytest.mark.parametrize("sample", _params("program"))
def test_a_python_sample_runs(sample: Sample, configure: Callable[..., None]) -> None:
    configure(**programs.SETTINGS)
    outbox.clear()
    programs.run(sample)


@pytest.mark.django_db
@pytest.mark.parametrize("sample", _params("template"))
def test_a_template_sample_renders_the_page(sample: Sample, tmp_path: Path, settings: Any) -> None:
    formats.check_template(sample, tmp_path, settings)


@pytest.mark.parametrize("sample", _params(*FORMATS))
def test_a_sample_in_a_format_is_valid(sample: Sample) -> None:
    FORMATS[kinds.kind_of(sample)](sample)


@pytest.mark.parametrize("page", pages())
def test_links_have_targets(page: str) -> None:
    assert not reference.broken(page)


def test_every_program_that_is_not_executed_occurs_in_a_sample() -> None:
    used = {program for sample in all_samples() for program in _programs(sample)}
    assert set(NOT_EXECUTED) <= used & set(HANDLERS)
