"""A site whose parts fail: web, sandbox and workers as processes, a Redis and a database of its
own.
"""

from __future__ import annotations

import itertools
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from types import TracebackType
from typing import Any

import redis
import requests
from celery import Celery
from kombu import Connection
from processes import Site, free_port

from tests.faults.books import Books
from tests.faults.until import until
from tests.sandbox_process import SandboxProcess

ROOT = Path(__file__).parents[2]
#: Seconds that a page may take while something is down.
PATIENCE = 60


class Stage(Site):
    """``with Stage(var, broker, database, blocker) as stage: stage.work();
    stage.begin("79990000001")``.

    No beat runs, so nothing is mended unless a test says so (``settle``).
    """

    def __init__(self, var: Path, broker: str, database: str, blocker: Any, **keys: Any) -> None:
        # Beside it: the disk of the site may be full.
        self._log_path = var.with_name(f"{var.name}.log")
        self._log_begin = 0
        self.broker = broker
        self.books = Books(database, blocker)
        # Without callbacks a call is in the state that its worker left it in.
        usual = {
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
            var, free_port(), free_port(), {**usual, **keys}, log=log, environment=environment
        )
        # Workers come and go, and what beat would start is started by the test.
        self._worker = [*self._commands.pop("worker"), "--queues=celery"]
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
        self.books.close()

    def number(self) -> str:
        """A number that nobody was called at yet; nothing odd happens there."""
        return str(next(self._numbers))

    def work(
        self, name: str = "worker", pool: str = "threads", broker: str = "", **keys: Any
    ) -> None:
        """Start a worker; ``keys`` of VOICEPASSWORD are for it alone."""
        given = {**json.loads(self.environment["VOICEPASSWORD"]), **keys}
        self._commands[name] = [*self._worker, f"--pool={pool}", f"--hostname={name}@%h"]
        self.restart(name, VOICEPASSWORD=json.dumps(given), CELERY_BROKER_URL=broker or self.broker)

    def restart(self, name: str, **environment: str) -> None:
        """Kill a process where it runs, and start it with this environment."""
        if name in self._processes:
            self.kill(name)
        with self._given(environment):
            self.start(name)
            if name in self._ports:
                self._wait()

    @contextmanager
    def _given(self, environment: dict[str, str]) -> Iterator[None]:
        """What starts meanwhile has this in its environment too."""
        usual = self.environment
        self.environment = {**usual, **environment}
        try:
            yield
        finally:
            self.environment = usual

    def workers(self) -> list[str]:
        """The names of the workers that run."""
        return [name for name in self._processes if name not in ("web", "sandbox")]

    def lose(self, name: str) -> None:
        """Kill a worker, and wait until Redis would hand out again what it did not acknowledge: it
        looks when one starts.
        """
        self.kill(name)
        with redis.Redis.from_url(self.broker) as client:
            until(
                lambda: not client.zcount("unacked_index", time.time() - 1.2, "+inf"),
                what="giving up its messages",
            )

    def forget(self) -> None:
        """End the workers, and whatever waits for them."""
        self.sandbox.release()
        for name in self.workers():
            self.kill(name)
        self._log_begin = self._log_path.stat().st_size
        with redis.Redis.from_url(self.broker) as client:
            client.flushdb()

    def process(self, name: str) -> int:
        """The id of a process."""
        return self._processes[name].pid

    def log(self) -> str:
        """What was written since the test began."""
        with self._log_path.open() as log:
            log.seek(self._log_begin)
            return log.read()

    def failed_writes(self) -> int:
        """How often workers could not write what they know, whether or not they try again."""
        return self.log().count("the database went away, writing again") + self.log().count(
            "Retry in"
        )

    def ask(self, path: str, **body: str) -> requests.Response:
        return requests.post(
            f"{self.web_url}/api/{path}",
            json=body,
            headers={"Accept-Language": "en"},
            timeout=PATIENCE,
        )

    def begin(self, number: str) -> str:
        """Start a verification; its id."""
        answer = self.ask("verifications/", phone=number)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])

    def log_in(self, verification: str, code: str) -> requests.Response:
        return self.ask("login/", verification=verification, code=code)

    def rings(self, *numbers: str) -> list[int]:
        """How often each number was rung."""
        return [len(self.sandbox.calls(number)) for number in numbers]

    def hand_in(self, task: str, *arguments: int, times: int = 1) -> None:
        """Hand a task to the broker."""
        app = Celery("faults", broker=self.broker, set_as_current=False)
        with Connection(self.broker) as connection:
            for _ in range(times):
                app.send_task(
                    f"django_voicepassword.tasks.{task}",
                    arguments,
                    connection=connection,
                    queue="celery",
                )

    def waiting(self) -> tuple[int, int]:
        """Messages in the queue of Redis, and with workers that have not acknowledged them."""
        with redis.Redis.from_url(self.broker) as client:
            return int(client.llen("celery")), int(client.hlen("unacked"))

    def settle(self, *numbers: str) -> None:
        """Minutes pass and beat comes by: what was abandoned or lost is noticed, by a worker that
        runs.
        """
        self.books.age(timedelta(minutes=3))
        self.hand_in("poll_calls")
        until(lambda: self.books.is_settled(*numbers), what="an end of every call")
