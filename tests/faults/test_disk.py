"""A disk that is full under SQLite: everybody is told, nobody is rung, and it goes on when there is
room again.
"""

from __future__ import annotations

import resource
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.faults.browser import Browser
from tests.faults.servers import Redis
from tests.faults.stage import Stage
from tests.faults.until import until

pytestmark = pytest.mark.program("redis-server")

#: What the pages say.
SORRY = "Calls are not available right now. Try again in a minute."


class Limit:
    """No process of the site may write a file any further than its first byte: what any user may
    ask the kernel for.
    """

    def __init__(self, stage: Stage) -> None:
        self._stage = stage

    def fill(self) -> None:
        self._set(1)

    def free(self) -> None:
        self._set(resource.RLIM_INFINITY)

    def _set(self, size: int) -> None:
        for name in ("web", "worker"):
            resource.prlimit(
                self._stage.process(name), resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY)
            )


class Filler:
    """A file takes what is left of a small disk."""

    def __init__(self, stage: Stage) -> None:
        self._path = stage.var / "filler"

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
    """A disk of some megabytes in memory. It takes the rights of root: the limit of the other case
    does not.
    """
    mount = ["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(tmp_path)]
    try:
        subprocess.run(mount, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("a disk cannot be mounted here")
    yield tmp_path
    subprocess.run(["umount", "--lazy", str(tmp_path)], check=True)


@pytest.fixture(params=["limit", "disk"])
def full(
    request: pytest.FixtureRequest, broker: Redis, django_db_blocker: Any
) -> Iterator[tuple[Stage, Limit | Filler]]:
    if request.param == "limit":
        if not hasattr(resource, "prlimit"):
            pytest.skip("this system sets no limits to other processes")
        stage = request.getfixturevalue("stage")
        yield stage, Limit(stage)
        return
    var = request.getfixturevalue("small_disk")
    with Stage(var, broker.url(2), f"sqlite:///{var / 'db.sqlite3'}", django_db_blocker) as stage:
        yield stage, Filler(stage)


def is_refused(answer: requests.Response) -> bool:
    return answer.status_code == 503 and answer.json()["code"] == "unavailable"


def is_sorry(answer: requests.Response) -> bool:
    return answer.status_code == 503 and SORRY in answer.text


def ring(stage: Stage, number: str) -> str:
    """Its code, once it rang."""
    return str(stage.sandbox.wait_for_call(number, timeout=40)["code"])


def test_a_full_disk(full: tuple[Stage, Limit | Filler]) -> None:
    stage, disk = full
    stage.work(CALLBACK_BASE_URL=stage.web_url)
    by_program, by_person, asked, late, lost = (stage.number() for _ in range(5))
    with Browser(stage.web_url) as person, Browser(stage.web_url) as stranger:
        key = stage.begin(by_program)
        person.open("/auth/login/")
        assert person.send("/auth/login/", phone=by_person).url.endswith("/auth/login/code/")
        stranger.open("/auth/login/")
        code, typed = ring(stage, by_program), ring(stage, by_person)
        until(lambda: stage.books.is_settled(by_program, by_person), what="the rows")
        stage.sandbox.hold()
        stage.begin(asked)
        ring(stage, asked)

        disk.fill()
        try:
            assert is_refused(stage.ask("verifications/", phone=late))
            assert is_refused(stage.ask(f"verifications/{key}/resend/"))
            assert is_refused(stage.log_in(key, code))
            assert is_sorry(stranger.send("/auth/login/", phone=lost))
            assert is_sorry(person.send("/auth/login/code/", code=typed))
            (call,) = stage.sandbox.calls(by_program)
            report = requests.post(
                call["callback_url"], json={"id": call["id"], "state": "BUSY"}, timeout=60
            )
            assert (report.status_code, report.json()["code"]) == (503, "unavailable")
            # What only reads works.
            assert person.open("/auth/login/code/").status_code == 200
            stage.sandbox.release()
            until(stage.failed_writes, what="a try to write")
        finally:
            disk.free()

        # The worker writes what it was told while there was no room; the provider reports again
        # what was not taken.
        until(
            lambda: {"send", "callback"} == {one.source for one in stage.books.statuses(asked)},
            what="the rows",
        )
        assert stage.books.states(asked) == ["no_answer"]
        assert stage.log_in(key, code).status_code == 200
        assert person.send("/auth/login/code/", code=typed).url == f"{stage.web_url}/"
        assert stage.rings(by_program, by_person, asked, late, lost) == [1, 1, 1, 0, 0]
        stage.begin(late)
        assert stranger.send("/auth/login/", phone=lost).url.endswith("/auth/login/code/")
        until(lambda: stage.rings(late, lost) == [1, 1], what="a ring of both")
