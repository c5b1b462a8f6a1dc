"""The wheel and the sdist are complete, and the wheel works without the repository."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from configparser import ConfigParser
from pathlib import Path

import pytest

pytestmark = pytest.mark.any_version

ROOT = Path(__file__).parent.parent
#: What lies in a checkout beside the source.
NOT_SOURCE = (
    ".git", ".tox", ".venv", ".*_cache", ".hypothesis", "build", "dist", "var", "*.egg-info",
    "__pycache__",
)  # fmt: skip
#: One file of each kind.
PARTS = [
    "py.typed",
    "migrations/0001_initial.py",
    "templates/voicepassword/login.html",
    "static/voicepassword/voicepassword.css",
    "static/voicepassword/voicepassword.js",
    "static/voicepassword/admin.css",
    "static/voicepassword/export.css",
    "static/voicepassword/export.js",
    "templates/admin/django_voicepassword/callrequest/export.html",
    "static/voicepassword/dashboard.js",
    "static/voicepassword/vendor/chart-4.6.1.umd.min.js",
    "static/voicepassword/vendor/chart-LICENSE.md",
    "templates/admin/django_voicepassword/dashboard/page.html",
    "sandbox/static/sandbox.js",
    "management/commands/voicepassword_sandbox.py",
    "locale/ru/LC_MESSAGES/django.mo",
    "locale/ru/LC_MESSAGES/django.po",
]

#: The extras for projects that use the package; the others are for its development.
FOR_PROJECTS = ("example", "beat", "health", "xlsx", "openapi", "jwt")

PROGRAM = """
import django
from django.conf import settings

settings.configure(
    SECRET_KEY="only-for-the-tests",
    INSTALLED_APPS=[
        "django.contrib.auth", "django.contrib.contenttypes", "rest_framework",
        "django_voicepassword",
    ],
    AUTHENTICATION_BACKENDS=["django_voicepassword.backends.PhoneBackend"],
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
    TEMPLATES=[{"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True}],
    VOICEPASSWORD={"TRANSPORT": "memory"},
)
django.setup()
from django.core.management import call_command
from django.template.loader import get_template
from django_voicepassword import verifications
from django_voicepassword.testing import outbox

call_command("check")
call_command("migrate", verbosity=0)
get_template("voicepassword/login.html")
verification = verifications.start("+7 999 000-00-01")
approved = verifications.check(verification.id, outbox[-1].code)
print(approved.status, django.__file__, verifications.__file__)
"""


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with the sdist and the wheel built from it.

    setuptools writes into the folder that it builds, where another run may build at the same time.
    """
    source = tmp_path_factory.mktemp("source") / "django-voicepassword"
    shutil.copytree(ROOT, source, ignore=shutil.ignore_patterns(*NOT_SOURCE))
    folder = tmp_path_factory.mktemp("dist")
    command = [
        sys.executable,
        "-m",
        "build",
        "--no-isolation",
        "--outdir",
        str(folder),
        str(source),
    ]
    process = subprocess.run(command, capture_output=True, text=True)
    assert process.returncode == 0, process.stderr
    return folder


@pytest.mark.parametrize("part", PARTS)
def test_a_part_is_in_the_wheel_and_in_the_sdist(built: Path, part: str) -> None:
    (wheel,), (sdist,) = built.glob("*.whl"), built.glob("*.tar.gz")
    with zipfile.ZipFile(wheel) as archive:
        assert f"django_voicepassword/{part}" in archive.namelist()
    with tarfile.open(sdist) as archive:
        assert any(name.endswith(f"/django_voicepassword/{part}") for name in archive.getnames())


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="this is not a clone of the repository")
@pytest.mark.program("git")
def test_the_sdist_has_every_file_of_the_repository(built: Path) -> None:
    """MANIFEST.in is maintained by hand.

    ``safe.directory`` lets git read a clone that belongs to another user.
    """
    command = ["git", "-c", "safe.directory=*", "ls-files", "-z"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    tracked = {name for name in listed.stdout.split("\0") if name and (ROOT / name).exists()}
    (sdist,) = built.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        packed = {name.partition("/")[2] for name in archive.getnames()}
    assert len(tracked) > 100
    assert not tracked - packed


@pytest.mark.usefixtures("built")
def test_a_version_that_is_not_the_first_in_the_changelog_is_not_built(tmp_path: Path) -> None:
    """The ``built`` fixture shows that the same sources are built without the new section."""
    for name in ("setup.py", "setup.cfg", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, tmp_path)
    (tmp_path / "django_voicepassword").mkdir()
    shutil.copy(ROOT / "django_voicepassword" / "__init__.py", tmp_path / "django_voicepassword")
    changelog = (ROOT / "CHANGELOG.md").read_text("utf-8")
    (tmp_path / "CHANGELOG.md").write_text(
        changelog.replace("## ", "## 99.0.0 (not released)\n\n## ", 1), "utf-8"
    )
    command = [sys.executable, "-m", "build", "--no-isolation", "--wheel", str(tmp_path)]
    process = subprocess.run(command, capture_output=True, text=True)
    assert process.returncode != 0
    assert "CHANGELOG.md begins with 99.0.0" in process.stdout + process.stderr


def test_no_test_is_installed(built: Path) -> None:
    (wheel,) = built.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        tops = {name.split("/")[0] for name in archive.namelist()}
        assert not [name for name in archive.namelist() if "__pycache__" in name]
    assert {top for top in tops if not top.endswith(".dist-info")} == {"django_voicepassword"}


def test_an_installed_wheel_verifies_a_number(built: Path, tmp_path: Path) -> None:
    (wheel,) = built.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path)
    process = subprocess.run(
        [sys.executable, "-W", "error", "-c", PROGRAM],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(tmp_path), "DJANGO_SETTINGS_MODULE": ""},
        capture_output=True,
        text=True,
    )
    assert process.returncode == 0, process.stderr
    output_words = process.stdout.split()
    assert output_words[-3] == "approved"
    assert output_words[-1].startswith(str(tmp_path))


def test_the_oldest_tested_versions_are_the_lower_bounds() -> None:
    """The versions in tests/oldest.txt, which tox tests, are the lower bounds in setup.cfg."""
    parser = ConfigParser()
    parser.read(ROOT / "setup.cfg", "utf-8")
    extras = parser["options.extras_require"]
    lines = [parser["options"]["install_requires"], *(extras[name] for name in FOR_PROJECTS)]
    allowed = {
        line for text in lines for line in text.splitlines() if line and not line.startswith("#")
    }
    oldest = (ROOT / "tests" / "oldest.txt").read_text("utf-8").splitlines()
    assert {line.replace("==", ">=") for line in oldest if not line.startswith("#")} == allowed
