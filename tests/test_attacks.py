"""``benchmarks attacks``: what its own figures and tables mean, and one small run of it."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from benchmarks.attacks import plan
from benchmarks.attacks.figures import Figures, People

pytestmark = pytest.mark.any_version

ROOT = Path(__file__).parents[1]


def _run(*arguments: str) -> str:
    process = subprocess.run(
        [sys.executable, "-m", "benchmarks", "attacks", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert process.returncode == 0, process.stdout + process.stderr
    return process.stdout


def _row(output: str, *beginning: str) -> list[str]:
    """The cells of the row that begins so, of all tables one after the other."""
    start = f"| {' | '.join(beginning)} |"
    rows = [line for line in output.splitlines() if line.startswith(start)]
    assert rows, output
    return [cell.strip() for row in rows for cell in row.strip("|").split("|")]


def test_expected_takeovers_are_compared_guesses_by_the_codes_they_are_of() -> None:
    figures = Figures(guesses=Counter({4: 500, 6: 2000}))
    assert figures.takeovers == pytest.approx(0.05 + 0.002)
    # The provider's pool is no larger: six digits are worth no more than four.
    assert figures.takeovers_of_pool == pytest.approx(0.25)


def test_a_giving_up_at_a_challenge_is_not_a_refusal() -> None:
    people = People(logins=200, gave_up=6, refused=Counter(ip=3, guard=1))
    assert people.refused_share == pytest.approx(0.02)


def test_one_of_ten_robots_counts_tenfold_and_people_do_not() -> None:
    figures = Figures(others=People(logins=7), wanted=20, strangers=3, guesses=Counter({4: 5}))
    figures.multiply_attack(10)
    assert (figures.wanted, figures.strangers, figures.guesses[4]) == (200, 30, 50)
    assert figures.others.logins == 7


def test_every_attack_of_the_plan_exists_and_every_target_has_an_attack() -> None:
    named = {name for target in plan.TARGETS for name in target.attacks}
    assert named <= set(plan.ENTRIES)
    assert {mode for target in plan.TARGETS for mode in target.modes} <= set(plan.MODES)


@pytest.mark.processes
def test_a_small_run_under_a_guard_that_is_off_counts_what_robots_do() -> None:
    """Nothing stops a spray of fifty numbers, counted tenfold, with five guesses each."""
    output = _run("spray", "--shape", "burst", "--mode", "off", "--scale", "0.005", "--quick")
    cells = _row(output, "spray", "burst", "`off`")
    wanted, strangers, _, guesses = cells[3:7]
    assert wanted == strangers == "500"
    assert guesses == "2,500"
