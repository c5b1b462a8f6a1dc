"""A site whose parts a test can break: web, sandbox and workers as processes."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from types import TracebackType
from typing import Any, cast

import redis
import requests
from celery import Celery
from kombu.connection import Connection
from processes import HERE, free_port

from tests import python_programs
from tests.faults.site_database import SiteDatabase
from tests.forked_site import ForkedSite
from tests.sandbox_process import SandboxProcess
from tests.waiting import until

ROOT = Path(__file__).parents[2]
#: Seconds that a request may take while a server is down.
PATIENCE = 60


class FaultySite(ForkedSite):
    """The example project as processes, with a Redis and a database of its own.

    Use as ``with FaultySite(var, broker, database, blocker) as site: site.start_worker();
    site.start_verification("79990000001")``. Beat does not run: nothing is repaired until a test
    calls ``settle``. ``blocker``: the fixture ``django_db_blocker``.
    """

    def __init__(self, var: Path, broker: str, database: str, blocker: Any, **keys: Any) -> None:
        # Outside ``var``: its disk may be full.
        self._log_path = var.with_name(f"{var.name}.log")
        self._log_start = 0
        self.broker = broker
        self.database = SiteDatabase(database, blocker)
        # Without callbacks a call stays in the state in which its worker left it.
        defaults = {
            "RESEND_AFTER": 0,
            "TIMEOUT": [2, 30],
            "LIMITS": {"ip": []},
            "CALLBACK_BASE_URL": None,
        }
        paths = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]).rstrip(os.pathsep)
        environment = {
            "CELERY_BROKER_URL": broker,
            "DATABASE_URL": database,
            "DJANGO_SETTINGS_MODULE": "tests.faults.settings",
            "PYTHONPATH": paths,
        }
        log = self._log_path.open("a")
        super().__init__(
            var, free_port(), free_port(), {**defaults, **keys}, log=log, environment=environment
        )
        # Tests start workers themselves, and the tasks that beat would start.
        self._worker_command = [*self._commands.pop("worker"), "--queues=celery"]
        del self._commands["beat"]
        self.sandbox = SandboxProcess.at(self.sandbox_url)
        self._numbers = itertools.count(79991000000)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        super().__exit__(kind, error, trace)
        self._log_file.close()
        self.database.close()

    def _start(self, command: list[str], name: str) -> subprocess.Popen[str]:
        """Start a process as ``Site`` does, but forked: the tests start some fifty."""
        if "LD_PRELOAD" in self.environment or python_programs.is_measured(self.environment):
            return super()._start(command, name)
        assert command[0] == sys.executable
        program = python_programs.Program(command[1:], HERE, self.environment)
        self._read_log(name, program.stdout)
        return cast("subprocess.Popen[str]", program)

    def new_number(self) -> str:
        """Return an unused number that is no magic number of the sandbox."""
        return str(next(self._numbers))

    def start_worker(
        self, name: str = "worker", pool: str = "threads", broker: str = "", **keys: Any
    ) -> None:
        """Start a worker; ``keys`` of VOICEPASSWORD apply to it alone."""
        settings = json.dumps({**json.loads(self.environment["VOICEPASSWORD"]), **keys})
        self._commands[name] = [*self._worker_command, f"--pool={pool}", f"--hostname={name}@%h"]
        self.restart(name, VOICEPASSWORD=settings, CELERY_BROKER_URL=broker or self.broker)

    def restart(self, name: str, **environment: str) -> None:
        """Kill a process if it runs, and start it with these environment variables."""
        if name in self._processes:
            self.kill(name)
        with self._with_environment(environment):
            self.start(name)
            if name in self._ports:
                self._wait()

    @contextmanager
    def _with_environment(self, environment: dict[str, str]) -> Iterator[None]:
        """Add variables to the environment of the processes that start meanwhile."""
        before = self.environment
        self.environment = {**before, **environment}
        try:
            yield
        finally:
            self.environment = before

    def workers(self) -> list[str]:
        """Return the names of the running workers."""
        return [name for name in self._processes if name not in ("web", "sandbox")]

    def kill_worker(self, name: str) -> None:
        """Kill a worker, and wait until its unacknowledged messages may be delivered again.

        Kombu puts them back into the queue when the next worker starts.
        """
        self.kill(name)
        with redis.Redis.from_url(self.broker) as client:
            until(
                lambda: not client.zcount("unacked_index", time.time() - 1.2, "+inf"),
                what="the visibility timeout of its messages",
            )

    def reset(self) -> None:
        """Kill the workers and empty the queue."""
        self.sandbox.release()
        for name in self.workers():
            self.kill(name)
        self._log_start = self._log_path.stat().st_size
        with redis.Redis.from_url(self.broker) as client:
            client.flushdb()

    def process_id(self, name: str) -> int:
        return self._processes[name].pid

    def log(self) -> str:
        """Return what the processes have logged since the test began."""
        with self._log_path.open() as log:
            log.seek(self._log_start)
            return log.read()

    def failed_writes(self) -> int:
        """Return how often a worker failed to write a result, whether or not it retries."""
        return self.log().count("the database went away, writing again") + self.log().count(
            "Retry in"
        )

    def post(self, path: str, **body: str) -> requests.Response:
        """Send a request to the API."""
        return requests.post(
            f"{self.web_url}/api/{path}",
            json=body,
            headers={"Accept-Language": "en"},
            timeout=PATIENCE,
        )

    def start_verification(self, number: str) -> str:
        """Start a verification and return its id."""
        answer = self.post("verifications/", phone=number)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])

    def log_in(self, verification: str, code: str) -> requests.Response:
        return self.post("login/", verification=verification, code=code)

    def rings(self, *numbers: str) -> list[int]:
        """Return how often each number was rung."""
        return [len(self.sandbox.calls(number)) for number in numbers]

    def enqueue(self, task: str, *arguments: int, times: int = 1) -> None:
        """Send a task to the broker."""
        app = Celery("faults", broker=self.broker, set_as_current=False)
        with Connection(self.broker) as connection:
            for _ in range(times):
                app.send_task(
                    f"django_voicepassword.tasks.{task}",
                    arguments,
                    connection=connection,
                    queue="celery",
                )

    def messages(self) -> tuple[int, int]:
        """Return how many messages are in the queue, and how many are taken and unacknowledged."""
        with redis.Redis.from_url(self.broker) as client:
            return int(client.llen("celery")), int(client.hlen("unacked"))

    def settle(self, *numbers: str) -> None:
        """Let minutes pass and have a running worker find abandoned calls and lost tasks."""
        self.database.age(timedelta(minutes=3))
        self.enqueue("poll_calls")
        until(lambda: self.database.is_settled(*numbers), what="an end of every call")
