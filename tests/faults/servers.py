"""Servers that a test may kill, each in a temporary folder and on a free port.

A server that is started again finds its data.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
from abc import ABC, abstractmethod
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import redis
from processes import free_port, is_free

from tests.conftest import find_program
from tests.waiting import until

if TYPE_CHECKING:
    from typing_extensions import Self

#: Seconds that a server may take to start on a busy machine.
PATIENCE = 60


def program(name: str) -> str:
    path = find_program(name)
    assert path is not None
    return path


class Server(ABC):
    """Use as ``with Redis() as server: server.kill(); server.start()``.

    ``kill`` is no shutdown: the server writes nothing any more.
    """

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="voicepassword-"))
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.end()
            raise
        return self

    def __exit__(self, *exception: object) -> None:
        self.end()

    @abstractmethod
    def command(self) -> list[str]: ...

    def environment(self) -> dict[str, str]:
        return dict(os.environ)

    def start(self) -> None:
        with (self.folder / "log").open("a") as log:
            # In a process group of its own, so that its children are killed with it.
            self._process = subprocess.Popen(
                self.command(),
                env=self.environment(),
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        until(lambda: not is_free(self.port) or self._has_ended(), PATIENCE)
        assert not self._has_ended(), (self.folder / "log").read_text()

    def kill(self) -> None:
        if self._process is not None:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait(PATIENCE)
            self._process = None
            until(lambda: is_free(self.port), PATIENCE)

    def end(self) -> None:
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _has_ended(self) -> bool:
        return self._process is None or self._process.poll() is not None


class Redis(Server):
    """A Redis that writes each command to the disk before it answers."""

    def command(self) -> list[str]:
        persistence = ["--appendonly", "yes", "--appendfsync", "always", "--save", ""]
        return [
            program("redis-server"),
            "--bind",
            "127.0.0.1",
            "--port",
            str(self.port),
            "--dir",
            str(self.folder),
            *persistence,
        ]

    def url(self, number: int = 0) -> str:
        return f"redis://127.0.0.1:{self.port}/{number}"

    def start(self) -> None:
        super().start()
        with redis.Redis(port=self.port) as client:
            until(lambda: client.info("persistence")["loading"] == 0, PATIENCE)

    def delete_data(self) -> None:
        """Delete the files of a killed server."""
        shutil.rmtree(self.folder / "appendonlydir", ignore_errors=True)
        (self.folder / "appendonly.aof").unlink(missing_ok=True)


class RabbitMQ(Server):
    """A node with its own name, home and port mapper (epmd)."""

    def __init__(self) -> None:
        super().__init__()
        self._epmd_port, self._distribution_port = free_port(), free_port()
        self._epmd: subprocess.Popen[bytes] | None = None

    def command(self) -> list[str]:
        return [program("rabbitmq-server")]

    @property
    def url(self) -> str:
        return f"amqp://guest:guest@127.0.0.1:{self.port}//"

    def environment(self) -> dict[str, str]:
        folder = str(self.folder)
        return {
            "PATH": os.environ["PATH"],
            "HOME": folder,
            "LANG": "C.UTF-8",
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "ERL_EPMD_PORT": str(self._epmd_port),
            "RABBITMQ_NODENAME": f"voicepassword{self.port}@localhost",
            "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODE_PORT": str(self.port),
            "RABBITMQ_DIST_PORT": str(self._distribution_port),
            "RABBITMQ_MNESIA_BASE": f"{folder}/mnesia",
            "RABBITMQ_LOG_BASE": folder,
            "RABBITMQ_LOGS": "-",
            "RABBITMQ_PID_FILE": f"{folder}/pid",
            "RABBITMQ_CONF_ENV_FILE": os.devnull,
            "RABBITMQ_CONFIG_FILE": f"{folder}/none",
            "RABBITMQ_ENABLED_PLUGINS_FILE": f"{folder}/plugins",
            # One scheduler: the node must start soon, it need not be fast.
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "+S 1:1",
        }

    def start(self) -> None:
        if self._epmd is None:
            # Started here, because one that the node starts would stay behind.
            command = [program("epmd"), "-address", "127.0.0.1", "-port", str(self._epmd_port)]
            self._epmd = subprocess.Popen(command, env=self.environment())
            until(lambda: not is_free(self._epmd_port), PATIENCE)
        super().start()

    def end(self) -> None:
        super().end()
        if self._epmd is not None:
            self._epmd.kill()
            self._epmd.wait(PATIENCE)


class PostgreSQL(Server):
    """A cluster. The server refuses to run as root: then it runs as the user ``postgres``."""

    USER: ClassVar[str] = "postgres"

    def command(self) -> list[str]:
        where = ["-c", "listen_addresses=127.0.0.1", "-p", str(self.port), "-k", str(self.folder)]
        # No fsync: commits must survive the death of the processes, not of the machine.
        return self._as_user("postgres", "-D", str(self.folder / "data"), "-c", "fsync=off", *where)

    @property
    def url(self) -> str:
        return f"postgres://{self.USER}@127.0.0.1:{self.port}/postgres"

    def start(self) -> None:
        if not (self.folder / "data").exists():
            if os.geteuid() == 0:
                shutil.chown(self.folder, self.USER)
            options = [
                "--auth=trust",
                f"--username={self.USER}",
                "--no-sync",
                "--encoding=UTF8",
                "--locale=C",
            ]
            initdb = self._as_user("initdb", "-D", str(self.folder / "data"), *options)
            subprocess.run(
                initdb, check=True, capture_output=True, cwd=self.folder, timeout=PATIENCE
            )
        super().start()
        ready = [program("pg_isready"), "--quiet", "--host=127.0.0.1", f"--port={self.port}"]
        until(lambda: subprocess.run(ready, check=False).returncode == 0, PATIENCE)

    def kill(self) -> None:
        """Stop as ``pg_ctl -m immediate`` does: every connection is cut, nothing is flushed."""
        if self._process is not None:
            stop = self._as_user(
                "pg_ctl", "-D", str(self.folder / "data"), "-m", "immediate", "-w", "stop"
            )
            subprocess.run(
                stop, check=False, capture_output=True, cwd=self.folder, timeout=PATIENCE
            )
        super().kill()

    def _as_user(self, name: str, *arguments: str) -> list[str]:
        command = [program(name), *arguments]
        return (
            [program("runuser"), "-u", self.USER, "--", *command] if os.geteuid() == 0 else command
        )
