"""The example as processes: sandbox, web, worker and beat, with one log.

It uses the standard library only.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import IO, TYPE_CHECKING, Any

if TYPE_CHECKING:
    from typing_extensions import Self

HERE = Path(__file__).resolve().parent
#: Seconds that a process may take to answer after its start, and to end after SIGTERM.
START_PATIENCE, END_PATIENCE = 60, 8
#: The ports that were named last; their servers may not listen yet.
_NAMED: deque[int] = deque(maxlen=50)

#: Times in the output of runserver, the sandbox and Celery. The log writes its own.
_TIME = re.compile(r"^\[?(\d{4}-\d\d-\d\d|\d\d/\w{3}/\d{4}) \d\d:\d\d:\d\d(,\d+)?\]? ?")
#: What beat starts every 15 seconds.
_EVERY_TIME = re.compile(
    r"INFO Task django_voicepassword\.tasks\.poll_calls\[\S+ (received|succeeded)"
)
#: Banners that repeat what the demo prints itself.
_BANNERS = (
    "Performing system checks",
    "System check identified no issues",
    "Django version",
    "Starting development server",
    "Quit the server",
    "WARNING: This is a development server",
    "For more information on production servers",
)
_CELERY = [sys.executable, "-m", "celery", "--quiet", "--app", "config"]


class StartError(Exception):
    """A part of the example did not start; the message says what to do."""


class Site:
    """Use as ``with Site(var, web_port, sandbox_port) as site: …``: it ends all processes.

    ``overrides``: keys of VOICEPASSWORD; ``environment``: more variables for the processes;
    ``pool``: the worker pool of Celery, ``prefork`` or ``threads``.
    """

    def __init__(
        self,
        var: Path,
        web_port: int,
        sandbox_port: int,
        overrides: dict[str, Any] | None = None,
        log: Any = sys.stdout,
        environment: dict[str, str] | None = None,
        pool: str = "prefork",
    ) -> None:
        self.var = var
        self._worker_is_ready = var / "worker.ready"
        self.web_url = f"http://127.0.0.1:{web_port}"
        self.sandbox_url = f"http://127.0.0.1:{sandbox_port}"
        self._log_file = log
        self._ports = {"sandbox": sandbox_port, "web": web_port}
        keys = {
            "API_URL": f"{self.sandbox_url}/api/voice-password/",
            "CALLBACK_BASE_URL": self.web_url,
            **(overrides or {}),
            **json.loads(os.environ.get("VOICEPASSWORD", "{}")),
        }
        self.environment = {
            **os.environ,
            "PYTHONUNBUFFERED": "1",
            "DJANGO_SETTINGS_MODULE": "config.settings",
            "VAR_DIR": str(var),
            "VOICEPASSWORD": json.dumps(keys),
            **(environment or {}),
        }
        worker = [
            "worker",
            "--loglevel=INFO",
            "--concurrency=2",
            "--without-mingle",
            "--without-gossip",
        ]
        # Two sites may share a RabbitMQ, which refuses a second worker of the same name.
        worker += [f"--hostname=worker-{web_port}@%h", f"--pool={pool}"]
        self._commands = {
            "sandbox": [
                sys.executable,
                "-m",
                "django_voicepassword.sandbox",
                f"--port={sandbox_port}",
            ],
            "web": [sys.executable, "manage.py", "runserver", "--noreload", str(web_port)],
            "worker": [*_CELERY, *worker],
            "beat": [*_CELERY, "beat", "--loglevel=WARNING", f"--pidfile={var / 'beat.pid'}"],
        }
        self._processes: dict[str, subprocess.Popen[str]] = {}
        self._logs: list[threading.Thread] = []

    def __enter__(self) -> Self:
        self.var.mkdir(parents=True, exist_ok=True)
        # A demo that was killed left it behind.
        (self.var / "beat.pid").unlink(missing_ok=True)
        self._check_ports()
        (self.var / "ports.json").write_text(json.dumps(self._ports))
        self.manage("migrate", "--verbosity=0")
        try:
            for name in self._commands:
                self.start(name)
            self._wait()
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._end()

    def manage(self, *arguments: str, **environment: str) -> str:
        """Run a management command; what it printed. Raises StartError where it fails."""
        done = subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=HERE,
            env={**self.environment, **environment},
            capture_output=True,
            text=True,
        )
        if done.returncode:
            raise StartError(f"manage.py {arguments[0]} failed:\n{done.stderr.strip()}")
        return done.stdout

    def people(self) -> dict[str, str]:
        """Make the users of the admin if necessary; return user name -> stored password.

        The sandbox gets its calls and its balance of the last start back.
        """
        passwords: dict[str, str] = json.loads(self.manage("demo_start"))
        return passwords

    def ended(self) -> str | None:
        """Return the name of a process that has ended."""
        return next(
            (name for name, process in self._processes.items() if process.poll() is not None), None
        )

    def kill(self, name: str) -> None:
        """Kill a process with its children, as a crash would."""
        process = self._processes.pop(name)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(END_PATIENCE)

    def start(self, name: str) -> None:
        """Start one process: ``sandbox``, ``web``, ``worker`` or ``beat``."""
        if name == "worker":
            self._worker_is_ready.unlink(missing_ok=True)
        self._processes[name] = self._start(self._commands[name], name)

    def _start(self, command: list[str], name: str) -> subprocess.Popen[str]:
        # In a process group of its own: Ctrl-C reaches this process only, which then ends each
        # process with its children.
        process = subprocess.Popen(
            command,
            cwd=HERE,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,
        )
        self._read_log(name, process.stdout)
        return process

    def _read_log(self, name: str, output: IO[str] | None) -> None:
        thread = threading.Thread(target=self._log, args=(name, output), daemon=True)
        thread.start()
        self._logs.append(thread)

    def _log(self, name: str, output: IO[str]) -> None:
        with output:
            for line in output:
                text = _TIME.sub("", line.rstrip())
                if (
                    text.strip()
                    and not text.startswith(_BANNERS)
                    and not text.startswith(time.strftime("%B "))
                    and not _EVERY_TIME.match(text)
                ):
                    self._log_file.write(f"{time.strftime('%H:%M:%S')} {name:>7} | {text}\n")
                    self._log_file.flush()

    def _check_ports(self) -> None:
        taken = {
            f"{name.upper()}_PORT=…": f"port {port}"
            for name, port in self._ports.items()
            if not is_free(port)
        }
        if taken:
            raise StartError(
                f"taken, by another demo or another program: {' and '.join(taken.values())}. End"
                f" that program, or choose another port: {' '.join(taken)} make demo"
            )

    def _wait(self) -> None:
        """Wait until sandbox and web answer and the worker takes tasks."""
        deadline = time.monotonic() + START_PATIENCE

        def until(ready: Callable[[], bool], what: str) -> None:
            while not ready():
                ended = self.ended()
                if ended:
                    raise StartError(f"{ended} did not start: see its lines above")
                if time.monotonic() > deadline:
                    raise StartError(f"{what}: see its lines above")
                time.sleep(0.1)

        for name, port in self._ports.items():
            until(lambda port=port: not is_free(port), f"{name} does not answer on port {port}")  # type: ignore[misc]
        if "worker" in self._commands:
            until(self._worker_is_ready.exists, "worker takes no tasks")

    def _end(self) -> None:
        # SIGTERM first, because a worker ends its own children. Then whatever is left of the
        # process groups is killed.
        processes = list(self._processes.values())
        for process in processes:
            process.terminate()
        deadline = time.monotonic() + END_PATIENCE
        for process in processes:
            try:
                process.wait(max(deadline - time.monotonic(), 0.1))
            except subprocess.TimeoutExpired:
                pass
        for process in processes:
            try:
                os.killpg(process.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
            process.wait(END_PATIENCE)
        self._processes.clear()
        for thread in self._logs:
            thread.join(END_PATIENCE)


def is_free(port: int) -> bool:
    """Return whether no process listens on a port."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def free_port() -> int:
    """Return a port that no process listens on.

    Systems take the ports of outgoing connections from higher ones, so no connection takes it
    before a server does. Neither does another server: processes that were started one after the
    other take their ports from different ranges, and a process does not name a port again soon.
    """
    first = 20_000 + os.getpid() % 60 * 200
    while True:
        port = first + secrets.randbelow(200)
        if port in _NAMED:
            continue
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            _NAMED.append(port)
            return port
