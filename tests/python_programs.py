"""Python programs, each in a process that has imported the libraries already.

To import Django and Celery takes most of the time of a short program. A process that has imported
them starts each program by ``os.fork``. It has imported nothing that reads settings, and nothing of
this repository: what a program imports of these is its own.
"""

from __future__ import annotations

import atexit
import importlib
import json
import os
import runpy
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import traceback
import warnings
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

ROOT = Path(__file__).parents[1]
PATIENCE = 120
#: Libraries that read no settings when they are imported.
_IMPORTED = [
    "celery",
    "celery.app.amqp",
    "celery.app.base",
    "django.contrib.admin.options",
    "django.core.management",
    "django.core.management.commands.check",
    "django.core.management.commands.migrate",
    "django.core.management.commands.runserver",
    "django.core.servers.basehttp",
    "django.db.backends.sqlite3.base",
    "django.db.migrations.executor",
    "django.forms",
    "django.template",
    "django.template.backends.django",
    "django.template.defaulttags",
    "django.template.loader_tags",
    "django.test",
    "django.urls",
    "django.views.generic",
    "kombu.transport.virtual",
    "phonenumbers",
    "requests",
    "rest_framework.compat",
    "rest_framework.fields",
]


def run(
    arguments: Sequence[str],
    cwd: Path = ROOT,
    env: Mapping[str, str] | None = None,
    is_merged: bool = False,
) -> subprocess.CompletedProcess[str]:
    """Run Python with ``arguments``: ``-c TEXT …``, ``-m MODULE …`` or ``FILE …``.

    ``-W error`` may stand before them; it does not hear of what the import of a library warns.
    ``is_merged``: ``stdout`` also has the error output.
    """
    env = dict(os.environ if env is None else env)
    if is_measured(env):
        return run_as_usual(arguments, cwd, env, is_merged)
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "out"
        err = out if is_merged else Path(folder) / "err"
        request = ["run", list(arguments), str(cwd), env, str(out), str(err)]
        status = _server().ask(request)
        assert status is not None
        stderr = None if is_merged else err.read_text()
        return subprocess.CompletedProcess(list(arguments), status, out.read_text(), stderr)


def is_measured(env: Mapping[str, str]) -> bool:
    """Return whether coverage.py measures programs: it does where they start as usual."""
    return any(name.startswith("COVERAGE_PROCESS_") for name in env)


def run_as_usual(
    arguments: Sequence[str], cwd: Path, env: Mapping[str, str], is_merged: bool
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=cwd,
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT if is_merged else subprocess.PIPE,
        text=True,
        timeout=PATIENCE,
    )


class Program:
    """A program that runs, with what tests use of ``subprocess.Popen``.

    ``stdout`` also has the error output. It leads a process group of its own.
    """

    def __init__(self, arguments: Sequence[str], cwd: Path, env: Mapping[str, str]) -> None:
        self.returncode: int | None = None
        with tempfile.TemporaryDirectory() as folder:
            pipe = Path(folder) / "out"
            os.mkfifo(pipe)
            # The program can open a pipe that somebody reads.
            reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
            request = ["start", list(arguments), str(cwd), dict(env), str(pipe), str(pipe)]
            pid = _server().ask(request)
        assert pid is not None
        self.pid = pid
        os.set_blocking(reader, True)
        self.stdout = os.fdopen(reader, errors="replace")

    def poll(self) -> int | None:
        if self.returncode is None:
            self.returncode = _server().ask(["poll", self.pid])
        return self.returncode

    def wait(self, timeout: float) -> int:
        deadline = time.monotonic() + timeout
        while (status := self.poll()) is None:
            if time.monotonic() > deadline:
                raise subprocess.TimeoutExpired(str(self.pid), timeout)
            time.sleep(0.02)
        return status

    def terminate(self) -> None:
        if self.poll() is None:
            os.kill(self.pid, signal.SIGTERM)


