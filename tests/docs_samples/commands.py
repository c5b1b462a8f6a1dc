"""How each program of a command line is run here, and which programs are only checked."""

from __future__ import annotations

import configparser
import re
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from tests import python_programs
from tests.docs_samples import servers
from tests.docs_samples.collect import ROOT, samples
from tests.docs_samples.shell import Command, fits

if TYPE_CHECKING:
    from tests.docs_samples.walk import Walk

#: Programs that are not run, and why. Their arguments are checked against the project.
NOT_EXECUTED = {
    "pip": "needs a network; its packages and extras must be in setup.cfg",
    "make": "starts the demo and the tests, which have their own tests; its targets must exist",
    "docker": "starts servers; its files must exist",
    "systemctl": "changes the machine; its units must be in the page",
    "cd": "names a folder that the command before it makes",
}
_SERVERS = {"runserver", "voicepassword_sandbox"}


def run(walk: Walk, command: Command) -> None:
    """Run a command. AssertionError if it fails or prints something else than the page shows."""
    program = command.words[0].rpartition("/")[2]
    handler = HANDLERS.get(program)
    assert handler is not None, (
        f"no handler runs {program!r}: add one to tests/docs_samples/commands.py"
    )
    output = handler(walk, command)
    if command.shown is not None:
        assert fits(command.shown, output), (
            f"{' '.join(command.words)} printed\n{output}\ninstead of\n{command.shown}"
        )


def _python(walk: Walk, command: Command) -> str:
    words = command.words[1:]
    if words[:1] == ["-m"] and words[1].startswith("benchmarks"):
        assert find_spec(words[1]), f"there is no {words[1]}"
        return ""
    if words[:2] == ["-m", "django_voicepassword.sandbox"]:
        return _sandbox(walk, command, words)
    if len(words) > 1 and words[0] == "manage.py" and words[1] in _SERVERS:
        return (
            _sandbox(walk, command, words) if "sandbox" in words[1] else _runserver(walk, command)
        )
    if words[:2] == ["manage.py", "voicepassword_doctor"]:
        # It asks the site for its view of callbacks.
        walk.serve()
    if words[:2] == ["manage.py", "createsuperuser"]:
        words = [*words, "--noinput"]
    return _run(walk, words, command)


def _sandbox(walk: Walk, command: Command, words: list[str]) -> str:
    """Start the sandbox; stop it again unless the command ends with ``&``."""
    port = walk.sandbox_port if command.is_background else 0
    words = [*words, f"--port={port}"]
    server = servers.Server(walk.project, [sys.executable, *words], "sandbox listening on")
    if command.is_background:
        walk.running.append(server)
        return ""
    return server.stop()


def _runserver(walk: Walk, command: Command) -> str:
    """Run the server, and log in with the code that the console shows."""
    number = re.search(r"\[voicepassword\] (\+[\d ()-]+):", command.shown or "")
    server = walk.serve()
    servers.log_in(walk.web, number[1] if number else "+7 999 123-45-67", server.code)
    return walk.stop_serving()


def _django_admin(walk: Walk, command: Command) -> str:
    assert command.words[1:3] == ["startproject", "mysite"], "only startproject is run here"
    with TemporaryDirectory() as folder:
        done = python_programs.run(["-m", "django", *command.words[1:]], Path(folder))
        assert done.returncode == 0, done.stderr
        for name in ("settings", "urls"):
            assert (Path(folder) / "mysite" / "mysite" / f"{name}.py").exists()
    return ""


def _run(walk: Walk, words: list[str], command: Command) -> str:
    # ``check`` runs with the settings exactly as the page has them.
    done = walk.project.run(words, is_local="check" not in words, **command.environment)
    # With --deploy Django's own checks fail for any new project.
    is_fine = done.returncode == 0 or ("--deploy" in words and "SystemCheckError" in done.stdout)
    assert is_fine, f"{' '.join(command.words)} ended with {done.returncode}:\n{done.stdout}"
    # Errors and warnings of the app's checks may appear only where the page shows them.
    ids = re.findall(r"voicepassword\.[EW]\d{3}", done.stdout)
    assert not ids or command.shown, f"{' '.join(command.words)} reports {ids}:\n{done.stdout}"
    return done.stdout


def _curl(walk: Walk, command: Command) -> str:
    return walk.curl(command)


def _pip(walk: Walk, command: Command) -> str:
    """Accept extras of this project, packages that setup.cfg names, and this repository."""
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    extras = setup["options.extras_require"]
    named = f"{setup['options']['install_requires']}\n" + "\n".join(extras.values())
    for package in command.words[2:]:
        name, _, inside = package.rstrip("]").partition("[")
        if name == "django-voicepassword":
            assert set(inside.split(",")) <= set(extras), f"setup.cfg has no extra {inside!r}"
        elif package not in (".", "git+…"):
            assert re.search(rf"^{re.escape(name)}\b", named, re.MULTILINE), (
                f"{name} is not named in setup.cfg"
            )
    return ""


def _cd(walk: Walk, command: Command) -> str:
    assert command.words[1:] == ["mysite"]
    return ""


def _make(walk: Walk, command: Command) -> str:
    makefile = (ROOT / "Makefile").read_text()
    for word in command.words[1:]:
        variable = re.fullmatch(r"(\w+)=.*", word)
        pattern = rf"\$\({variable[1]}\)" if variable else rf"^{re.escape(word)}:"
        assert re.search(pattern, makefile, re.MULTILINE), f"the Makefile has no {word}"
    return ""


def _docker(walk: Walk, command: Command) -> str:
    files = [
        file for flag, file in zip(command.words, command.words[1:], strict=False) if flag == "-f"
    ]
    assert command.words[1] == "compose"
    assert all((ROOT / file).exists() for file in files or ["compose.yaml"])
    return ""


def _systemctl(walk: Walk, command: Command) -> str:
    text = "".join(sample.text for sample in samples(walk.page))
    units = re.findall(r"^# /etc/systemd/system/([\w-]+)\.service$", text, re.MULTILINE)
    assert set(command.words[2:]) <= set(units), f"the page has the units {units}"
    return ""


HANDLERS: dict[str, Callable[[Walk, Command], str]] = {
    "python": _python,
    "django-admin": _django_admin,
    "curl": _curl,
    "pip": _pip,
    "cd": _cd,
    "make": _make,
    "docker": _docker,
    "systemctl": _systemctl,
}
