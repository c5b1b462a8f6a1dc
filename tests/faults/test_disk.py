"""A full disk under SQLite: requests are refused, nobody is rung, and all works afterwards."""

from __future__ import annotations

import resource
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.faults.browser import Browser
from tests.faults.faulty_site import FaultySite
from tests.faults.servers import Redis
from tests.waiting import until

pytestmark = pytest.mark.program("redis-server")

UNAVAILABLE = "Calls are not available right now. Try again in a minute."


class SizeLimit:
    """A file size limit of one byte for the processes of the site. It needs no root rights."""

    def __init__(self, site: FaultySite) -> None:
        self._site = site

    def fill(self) -> None:
        self._set(1)

    def free(self) -> None:
        self._set(resource.RLIM_INFINITY)

    def _set(self, size: int) -> None:
        for name in ("web", "worker"):
            resource.prlimit(
                self._site.process_id(name), resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY)
            )


class Filler:
    """A file that takes the free space of a small disk."""

    def __init__(self, site: FaultySite) -> None:
        self._path = site.var / "filler"

    def fill(self) -> None:
        with self._path.open("wb", buffering=0) as file:
            try:
                while file.write(b"x" * 4096):
                    pass
            except OSError:
                pass

    def free(self) -> None:
        self._path.unlink(missing_ok=True)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A tmpfs of some megabytes. Only root may mount it; otherwise the test is skipped."""
    mount = ["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(tmp_path)]
    try:
        subprocess.run(mount, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("a disk cannot be mounted here")
    yield tmp_path
    subprocess.run(["umount", "--lazy", str(tmp_path)], check=True)


@pytest.fixture(params=["limit", "disk"])
def site_and_disk(
    request: pytest.FixtureRequest, broker: Redis, django_db_blocker: Any
) -> Iterator[tuple[FaultySite, SizeLimit | Filler]]:
    if request.param == "limit":
        if not hasattr(resource, "prlimit"):
            pytest.skip("this system sets no limits to other processes")
        site = request.getfixturevalue("site")
        yield site, SizeLimit(site)
        return
    var = request.getfixturevalue("small_disk")
    with FaultySite(
        var, broker.url(2), f"sqlite:///{var / 'db.sqlite3'}", django_db_blocker
    ) as site:
        yield site, Filler(site)


def is_refused_by_api(answer: requests.Response) -> bool:
    return answer.status_code == 503 and answer.json()["code"] == "unavailable"


def is_refused_by_page(answer: requests.Response) -> bool:
    return answer.status_code == 503 and UNAVAILABLE in answer.text


def wait_for_code(site: FaultySite, number: str) -> str:
    """Return the code of a number once it has rung."""
    return str(site.sandbox.wait_for_call(number, timeout=40)["code"])


def sources(site: FaultySite, number: str) -> set[str]:
    """Return where the reports about the newest call of a number came from."""
    return {status.source for status in site.database.statuses(number)}


def report_busy(site: FaultySite, number: str) -> requests.Response:
    """Send a callback about the only call of a number."""
    (call,) = site.sandbox.calls(number)
    body = {"id": call["id"], "state": "BUSY"}
    return requests.post(call["callback_url"], json=body, timeout=60)


def test_a_full_disk_refuses_requests_rings_nobody_and_loses_no_result(
    site_and_disk: tuple[FaultySite, SizeLimit | Filler],
) -> None:
    site, disk = site_and_disk
    site.start_worker(CALLBACK_BASE_URL=site.web_url)
    by_api, by_page, in_request, refused_by_api, refused_by_page = (
        site.new_number() for _ in range(5)
    )
    with Browser(site.web_url) as person, Browser(site.web_url) as newcomer:
        key = site.start_verification(by_api)
        person.open("/auth/login/")
        assert person.send("/auth/login/", phone=by_page).url.endswith("/auth/login/code/")
        newcomer.open("/auth/login/")
        code, code_of_person = wait_for_code(site, by_api), wait_for_code(site, by_page)
        until(lambda: site.database.is_settled(by_api, by_page), what="the rows")
        site.sandbox.hold()
        site.start_verification(in_request)
        wait_for_code(site, in_request)

        disk.fill()
        try:
            for answer in (
                site.post("verifications/", phone=refused_by_api),
                site.post(f"verifications/{key}/resend/"),
                site.log_in(key, code),
                report_busy(site, by_api),
            ):
                assert is_refused_by_api(answer)
            for page in (
                newcomer.send("/auth/login/", phone=refused_by_page),
                person.send("/auth/login/code/", code=code_of_person),
            ):
                assert is_refused_by_page(page)
            # A page that only reads works.
            assert person.open("/auth/login/code/").status_code == 200
            site.sandbox.release()
            until(site.failed_writes, what="a try to write")
        finally:
            disk.free()

        # The worker retries its write, and the provider sends the refused callback again.
        until(lambda: sources(site, in_request) == {"send", "callback"}, what="the rows")
        assert site.database.states(in_request) == ["no_answer"]
        assert site.log_in(key, code).status_code == 200
        entered = person.send("/auth/login/code/", code=code_of_person)
        assert entered.url == f"{site.web_url}/"
        assert site.rings(by_api, by_page, in_request) == [1, 1, 1]
        assert site.rings(refused_by_api, refused_by_page) == [0, 0]
        site.start_verification(refused_by_api)
        started = newcomer.send("/auth/login/", phone=refused_by_page)
        assert started.url.endswith("/auth/login/code/")
        until(lambda: site.rings(refused_by_api, refused_by_page) == [1, 1], what="both rings")
