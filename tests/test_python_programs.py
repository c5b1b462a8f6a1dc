"""``python_programs.run`` does what a program that is started as usual does."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests import python_programs

pytestmark = pytest.mark.processes

PROGRAM = """
import os, sys
from pathlib import Path
print(sys.argv[1:], os.environ["WORD"], Path.cwd().name, __name__, file=sys.stderr)
print("out")
"""


@pytest.mark.parametrize(
    "arguments",
    [
        ["-c", PROGRAM, "one", "two"],
        ["program.py", "one"],
        ["-m", "program", "two"],
        ["-c", "import atexit; atexit.register(print, 'end')"],
        ["-c", "import threading; threading.Timer(0.01, print, ['thread']).start()"],
        ["-c", "import found; print(found.__name__)"],
        [
            "-W",
            "error",
            "-c",
            "import warnings\ntry: warnings.warn('')\nexcept UserWarning: print(1)",
        ],
        ["-c", "raise SystemExit('no')"],
        ["-c", "raise SystemExit(3)"],
        ["-c", "import os; os.kill(os.getpid(), 9)"],
    ],
)
@pytest.mark.parametrize("is_merged", [False, True])
def test_output_and_status_are_the_same(
    arguments: list[str], is_merged: bool, tmp_path: Path
) -> None:
    (tmp_path / "path").mkdir()
    (tmp_path / "path" / "found.py").touch()
    (tmp_path / "program.py").write_text(PROGRAM)
    env = {**os.environ, "WORD": "word", "PYTHONPATH": str(tmp_path / "path")}
    env = {**env, "PYTHONUNBUFFERED": "1"}
    done = python_programs.run(arguments, tmp_path, env, is_merged)
    usual = python_programs.run_as_usual(arguments, tmp_path, env, is_merged)
    assert (done.returncode, done.stdout, done.stderr) == (
        usual.returncode,
        usual.stdout,
        usual.stderr,
    )


def test_an_exception_is_told_and_the_next_program_knows_nothing_of_the_one_before() -> None:
    done = python_programs.run(["-c", "import os, json; json.word = 1; os.chdir('/'); 1 / 0"])
    assert done.returncode == 1
    assert "ZeroDivisionError: division by zero" in done.stderr
    after = python_programs.run(
        ["-c", "import json, pathlib; print(hasattr(json, 'word'), pathlib.Path.cwd())"]
    )
    assert after.stdout == f"False {python_programs.ROOT}\n"
