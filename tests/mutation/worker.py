"""Changes one module in a copy of the tree, mutant by mutant, and prints the outcome of its tests.

``__main__`` starts it. A mutant is first tried in a fork made after the tests were collected, with
the module replaced in memory: that is fast. A mutant that survives is written to the file and tried
in a process that imports everything again, because any module may hold a reference to an old name.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import signal
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import _pytest.main
import pytest

from tests.mutation.modules import TESTS
from tests.mutation.operators import Mutant, mutants

ROOT = Path(__file__).parents[2]
# Plain assertions: rewriting them takes time, and nobody reads their messages.
OPTIONS = ["-x", "-q", "--assert=plain", "-p", "no:cacheprovider", "--hypothesis-seed=0"]
DJANGO = ["--nomigrations"]
#: The protocol needs no Django, whose start takes longer than its tests.
PURE = ["-c", os.devnull, f"--rootdir={ROOT}", "-p", "no:django"]
#: Modules that every run needs and no change touches: imported once, then inherited by the forks.
PRELOADED = (
    "pytest_django.plugin",
    "hypothesis.core",
    "schemathesis.pytest.plugin",
    "playwright.sync_api",
    "celery.app.base",
)


def fork(work: Callable[[], int], seconds: float) -> str:
    """Run ``work`` in a forked process; return ``passed``, ``failed`` or ``timeout``."""
    child = os.fork()
    if child == 0:
        os.setsid()
        quiet = os.open(os.devnull, os.O_WRONLY)
        os.dup2(quiet, 1)
        os.dup2(quiet, 2)
        code = 1
        try:
            code = work()
        finally:
            os._exit(code)
    deadline = time.monotonic() + seconds
    status, done = 0, 0
    while not done and time.monotonic() < deadline:
        time.sleep(0.005)
        done, status = os.waitpid(child, os.WNOHANG)
    # The whole group: the tests may have started processes.
    with suppress(ProcessLookupError):
        os.killpg(child, signal.SIGKILL)
    if not done:
        os.waitpid(child, 0)
        return "timeout"
    return "failed" if status else "passed"


class MutantLoop:
    """A pytest plugin that runs the collected tests once for each mutant."""

    def __init__(
        self, name: str, mutants: list[Mutant], report: Callable[[Mutant, str], None]
    ) -> None:
        self.module = f"django_voicepassword.{name.replace('/', '.')}"
        self.mutants, self.report = mutants, report

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        source = Path(str(sys.modules[self.module].__file__)).read_text("utf-8")
        began = time.monotonic()
        # First unchanged: if the tests fail after a replacement by itself, no outcome counts.
        if self._try(session, source, 300) == "passed":
            seconds = 10 + 5 * (time.monotonic() - began)
            for mutant in self.mutants:
                self.report(mutant, self._try(session, mutant.code, seconds))
            if self._try(session, source, seconds) != "passed":
                raise RuntimeError("the unchanged tests fail by now: no outcome above counts")
        return True

    def _try(self, session: pytest.Session, code: str, seconds: float) -> str:
        return fork(lambda: self._run(session, code), seconds)

    def _run(self, session: pytest.Session, code: str) -> int:
        self._replace_module(code)
        with suppress(session.Failed, session.Interrupted):
            _pytest.main.pytest_runtestloop(session)
        return 1 if session.testsfailed else 0

    def _replace_module(self, code: str) -> None:
        """Execute the code in the module, and update the names that other modules imported."""
        module = sys.modules[self.module]
        before = dict(vars(module))
        exec(compile(code, str(module.__file__), "exec"), vars(module))
        for other in [
            loaded
            for name, loaded in sys.modules.items()
            if name.startswith(("django_voicepassword", "tests"))
        ]:
            for name, value in list(vars(other).items()):
                if not name.startswith("__") and name in before and value is before[name]:
                    setattr(other, name, getattr(module, name))


class Worker:
    """Tries the mutants of a module and prints each outcome as a line of JSON.

    ``part`` of ``parts``: its share of the mutants. ``only``: the mutants to try, as texts; empty
    for all.
    """

    def __init__(self, name: str, part: int, parts: int, only: set[str]) -> None:
        self.name = name
        self.path = ROOT / "django_voicepassword" / f"{name}.py"
        self.source = self.path.read_text("utf-8")
        chosen = [
            mutant
            for mutant in mutants(self.source)
            if not only or f"{mutant.before} => {mutant.after}" in only
        ]
        self.mutants = chosen[part::parts]
        self.options = [*OPTIONS, *(PURE if _needs_no_django(name) else DJANGO)]
        # A copy, because the tests' output goes to the null device.
        self.output = os.fdopen(os.dup(1), "w", encoding="utf-8")
        self.seconds = 300.0

    def run(self) -> None:
        began = time.monotonic()
        self._expect_success("without a change")
        self.seconds = 10 + 5 * (time.monotonic() - began)
        # Python recognizes compiled code by the second in which its source was written: too coarse.
        sys.dont_write_bytecode = True
        os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
        noticed = self._try_in_memory()
        for mutant in self.mutants:
            if mutant.code not in noticed:
                self.path.write_text(mutant.code, "utf-8")
                self._report(mutant, self._run_tests())
        self.path.write_text(self.source, "utf-8")
        self._expect_success("without a change in the end")

    def _try_in_memory(self) -> set[str]:
        """Try every mutant in a fork; return the code of those that the tests noticed."""
        read, write = os.pipe()

        def loop() -> int:
            numbers = os.fdopen(write, "w", encoding="utf-8")

            def report(mutant: Mutant, outcome: str) -> None:
                if outcome != "passed":
                    self._report(mutant, outcome)
                    print(self.mutants.index(mutant), file=numbers, flush=True)

            plugin = MutantLoop(self.name, self.mutants, report)
            return int(pytest.main([*self.options, *TESTS[self.name]], plugins=[plugin]))

        if fork(loop, 36000) != "passed":
            raise SystemExit(f"{self.name}: its tests fail without a change after some time")
        os.close(write)
        with os.fdopen(read) as numbers:
            return {self.mutants[int(line)].code for line in numbers}

    def _run_tests(self) -> str:
        """Run the tests of the module in new processes, one file after the other."""
        outcomes = (self._run_file(test) for test in TESTS[self.name])
        return next((outcome for outcome in outcomes if outcome != "passed"), "passed")

    def _run_file(self, test: str) -> str:
        return fork(lambda: int(pytest.main([*self.options, test])), self.seconds)

    def _expect_success(self, when: str) -> None:
        if self._run_tests() != "passed":
            command = f"pytest {' '.join(TESTS[self.name])}"
            raise SystemExit(f"{self.name}: its tests fail {when}: {command}")

    def _report(self, mutant: Mutant, outcome: str) -> None:
        line = {
            "module": self.name,
            "outcome": outcome,
            "line": mutant.line,
            "definition": mutant.definition,
            "before": mutant.before,
            "after": mutant.after,
        }
        print(json.dumps(line, ensure_ascii=False), file=self.output, flush=True)


def _needs_no_django(name: str) -> bool:
    return name.startswith("provider/protocol/") or name == "security/masking"


def main() -> int:
    name, part, parts, only = sys.argv[1:]
    worker = Worker(name, int(part), int(parts), set(json.loads(only)))
    for module in PRELOADED:
        importlib.import_module(module)
    # No process needs to search through these modules for garbage.
    gc.freeze()
    worker.run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
