"""Changes one module of the tree that it stands in, again and again, and tells what its tests said.
See ``__main__``.

First a fork for each change, behind the collection of the tests, with the changed module put over
the one that is there: that takes a moment. What stays unnoticed is tried in a process that imports
everything anew, since a name may be kept anywhere.
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
# Nothing is rewritten for better messages: nobody reads them.
OPTIONS = ["-x", "-q", "--assert=plain", "-p", "no:cacheprovider", "--hypothesis-seed=0"]
DJANGO = ["--nomigrations"]
#: What is pure needs no Django, whose start takes longer than its tests.
PURE = ["-c", os.devnull, f"--rootdir={ROOT}", "-p", "no:django"]
#: What every run of tests needs and no change touches: imported once, each process is a fork.
PRELOADED = (
    "pytest_django.plugin",
    "hypothesis.core",
    "schemathesis.pytest.plugin",
    "playwright.sync_api",
    "celery.app.base",
)


def fork(work: Callable[[], int], seconds: float) -> str:
    """``passed``, ``failed`` or ``timeout``: what ``work`` said in a process of its own."""
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
    ends = time.monotonic() + seconds
    status, done = 0, 0
    while not done and time.monotonic() < ends:
        time.sleep(0.005)
        done, status = os.waitpid(child, os.WNOHANG)
    # With the processes that the tests started.
    with suppress(ProcessLookupError):
        os.killpg(child, signal.SIGKILL)
    if not done:
        os.waitpid(child, 0)
        return "timeout"
    return "failed" if status else "passed"


class Loop:
    """A plugin of pytest: runs the tests that were collected once for each change."""

    def __init__(
        self, name: str, changes: list[Mutant], tell: Callable[[Mutant, str], None]
    ) -> None:
        self.module = f"django_voicepassword.{name.replace('/', '.')}"
        self.changes, self.tell = changes, tell

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        source = Path(str(sys.modules[self.module].__file__)).read_text("utf-8")
        began = time.monotonic()
        # Put over itself: what breaks by that alone is told by no change.
        if fork(lambda: self._run(session, source), 300) == "passed":
            seconds = 10 + 5 * (time.monotonic() - began)
            for one in self.changes:
                self.tell(one, fork(lambda one=one: self._run(session, one.code), seconds))
            if fork(lambda: self._run(session, source), seconds) != "passed":
                raise RuntimeError(
                    "the tests fail without a change by now: what was told is worth nothing"
                )
        return True

    def _run(self, session: pytest.Session, code: str) -> int:
        self._put(code)
        with suppress(session.Failed, session.Interrupted):
            _pytest.main.pytest_runtestloop(session)
        return 1 if session.testsfailed else 0

    def _put(self, code: str) -> None:
        module = sys.modules[self.module]
        before = dict(vars(module))
        exec(compile(code, str(module.__file__), "exec"), vars(module))
        for other in [
            one
            for name, one in sys.modules.items()
            if name.startswith(("django_voicepassword", "tests"))
        ]:
            for name, value in list(vars(other).items()):
                if not name.startswith("__") and name in before and value is before[name]:
                    setattr(other, name, getattr(module, name))


def main() -> int:
    name, part, parts, wanted = (
        sys.argv[1],
        int(sys.argv[2]),
        int(sys.argv[3]),
        set(json.loads(sys.argv[4])),
    )
    path = ROOT / "django_voicepassword" / f"{name}.py"
    source = path.read_text("utf-8")
    told = os.fdopen(os.dup(1), "w", encoding="utf-8")
    chosen = [
        one for one in mutants(source) if not wanted or f"{one.before} => {one.after}" in wanted
    ][part::parts]
    options = [*OPTIONS, *(PURE if name.startswith("protocol/") else DJANGO)]
    for module in PRELOADED:
        importlib.import_module(module)
    # What is here stays: no process has to look through it for garbage.
    gc.freeze()

    def tell(one: Mutant, outcome: str) -> None:
        known = {
            "line": one.line,
            "definition": one.definition,
            "before": one.before,
            "after": one.after,
        }
        print(
            json.dumps({"module": name, "outcome": outcome, **known}, ensure_ascii=False),
            file=told,
            flush=True,
        )

    def run_anew() -> str:
        outcomes = (
            fork(lambda test=test: int(pytest.main([*options, test])), seconds)
            for test in TESTS[name]
        )
        return next((outcome for outcome in outcomes if outcome != "passed"), "passed")

    began, seconds = time.monotonic(), 300.0
    if run_anew() != "passed":
        raise SystemExit(f"{name}: its tests fail without a change: pytest {' '.join(TESTS[name])}")
    seconds = 10 + 5 * (time.monotonic() - began)
    # A file of compiled code is known by the second in which its source was written: too coarse for
    # this.
    sys.dont_write_bytecode = True
    os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
    noticed: set[str] = set()
    read, write = os.pipe()

    def loop() -> int:
        notes = os.fdopen(write, "w", encoding="utf-8")

        def note(one: Mutant, outcome: str) -> None:
            if outcome != "passed":
                tell(one, outcome)
                print(chosen.index(one), file=notes, flush=True)

        return int(pytest.main([*options, *TESTS[name]], plugins=[Loop(name, chosen, note)]))

    if fork(loop, 36000) != "passed":
        raise SystemExit(f"{name}: its tests fail without a change after some time")
    os.close(write)
    with os.fdopen(read) as notes:
        noticed = {chosen[int(line)].code for line in notes}
    for one in chosen:
        if one.code not in noticed:
            path.write_text(one.code, "utf-8")
            tell(one, run_anew())
    path.write_text(source, "utf-8")
    if run_anew() != "passed":
        raise SystemExit(f"{name}: its tests fail without a change in the end")
    return 0


if __name__ == "__main__":
    sys.exit(main())
