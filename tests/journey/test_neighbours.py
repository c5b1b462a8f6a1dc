"""Two sites on one machine that share a broker, each with a queue and a worker of its own."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from processes import Site, free_port

from tests.forked_site import ForkedSite
from tests.journey.conftest import RABBITMQ, SITES, delete_queue
from tests.sandbox_process import SandboxProcess

pytestmark = [pytest.mark.processes, pytest.mark.any_version, pytest.mark.long]


@pytest.fixture
def neighbour(tmp_path: Path) -> Iterator[Site]:
    """Another site, on the broker of the last one of ``SITES``."""
    queue = f"voicepassword_neighbour_{uuid.uuid4().hex[:8]}"
    environment = {"CELERY_TASK_DEFAULT_QUEUE": queue, "CELERY_BROKER_URL": RABBITMQ}
    try:
        with (
            (tmp_path / "log").open("w") as log,
            ForkedSite(
                tmp_path / queue, free_port(), free_port(), log=log, environment=environment
            ) as running,
        ):
            yield running
    finally:
        delete_queue(RABBITMQ, queue)


@pytest.mark.parametrize("site", [SITES[-1]], indirect=True)
def test_each_site_calls_its_own_numbers(site: Site, neighbour: Site) -> None:
    for number, calling in enumerate((site, neighbour)):
        phone = f"7999000010{number}"
        started = requests.post(
            f"{calling.web_url}/api/verifications/", json={"phone": phone}, timeout=30
        )
        assert started.status_code == 201
        assert SandboxProcess.at(calling.sandbox_url).wait_for_call(phone)["code"]
