"""The house: a module imports only from floors below its own. Parsed, not run."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "django_voicepassword"

#: DESIGN, section 2. The longest prefix counts.
FLOORS = {
    "": 0,
    "conf": 1,
    "exceptions": 1,
    "signals": 1,
    "schedule": 1,
    "security": 1,
    "phones": 2,
    "transactions": 2,
    "models": 2,
    "migrations": 2,
    "provider": 3,
    "limits": 3,
    "calls": 4,
    "history": 4,
    "statistics": 4,
    "client": 4,
    "testing": 4,
    "verifications": 5,
    "accounts": 6,
    "tasks": 6,
    "backends": 7,
    "decorators": 7,
    "checks": 7,
    "contrib": 7,
    "admin": 7,
    "web": 7,
    "api": 7,
    "management": 7,
    "apps": 8,
    "urls": 8,
    "sandbox": 0,
}


def _floor(module: str) -> int:
    parts = module.split(".")
    while parts:
        if ".".join(parts) in FLOORS:
            return FLOORS[".".join(parts)]
        parts.pop()
    return FLOORS[""]


def _modules() -> list[tuple[str, Path]]:
    return [
        (
            ".".join(path.relative_to(PACKAGE).with_suffix("").parts)
            .removesuffix("__init__")
            .rstrip("."),
            path,
        )
        for path in sorted(PACKAGE.rglob("*.py"))
    ]


def _imports(path: Path) -> list[str]:
    found = []
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found += [name.name for name in node.names]
        elif isinstance(node, ast.ImportFrom):
            found += [f"{node.module}.{name.name}" for name in node.names]
    own = "django_voicepassword."
    return [name.removeprefix(own) for name in found if name.startswith(own)]


@pytest.mark.parametrize(("module", "path"), _modules())
def test_a_room_imports_only_from_floors_below(module: str, path: Path) -> None:
    """The modules of one wing may import each other."""
    wing = module.partition(".")[0]
    if module.startswith(("sandbox", "management.commands.voicepassword_sandbox")):
        wing = "sandbox"
    for name in _imports(path):
        imported = name.partition(".")[0]
        if imported == wing:
            continue
        assert wing != "sandbox", f"{module} imports {name}: the sandbox knows nothing of the app"
        assert _floor(name) < _floor(module), f"{module} imports {name}"


def test_every_module_has_a_floor() -> None:
    tops = {module.split(".")[0] for module, _ in _modules()}
    assert tops <= set(FLOORS)


def test_protocol_and_client_need_no_django() -> None:
    program = (
        "import sys\n"
        "class Blocker:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name.split('.')[0] in ('django', 'rest_framework', 'celery'):\n"
        "            raise ImportError(name)\n"
        "sys.meta_path.insert(0, Blocker())\n"
        "import django_voicepassword.client, django_voicepassword.provider, django_voicepassword.security, django_voicepassword.sandbox.server\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)
