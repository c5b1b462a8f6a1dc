"""The workflows and other files that a code host reads: no other test runs them. The pages for
contributors: their links and commands.
"""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from django_voicepassword import __version__
from tests.conftest import PORTS
from tests.docs_samples import reference

pytestmark = pytest.mark.any_version

ROOT = Path(__file__).parent.parent
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
FORMS = sorted((ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.yml"))
OTHERS = [
    ROOT / name
    for name in (".github/dependabot.yml", ".pre-commit-config.yaml", ".readthedocs.yaml")
]
PAGES = ["CONTRIBUTING.md", "SECURITY.md", ".github/PULL_REQUEST_TEMPLATE.md"]
CHANGELOG = """# Changelog

## 1.2.3 (2026-01-31)

- The newest change.

## 1.2.2 (2026-01-01)

- An older one.
"""


def _steps(workflow: Path) -> list[dict[str, Any]]:
    jobs = yaml.safe_load(workflow.read_text("utf-8"))["jobs"]
    return [step for job in jobs.values() for step in job.get("steps", ())]


@pytest.mark.parametrize("path", [*WORKFLOWS, *FORMS, *OTHERS], ids=lambda path: path.name)
def test_a_file_is_yaml(path: Path) -> None:
    assert isinstance(yaml.safe_load(path.read_text("utf-8")), dict)


def test_the_changelog_begins_with_the_version() -> None:
    changelog = (ROOT / "CHANGELOG.md").read_text("utf-8")
    heading = re.search(r"^## (\S+) \((not released|\d{4}-\d\d-\d\d)\)$", changelog, re.MULTILINE)
    assert heading is not None
    assert heading[1] == __version__


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_an_action_is_named_by_its_commit(path: Path) -> None:
    """A tag can be moved to other code."""
    actions = [step["uses"] for step in _steps(path) if "uses" in step]
    assert actions
    assert not [name for name in actions if not re.fullmatch(r"[\w.-]+/[\w.-]+@[0-9a-f]{40}", name)]


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_a_workflow_may_write_only_where_a_job_says_so(path: Path) -> None:
    assert yaml.safe_load(path.read_text("utf-8"))["permissions"] in ({}, {"contents": "read"})


def test_ci_has_the_services_on_the_ports_of_the_tests() -> None:
    jobs = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text("utf-8"))["jobs"]
    services = jobs["tests"]["services"]
    assert {name: service["ports"] for name, service in services.items()} == {
        name: [f"{port}:{port}"] for name, port in PORTS.items()
    }


def _compare(folder: Path, tag: str, changelog: str) -> subprocess.CompletedProcess[str]:
    """Run the step of the release that compares tag and changelog, as a runner does."""
    release = next(path for path in WORKFLOWS if path.name == "release.yml")
    (script,) = [
        step["run"]
        for step in _steps(release)
        if step.get("name") == "Compare the tag with the changelog"
    ]
    (folder / "CHANGELOG.md").write_text(changelog, "utf-8")
    return subprocess.run(
        ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", script],
        cwd=folder,
        env={**os.environ, "GITHUB_REF_NAME": tag},
        capture_output=True,
        text=True,
    )


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page: str) -> None:
    assert not reference.broken(page)


def _commands() -> list[str]:
    """The code of the pages and forms, and what the workflows and ``.ci/run`` run."""
    texts = [(ROOT / page).read_text("utf-8") for page in PAGES]
    texts += [path.read_text("utf-8") for path in FORMS]
    code = [found for text in texts for found in re.findall(r"`+([^`]+)`+", text)]
    return [
        *code,
        *(step["run"] for path in WORKFLOWS for step in _steps(path) if "run" in step),
        (ROOT / ".ci" / "run").read_text("utf-8"),
    ]


def test_commands_name_targets_of_the_makefile() -> None:
    makefile = (ROOT / "Makefile").read_text("utf-8")
    targets = set(re.findall(r"^([a-z][a-z-]*):", makefile, re.MULTILINE))
    named = {
        target
        for command in _commands()
        for target in re.findall(r"(?:^|&& )\s*(?:\w+=\S+ )*make ([a-z-]+)", command, re.MULTILINE)
    }
    assert {"dist", "lint", "sbom", "test"} <= named
    assert named <= targets


@pytest.mark.program("bash")
def test_a_release_has_the_section_of_its_version(tmp_path: Path) -> None:
    done = _compare(tmp_path, "v1.2.3", CHANGELOG)
    assert done.returncode == 0, done.stdout + done.stderr
    notes = (tmp_path / "build" / "notes.md").read_text("utf-8")
    assert notes.strip() == "- The newest change."


@pytest.mark.program("bash")
@pytest.mark.parametrize(
    ("tag", "heading"),
    [
        ("v1.2.2", "1.2.3 (2026-01-31)"),
        ("v1.2", "1.2.3 (2026-01-31)"),
        ("v1.2.3", "1.2.3 (not released)"),
        ("v1.2.3", "1.2.30 (2026-01-31)"),
        ("v1.2.3", "1x2.3 (2026-01-31)"),
    ],
)
def test_a_tag_that_the_changelog_does_not_begin_with_is_not_released(
    tmp_path: Path, tag: str, heading: str
) -> None:
    done = _compare(tmp_path, tag, CHANGELOG.replace("1.2.3 (2026-01-31)", heading))
    assert done.returncode == 1
    assert f'CHANGELOG.md begins with "## {heading}"' in done.stdout
    assert not (tmp_path / "build").exists()
