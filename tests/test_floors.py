"""The house: every module has a floor and imports only from floors below.

DESIGN, section 2, has the same table. The sources are parsed, not imported, except in the last
test.
"""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.any_version

APP = "django_voicepassword"
PACKAGE = Path(__file__).parent.parent / APP
MOST_ROOT_MODULES = 14

#: Floor -> its wings and its modules at the root of the package.
ROOMS_OF_FLOOR = {
    1: {"conf", "exceptions", "signals", "schedule", "security"},
    2: {"models", "migrations", "phones", "transactions"},
    3: {"provider", "limits"},
    4: {"calls", "history", "statistics", "client", "testing"},
    5: {"verifications", "upkeep"},
    6: {"accounts", "tasks"},
    7: {"web", "api", "backends", "decorators", "admin", "management", "checks", "contrib"},
    8: {"urls", "apps"},
}
FLOORS = {room: floor for floor, rooms in ROOMS_OF_FLOOR.items() for room in rooms}
#: The imitated provider has no floor and imports nothing of the app.
SANDBOX = "sandbox"
#: The command that starts it. It belongs to the sandbox, although it must lie in ``management``.
SANDBOX_COMMAND = "management.commands.voicepassword_sandbox"

#: What can be imported while Django, Django REST framework and Celery are absent.
WITHOUT_DJANGO = ["client", "provider", "provider.protocol", "security", "sandbox.server"]


def _module_name(path: Path) -> str:
    """Return the dotted name below the package; a package has the name of its folder."""
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


SOURCES = {_module_name(path): path for path in sorted(PACKAGE.rglob("*.py"))}
#: The ``__init__.py`` of each wing, and of each package inside one.
FACES = [name for name, path in SOURCES.items() if path.name == "__init__.py" and name]


def _room(module: str) -> str:
    """Return the wing or the root module that a dotted name belongs to."""
    if module == SANDBOX_COMMAND:
        return SANDBOX
    return module.partition(".")[0]


def _floor(room: str) -> int:
    """Return the floor of a room; names that the root package itself defines are on floor 0."""
    return FLOORS.get(room, 0)


def _imports(module: str) -> list[str]:
    """Return what a module imports of the app, as dotted names below the package."""
    path = SOURCES[module]
    names = []
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: write an absolute import"
            names += [f"{node.module}.{alias.name}" for alias in node.names]
    return [name.removeprefix(f"{APP}.") for name in names if name.startswith(f"{APP}.")]


def test_the_house_has_eight_whole_floors() -> None:
    assert list(ROOMS_OF_FLOOR) == [1, 2, 3, 4, 5, 6, 7, 8]
    assert sum(map(len, ROOMS_OF_FLOOR.values())) == len(FLOORS), "a room is on two floors"


def test_every_room_has_a_floor_and_every_floor_lists_only_rooms() -> None:
    rooms = {name.partition(".")[0] for name in SOURCES} - {"", SANDBOX}
    assert rooms == set(FLOORS), "change ROOMS_OF_FLOOR here and the table in DESIGN, section 2"


def test_at_most_14_modules_are_at_the_root() -> None:
    modules = sorted(path.stem for path in PACKAGE.glob("*.py") if path.name != "__init__.py")
    assert len(modules) <= MOST_ROOT_MODULES, f"{len(modules)}: {modules}: move one into a wing"


@pytest.mark.parametrize("module", [name for name in SOURCES if name])
def test_a_module_imports_only_from_floors_below(module: str) -> None:
    """The modules of one wing may import each other."""
    room = _room(module)
    for imported in _imports(module):
        other = _room(imported)
        if other == room:
            continue
        assert room != SANDBOX, f"{module} imports {imported}: the sandbox must not use the app"
        assert other != SANDBOX, f"{module} imports {imported}: the app must not use the sandbox"
        assert _floor(other) < _floor(room), (
            f"{module} (floor {_floor(room)}) imports {imported} (floor {_floor(other)}): "
            "move the code down, or call it from above"
        )


def test_only_apps_imports_contrib() -> None:
    importers = {
        module
        for module in SOURCES
        if _room(module) != "contrib" and "contrib" in map(_room, _imports(module))
    }
    assert importers <= {"apps"}


def _defines(statement: ast.stmt) -> bool:
    """Return whether a statement is neither a docstring nor an import nor ``__all__ = …``."""
    if isinstance(statement, ast.Assign):
        return [ast.unparse(target) for target in statement.targets] != ["__all__"]
    if isinstance(statement, ast.Expr):
        return not isinstance(statement.value, ast.Constant)
    return not isinstance(statement, ast.Import | ast.ImportFrom)


@pytest.mark.parametrize("wing", FACES)
def test_a_face_defines_nothing(wing: str) -> None:
    """An ``__init__.py`` holds a docstring, imports and ``__all__``."""
    statements = ast.parse(SOURCES[wing].read_text("utf-8")).body
    definitions = [
        f"{SOURCES[wing]}:{statement.lineno}: {ast.unparse(statement).splitlines()[0]}"
        for statement in statements
        if _defines(statement)
    ]
    assert not definitions, "move into a module:\n" + "\n".join(definitions)


@pytest.mark.processes
@pytest.mark.parametrize("module", WITHOUT_DJANGO)
def test_a_module_imports_while_django_is_absent(module: str) -> None:
    program = f"""
import sys

class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("django", "rest_framework", "celery"):
            raise ImportError(f"{{name}} is absent")

sys.meta_path.insert(0, Blocker())
import {APP}.{module}
"""
    process = subprocess.run(
        [sys.executable, "-c", program], stderr=subprocess.PIPE, text=True, timeout=60
    )
    assert process.returncode == 0, process.stderr