class _Server:
    """The process that forks. It ends with this process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._socket, other = socket.socketpair()
        # Neither modules of this repository nor a ``sitecustomize`` of the tests.
        env = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        with other:
            self._process = subprocess.Popen(
                [sys.executable, __file__, str(other.fileno())],
                env=env,
                pass_fds=[other.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
            )
        self._file = self._socket.makefile("rw")
        atexit.register(self.close)

    def ask(self, request: list[Any]) -> int | None:
        with self._lock:
            self._file.write(f"{json.dumps(request)}\n")
            self._file.flush()
            answer = self._file.readline()
        assert answer, "the server of Python programs has ended"
        status: int | None = json.loads(answer)
        return status

    def close(self) -> None:
        self._file.close()
        self._socket.close()
        self._process.wait()


@cache
def _server() -> _Server:
    return _Server()


def _serve(connection: socket.socket) -> None:
    """Do what is asked for until the connection is closed.

    ``run`` is answered by a return code, ``start`` by a process id once the program has opened its
    output, and ``poll`` by the return code of a started program, or null while it runs.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # The folder of this file.
    del sys.path[0]
    own_path = [*sys.path]
    for name in _IMPORTED:
        importlib.import_module(name)
    file = connection.makefile("rw")
    for line in file:
        verb, *request = json.loads(line)
        answer = _ended(request[0]) if verb == "poll" else _fork(verb, request, own_path)
        file.write(f"{json.dumps(answer)}\n")
        file.flush()


def _fork(verb: str, request: list[Any], own_path: list[str]) -> int:
    """Return the return code of a program that runs, or the process id of one that starts."""
    opened, opens = os.pipe()
    child = os.fork()
    if not child:
        os.close(opened)
        _become(verb, request, own_path, opens)
    os.close(opens)
    # The end of the file: its output is open.
    os.read(opened, 1)
    os.close(opened)
    if verb == "start":
        return child
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def _ended(child: int) -> int | None:
    pid, status = os.waitpid(child, os.WNOHANG)
    return os.waitstatus_to_exitcode(status) if pid else None


def _become(verb: str, request: list[Any], own_path: list[str], opens: int) -> None:
    """Be the program, and end."""
    arguments, cwd, env, out, err = request
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if verb == "start":
        os.setsid()
    else:
        # The system ends a program that takes too long.
        signal.alarm(PATIENCE)
    for number, name in ((1, out), (2, err)):
        opened = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        os.dup2(opened, number)
        os.close(opened)
    os.close(opens)
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(env)
    sys.path[:] = [*filter(None, env.get("PYTHONPATH", "").split(os.pathsep)), *own_path]
    importlib.invalidate_caches()
    sys.modules.pop("sitecustomize", None)
    with suppress(ModuleNotFoundError):
        importlib.import_module("sitecustomize")
    status = _status_of(arguments)
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os._exit(status)


def _status_of(arguments: list[str]) -> int:
    """Run the program; return the status that Python would end with."""
    try:
        _execute(arguments)
    except SystemExit as end:
        if end.code is None or isinstance(end.code, int):
            return end.code or 0
        print(end.code, file=sys.stderr)
        return 1
    except BaseException:
        traceback.print_exc()
        return 1
    return 0


def _execute(arguments: list[str]) -> None:
    first, *rest = arguments
    if first == "-W":
        warnings.simplefilter(rest[0])  # type: ignore[arg-type]
        _execute(rest[1:])
    elif first == "-m":
        module, *words = rest
        sys.argv = [module, *words]
        sys.path.insert(0, str(Path.cwd()))
        runpy.run_module(module, run_name="__main__", alter_sys=True)
    elif first == "-c":
        text, *words = rest
        sys.argv = ["-c", *words]
        sys.path.insert(0, "")
        main = sys.modules["__main__"] = ModuleType("__main__")
        exec(compile(text, "<string>", "exec"), main.__dict__)
    else:
        sys.argv = arguments
        sys.path.insert(0, str(Path(first).resolve().parent))
        runpy.run_path(first, run_name="__main__")


if __name__ == "__main__":
    _serve(socket.socket(fileno=int(sys.argv[1])))
