"""The site that ``benchmarks.hosts`` runs: shared servers on the hub, and processes on hosts."""

from __future__ import annotations

import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from processes import free_port

from benchmarks.hosts_network import HUB_ADDRESS, Network
from benchmarks.logins_deployment import ALLOWED, ROOT, Database
from tests.faults.servers import RabbitMQ, Server, program
from tests.waiting import until

if TYPE_CHECKING:
    from typing_extensions import Self

WEB, WORKERS = ["web1", "web2"], ["work1", "work2"]
HOSTS = [*WEB, *WORKERS]
#: What the imitated provider takes for a flash call.
PRICE = Decimal("0.35")
_PORT = 8000
#: Seconds that the processes may take to start, and to end.
_PATIENCE, _END_PATIENCE = 90, 10
_PGBOUNCER = """
[databases]
* = host=127.0.0.1 port={database} user=postgres
[pgbouncer]
listen_addr = *
listen_port = {port}
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = 20
max_client_conn = 500
; The transaction of a host that is gone keeps its row locks until it is ended.
idle_transaction_timeout = 10
"""


class PgBouncer(Server):
    """Gives each transaction a connection of its pool, for as long as the transaction lasts."""

    def __init__(self, database: Database) -> None:
        super().__init__()
        file = self.folder / "pgbouncer.ini"
        file.write_text(_PGBOUNCER.format(database=database.port, port=self.port))
        # It refuses to run as root, and must read its file.
        self.folder.chmod(0o755)

    @property
    def url(self) -> str:
        return f"postgres://postgres@{HUB_ADDRESS}:{self.port}/postgres"

    def command(self) -> list[str]:
        return [program("pgbouncer"), "-q", "-u", "nobody", str(self.folder / "pgbouncer.ini")]


class HubRabbitMQ(RabbitMQ):
    """A node that the hosts reach."""

    @property
    def url(self) -> str:
        return super().url.replace("127.0.0.1", HUB_ADDRESS)

    def environment(self) -> dict[str, str]:
        # The user "guest" may otherwise come from the node's own machine only.
        words = "+S 1:1 -rabbit loopback_users []"
        return {
            **super().environment(),
            "RABBITMQ_NODE_IP_ADDRESS": "0.0.0.0",
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": words,
        }


