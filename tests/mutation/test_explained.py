"""The explanations are about modules and lines that exist."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.mutation.explained import EXPLAINED
from tests.mutation.modules import TESTS

pytestmark = pytest.mark.any_version

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("name", TESTS)
def test_a_module_and_its_tests_exist(name: str) -> None:
    assert (ROOT / "django_voicepassword" / f"{name}.py").is_file()
    for test in TESTS[name]:
        assert (ROOT / test).exists()


@pytest.mark.parametrize("name", EXPLAINED)
def test_an_explained_line_stands_in_its_module(name: str) -> None:
    assert name in TESTS
    lines = (ROOT / "django_voicepassword" / f"{name}.py").read_text("utf-8")
    code = " ".join(lines.split())
    for before, _, _ in EXPLAINED[name]:
        assert " ".join(before.split()) in code, before
