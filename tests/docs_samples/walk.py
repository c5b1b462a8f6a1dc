"""Follows a page from top to bottom as a reader would: adds and checks files, runs commands.

The samples of a page share one project. Each sample has a test of its own, which reads its outcome.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from pathlib import Path

from processes import free_port

from tests.docs_samples import commands, kinds, script, services, surroundings
from tests.docs_samples.collect import Sample, samples
from tests.docs_samples.curl import Curl
from tests.docs_samples.project import Project
from tests.docs_samples.servers import Server
from tests.docs_samples.shell import Command, commands_of


class Walk:
    """Follows one page. ``outcomes``: line of a sample -> what it raised."""

    def __init__(self, page: str, folder: Path, bare: Path, usual: Path) -> None:
        self.page = page
        self.around = surroundings.of_page(page)
        self.app_port, self.web_port, self.sandbox_port = free_port(), free_port(), free_port()
        self.web = f"http://127.0.0.1:{self.web_port}"
        shutil.copytree(bare if self.around.is_bare else usual, folder)
        if self.around.is_new:
            (folder / "db.sqlite3").unlink()
        self.project = Project(folder, self._addresses(), self.around.local, self.around.instead)
        self.outcomes: dict[int, Exception] = {}
        #: Servers that commands started in the background.
        self.running: list[Server] = []
        #: Commands of services that were found valid.
        self.checked: set[str] = set()
        self._serving: Server | None = None
        self._served = -1
        self._demo: surroundings.Demo | None = None
        self._curl: Curl | None = None

    def go(self) -> Walk:
        """Follow the page, and stop every server that was started."""
        try:
            self._prepare()
            self._follow()
        finally:
            self._close()
        return self

    def serve(self) -> Server:
        """Return the development server, restarted if the project has changed."""
        if self._serving is None or self._served != self.project.version:
            self.stop_serving()
            command = [sys.executable, "manage.py", "runserver", "--noreload", str(self.web_port)]
            self._serving, self._served = (
                Server(self.project, command, self.web_port),
                self.project.version,
            )
        return self._serving

    def stop_serving(self) -> str:
        output = self._serving.stop() if self._serving is not None else ""
        self._serving = None
        return output

    def curl(self, command: Command) -> str:
        """Run curl against the demo if the page is about the demo, else against its project."""
        if self._curl is None:
            token = surroundings.make_staff(self.project) if self.around.has_staff else ""
            self._curl = Curl(self.project.folder, token)
        if self.around.is_demo and any("127.0.0.1:8000" in word for word in command.words):
            self._demo = self._demo or surroundings.Demo(self.project.folder / "demo")
            return self._curl.run(command, {"http://127.0.0.1:8000": self._demo.web}, self._demo)
        addresses = {**self._addresses(), "https://example.org": self.web}
        return self._curl.run(command, addresses, self.serve())

    def _prepare(self) -> None:
        if self.around.settings:
            self.project.put("mysite/settings.py", self.around.settings)
        if self.around.urls:
            self.project.put("mysite/urls.py", self.around.urls)
        if self.around.has_sandbox:
            self.running.append(surroundings.start_sandbox(self.project, self.sandbox_port))

    def _follow(self) -> None:
        files: list[Sample] = []
        for sample in samples(self.page):
            try:
                kind = kinds.kind_of(sample)
            except AssertionError:
                # test_a_sample_is_of_a_known_kind fails for it.
                continue
            if kind == "files":
                files.append(sample)
            elif kind in STEPS:
                self._add(files)
                files = []
                self._try(STEPS[kind], sample)
        self._add(files)

    def _add(self, files: list[Sample]) -> None:
        """Add files all at once, because each check takes a second; one by one after a failure."""
        try:
            _add_files(self.project, files)
        except Exception as error:
            if len(files) == 1:
                self.outcomes[files[0].line] = error
                return
            for sample in files:
                self._add([sample])

    def _try(self, step: Callable[[Walk, Sample], None], sample: Sample) -> None:
        try:
            step(self, sample)
        except Exception as error:
            self.outcomes[sample.line] = error

    def _close(self) -> None:
        self.stop_serving()
        for server in self.running:
            server.stop()
        if self._demo is not None:
            self._demo.stop()

    def _addresses(self) -> dict[str, str]:
        sandbox = str(self.sandbox_port)
        at_home = {
            "https://app.example.org": f"http://127.0.0.1:{self.app_port}",
            "https://example.org": self.web,
        }
        return {
            **(at_home if self.around.is_at_home else {}),
            "http://127.0.0.1:8000": self.web,
            "http://127.0.0.1:8001": f"http://127.0.0.1:{sandbox}",
        }


def _add_files(project: Project, files: list[Sample]) -> None:
    """Add files that pass the check. Others would break the following samples."""
    if not files:
        return
    attempt = project.copy()
    for sample in files:
        attempt.add(sample)
    attempt.check(files[-1])
    for sample in files:
        project.add(sample)


def _run_commands(walk: Walk, sample: Sample) -> None:
    for command in commands_of(sample):
        try:
            commands.run(walk, command)
        except AssertionError as error:
            raise AssertionError(f"{sample.page}:{command.line}: {error}") from None


#: Kind -> how it is run in the project of its page. Files are added in groups; the kinds that need
#: no project have tests of their own.
STEPS: dict[str, Callable[[Walk, Sample], None]] = {
    "shell": _run_commands,
    "script": script.run,
    "unit": services.check_unit,
    "environment": services.check_environment,
    "yaml": services.check_yaml,
    "nginx": services.check_nginx,
}
