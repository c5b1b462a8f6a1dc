"""Stop the build if the version is not the one at the top of CHANGELOG.md. The metadata is in
setup.cfg.
"""

import re
from pathlib import Path

from setuptools import setup

ROOT = Path(__file__).parent


def _find(pattern: str, name: str) -> str:
    match = re.search(pattern, (ROOT / name).read_text("utf-8"), re.MULTILINE)
    if match is None:
        raise SystemExit(f"{name} names no version")
    return match[1]


package = _find(r'^__version__ = "(.+)"$', "django_voicepassword/__init__.py")
changelog = _find(r"^## (\S+)", "CHANGELOG.md")
if package != changelog:
    raise SystemExit(
        f"django_voicepassword.__version__ is {package}, but CHANGELOG.md begins with {changelog}"
    )

setup()
