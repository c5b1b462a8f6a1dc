"""A Django project in a folder: what ``startproject`` makes, and the files that a page adds."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from tests import python_programs
from tests.docs_samples import kinds
from tests.docs_samples.collect import Sample, samples

#: On PYTHONPATH its ``sitecustomize`` keeps a process from connecting to other machines.
GUARD = Path(__file__).parent / "guard"
TUTORIAL = "docs/tutorial.md"
#: Environment variables for the samples; none of the secrets is real.
ENVIRONMENT = {
    "SECRET_KEY": "only-for-the-samples-and-long-enough-for-every-check-of-django",
    "DATABASE_PASSWORD": "none",
    "CELERY_BROKER_URL": "memory://",
    "VOICEPASSWORD_API_KEY": "sandbox-key",
    "SMARTCAPTCHA_SITE_KEY": "site-key",
    "SMARTCAPTCHA_SECRET": "secret-key",
    "DJANGO_SUPERUSER_USERNAME": "admin",
    "DJANGO_SUPERUSER_PASSWORD": "only-for-the-samples",
    "DJANGO_SUPERUSER_EMAIL": "admin@example.org",
    # Tests in a page get the one plugin that the page names, whatever else is installed here.
    "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
    "PYTEST_ADDOPTS": "-p pytest_django.plugin",
}
_SETTINGS, _URLS = "mysite/settings.py", "mysite/urls.py"
_LOCAL = """
import os
if os.environ.get("SAMPLES_LOCAL"):
    VOICEPASSWORD = globals().get("VOICEPASSWORD", {})"""
_CHECK = """
import importlib, sys
import django
from django.apps import apps
from django.core.management import execute_from_command_line

django.setup()
for name in sys.argv[1:]:
    top = name.partition(".")[0]
    if top == "mysite" or apps.is_installed(top):
        importlib.import_module(name)
execute_from_command_line(["manage.py", "check", "--fail-level", "WARNING"])
"""


class Project:
    """``local``: extra settings for commands only; ``instead``: also for the check."""

    def __init__(
        self, folder: Path, addresses: dict[str, str], local: str = "", instead: str = ""
    ) -> None:
        self.folder = folder
        self._addresses = addresses
        self._local, self._instead = self.with_addresses(local), instead
        #: Grows with every change, so that a server is restarted when it is out of date.
        self.version = 0
        self._settings: list[str] = [self._read(_SETTINGS)]
        self._modules: list[str] = []

    def add(self, sample: Sample) -> None:
        """Write the files of a sample into the project."""
        for piece in kinds.pieces_of(sample):
            text = self.with_addresses(piece.text)
            # Blank lines, so that a syntax error names the line of the page.
            compile("\n" * (piece.line - 1) + text, sample.page, "exec")
            self.put(piece.path, text)

    def check(self, sample: Sample) -> None:
        """Import all files so far and run ``manage.py check``; a warning is a failure too."""
        done = self.run(["-c", _CHECK, *self._modules], is_local=False)
        if done.returncode:
            raise sample.fail(f"manage.py check:\n{done.stdout}")

    def copy(self) -> Project:
        """Copy the project to another folder, to try files that may fail."""
        folder = self.folder.with_name(f"{self.folder.name}-{self.version}")
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(self.folder, folder)
        copy = Project(folder, self._addresses, self._local, self._instead)
        copy._settings, copy._modules = [*self._settings], [*self._modules]
        return copy

    def run(
        self, arguments: list[str], is_local: bool = True, **environment: str
    ) -> subprocess.CompletedProcess[str]:
        """Run Python in the project with these arguments; ``stdout`` also has the error output."""
        environment = self.environment(is_local, **environment)
        return python_programs.run(arguments, self.folder, environment, is_merged=True)

    def environment(self, is_local: bool = True, **more: str) -> dict[str, str]:
        inherited = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("DJANGO_", "PYTEST_"))
        }
        modules = os.pathsep.join(filter(None, [str(GUARD), os.environ.get("PYTHONPATH")]))
        ours = {
            "DJANGO_SETTINGS_MODULE": "mysite.settings",
            "PYTHONUNBUFFERED": "1",
            "PYTHONPATH": modules,
        }
        return {
            **inherited,
            **ENVIRONMENT,
            **ours,
            **({"SAMPLES_LOCAL": "1"} if is_local else {}),
            **more,
        }

    def with_addresses(self, text: str) -> str:
        """Replace the addresses that the page shows by those of this run."""
        for shown, real in self._addresses.items():
            text = text.replace(shown, real)
        return text

    def put(self, path: str, text: str) -> None:
        """Write a file. Settings and URLs are appended to, other files are replaced."""
        self.version += 1
        file = self.folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        if path == _SETTINGS:
            self._settings.append(text)
            local = [f"    {line}" for line in self._local.splitlines()]
            text = "\n".join([*self._settings, self._instead, _LOCAL, *local, ""])
        elif path == _URLS:
            text = f"{self._read(path)}\n{text}"
        elif not Path(path).name.startswith(("test", "conftest")):
            self._modules.append(
                path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
            )
        file.write_text(text)
        if file.parent != self.folder:
            (file.parent / "__init__.py").touch()

    def _read(self, path: str) -> str:
        return (self.folder / path).read_text()


def make_bare(folder: Path) -> Path:
    """Make a project by ``django-admin startproject mysite``."""
    folder.mkdir()
    done = python_programs.run(["-m", "django", "startproject", "mysite", str(folder)])
    assert done.returncode == 0, done.stderr
    return folder


def make_usual(folder: Path, bare: Path) -> Path:
    """Make a project with the files of the tutorial, and migrate it."""
    shutil.copytree(bare, folder)
    project = Project(folder, {})
    for sample in samples(TUTORIAL):
        if kinds.kind_of(sample) == "files":
            project.add(sample)
    done = project.run(["manage.py", "migrate", "--verbosity=0"])
    assert done.returncode == 0, done.stdout
    return folder
