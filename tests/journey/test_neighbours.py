"""Two sites on one machine that share a broker, each with a queue and a worker of its own."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import requests
from processes import Site, free_port

from tests.journey.conftest import RABBITMQ, delete_queue
from tests.sandbox_process import SandboxProcess

pytestmark = pytest.mark.processes


@pytest.fixture
def queues() -> Iterator[list[str]]:
    names = [f"voicepassword_neighbour_{uuid.uuid4().hex[:8]}" for _ in range(2)]
    yield names
    for name in names:
        delete_queue(RABBITMQ, name)


@pytest.mark.service("rabbitmq")
def test_each_site_calls_its_own_numbers(queues: list[str], tmp_path: Path) -> None:
    with (tmp_path / "log").open("w") as log, ExitStack() as stack:
        sites = [
            stack.enter_context(
                Site(
                    tmp_path / queue,
                    free_port(),
                    free_port(),
                    log=log,
                    environment={"CELERY_TASK_DEFAULT_QUEUE": queue, "CELERY_BROKER_URL": RABBITMQ},
                )
            )
            for queue in queues
        ]
        for number, site in enumerate(sites):
            phone = f"7999000010{number}"
            started = requests.post(
                f"{site.web_url}/api/verifications/", json={"phone": phone}, timeout=20
            )
            assert started.status_code == 201
            assert SandboxProcess.at(site.sandbox_url).wait_for_call(phone)["code"]