class Hosts:
    """The processes on hosts, and the provider on the hub. Each has a file of its own for its log.

    ``limit_site`` is the number of open sends that ``site`` allows in an hour.
    """

    def __init__(
        self,
        network: Network,
        folder: Path,
        database_url: str,
        broker_url: str,
        options: Any,
        limit_site: int,
        budget: int,
    ) -> None:
        self._network, self._folder, self._options = network, folder, options
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self.pipe = folder / "rings"
        self.provider_port = free_port()
        self.provider_url = f"http://{HUB_ADDRESS}:{self.provider_port}"
        self.web = [(network.address(host), _PORT) for host in WEB]
        self._keys = {
            "API_URL": f"{self.provider_url}/api/voice-password/",
            "LIMITS": {**ALLOWED, "site": [f"{limit_site}/h"]},
            "DAILY_BUDGET": budget,
            "PROVEN_SHARE": 0.01,
            "TRUSTED_PROXIES": 1,
            # It watches, and does not trip: here the limits refuse.
            "FRAUD_FLOOR": 1_000_000,
        }
        self._environment = {
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "benchmarks.hosts_settings",
            "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "example_project")]),
            "PYTHONUNBUFFERED": "1",
            "SECRET_KEY": secrets.token_hex(),
            "ALLOWED_HOSTS": "*",
            "DATABASE_URL": database_url,
            "CELERY_BROKER_URL": broker_url,
            "DEBUG": "0",
        }

    def __enter__(self) -> Self:
        try:
            os.mkfifo(self.pipe)
            self.manage("migrate", "--verbosity=0")
            self._start_all()
            self._wait()
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(self, *exception: object) -> None:
        self._end()

    def manage(self, *arguments: str) -> str:
        """Run a management command on the hub; what it printed."""
        done = subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=ROOT / "example_project",
            env=self._environment_of("hub", WEB[0]),
            capture_output=True,
            text=True,
            timeout=300,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def processes(self) -> dict[str, list[int]]:
        """Map each part to the processes that were started for it."""
        return {name: [process.pid] for name, process in self._processes.items()}

    def log_of(self, name: str) -> str:
        return self._log(name).read_text(errors="replace")

    def ended(self) -> list[str]:
        """The names of processes that have ended, which none should."""
        return [name for name, process in self._processes.items() if process.poll() is not None]

    def _start_all(self) -> None:
        provider = ["-m", "benchmarks.logins_provider", str(self.provider_port), str(self.pipe)]
        self._start("provider", None, [*provider, str(self._options.latency), HUB_ADDRESS])
        for host, (address, port) in zip(WEB, self.web, strict=True):
            words = ["-m", "gunicorn", "config.wsgi", f"--bind={address}:{port}"]
            words += ["--worker-class=gthread", "--workers=1", "--threads=8"]
            self._start(host, host, [*words, "--log-level=warning"])
        celery = ["-m", "celery", "--quiet", "--app=config"]
        for host in WORKERS:
            worker = [*celery, "worker", "--loglevel=WARNING"]
            calls = ["--queues=calls", "--pool=threads", "--concurrency=8"]
            self._start(host, host, [*worker, *calls, f"--hostname=calls@{host}"])
            rest = ["--queues=celery", "--concurrency=1", f"--hostname=rest@{host}"]
            self._start(f"{host}-rest", host, [*worker, *rest])
        beat = ["beat", "--loglevel=WARNING", f"--schedule={self._folder / 'beat'}", "--pidfile="]
        self._start("beat", WORKERS[0], [*celery, *beat])

    def _start(self, name: str, host: str | None, words: list[str]) -> None:
        """Start Python on a host, or on the hub."""
        command = [sys.executable, *words]
        # A worker's calls are reported to the web host of the same number.
        web = WEB[WORKERS.index(host)] if host in WORKERS else WEB[0]
        with self._log(name).open("wb") as log:
            self._processes[name] = subprocess.Popen(
                self._network.inside(host, *command) if host else command,
                cwd=ROOT / "example_project",
                env=self._environment_of(name, web),
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def _environment_of(self, name: str, web: str) -> dict[str, str]:
        base = f"http://{self._network.address(web)}:{_PORT}"
        return {
            **self._environment,
            "VAR_DIR": str(self._folder / name),
            "VOICEPASSWORD": json.dumps({**self._keys, "CALLBACK_BASE_URL": base}),
        }

    def _log(self, name: str) -> Path:
        return self._folder / f"{name}.log"

    def _wait(self) -> None:
        """Wait until every web host and the provider answer, and every worker takes tasks."""
        workers = [
            self._folder / name / "worker.ready" for name in self._processes if "work" in name
        ]
        servers = [*self.web, (HUB_ADDRESS, self.provider_port)]

        def is_ready() -> bool:
            ended = self.ended()
            assert not ended, f"{ended[0]} did not start:\n{self.log_of(ended[0])}"
            return all(path.exists() for path in workers) and all(map(_answers, servers))

        until(is_ready, _PATIENCE, "the hosts")

    def _end(self) -> None:
        for process in self._processes.values():
            process.terminate()
        ends = time.monotonic() + _END_PATIENCE
        for process in self._processes.values():
            with suppress(subprocess.TimeoutExpired):
                process.wait(max(ends - time.monotonic(), 0.1))
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait(_END_PATIENCE)


def _answers(server: tuple[str, int]) -> bool:
    with socket.socket() as client:
        client.settimeout(1)
        return client.connect_ex(server) == 0
