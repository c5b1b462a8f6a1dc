"""Checks of systemd units, Compose files and nginx configuration, without starting anything."""

from __future__ import annotations

import configparser
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

from tests.conftest import find_program
from tests.docs_samples.collect import Sample

if TYPE_CHECKING:
    from tests.docs_samples.walk import Walk

#: The folder of programs in the pages.
_BIN = "/srv/mysite/.venv/bin/"
_PARSE = """
import sys
from celery.bin.base import CLIContext
from celery.bin.beat import beat
from celery.bin.worker import worker
from mysite.celery import app

name, *arguments = sys.argv[1:]
command = {"worker": worker, "beat": beat}[name]
cli = CLIContext(app=app, no_color=True, workdir=None, quiet=True)
context = command.make_context(name, arguments, obj=cli)
queues = {route["queue"] for route in app.conf.task_routes.values()}
queues.add(app.conf.task_default_queue)
chosen = context.params.get("queues") or []
assert set(chosen) <= queues, f"no task is routed to one of {chosen}"
"""


def check_unit(walk: Walk, sample: Sample) -> None:
    """Check a unit as INI, its command by the program that it starts, and all by systemd-analyze.

    The last step needs an installed systemd-analyze.
    """
    unit = configparser.RawConfigParser(strict=False)
    unit.optionxform = str  # type: ignore[assignment, method-assign]
    unit.read_string(sample.text)
    assert {"Unit", "Service", "Install"} <= set(unit.sections())
    command = unit["Service"]["ExecStart"]
    assert command.startswith(_BIN)
    _check_command(walk, command.removeprefix(_BIN).replace("%%", "%"))
    analyze = find_program("systemd-analyze")
    if analyze is not None:
        _analyze(analyze, sample, walk.project.folder)


def check_environment(walk: Walk, sample: Sample) -> None:
    """Assert lines ``NAME=value`` whose names the settings of the page read."""
    settings = (walk.project.folder / "mysite" / "settings.py").read_text()
    for line in sample.text.splitlines():
        name, is_assigned, _value = line.partition("=")
        if not line.startswith("#"):
            assert is_assigned, f"no NAME=value: {line!r}"
            assert f'os.environ["{name}"]' in settings, f"the settings do not read {name}"


def check_yaml(walk: Walk, sample: Sample) -> None:
    """Check the commands of the services in a Compose file."""
    services = yaml.safe_load(sample.text)["services"]
    for service in services.values():
        assert service["image"] == "mysite"
        _check_command(walk, service["command"])


def check_nginx(walk: Walk, sample: Sample) -> None:
    """Assert that blocks close and directives end; then run ``nginx -t`` if it is installed."""
    bare = re.sub(r"#.*", "", sample.text)
    assert bare.count("{") == bare.count("}")
    for line in filter(None, map(str.strip, bare.splitlines())):
        assert line[-1] in "{};", f"no end: {line!r}"
    # The only path of the app that a page names.
    for path in re.findall(r"location /(auth/\w+)/", bare):
        assert path == "auth/callback"
    nginx = find_program("nginx")
    if nginx is None:
        return
    # Without the certificates, which do not exist here.
    text = re.sub(r"\n *ssl_certificate.*", "", sample.text).replace(
        "listen 443 ssl", "listen 127.0.0.1:8443"
    )
    folder = walk.project.folder
    (folder / "nginx.conf").write_text(
        f"pid {folder}/nginx.pid;\nerror_log stderr;\nevents {{}}\n"
        f"http {{\naccess_log off;\n{text}\n}}\n"
    )
    done = subprocess.run(
        [nginx, "-t", "-c", str(folder / "nginx.conf"), "-p", str(folder)],
        capture_output=True,
        text=True,
    )
    # It may fail later because of folders that only an installed service has.
    assert "syntax is ok" in done.stderr, done.stderr


def _check_command(walk: Walk, command: str) -> None:
    """Assert that the program has these options, and that the app that it loads exists."""
    program, *arguments = shlex.split(command)
    if command in walk.checked:
        return
    if program == "celery":
        assert arguments[:2] == ["--app", "mysite"]
        words = ["-c", _PARSE, *arguments[2:]]
    else:
        assert program == "gunicorn", program
        words = ["-m", "gunicorn", "--check-config", *arguments]
    done = walk.project.run(words)
    assert done.returncode == 0, f"{command}\n{done.stdout}"
    walk.checked.add(command)


def _analyze(analyze: str, sample: Sample, folder: Path) -> None:
    """Run ``systemd-analyze verify``, with existing programs in the unit."""
    name = re.search(r"^# /etc/systemd/system/([\w-]+\.service)$", sample.text, re.MULTILINE)
    assert name, "a unit begins with a comment that names its file"
    path = folder / name[1]
    path.write_text(
        re.sub(rf"{re.escape(_BIN)}\w+", sys.executable, sample.text).replace(
            "/srv/mysite", str(folder)
        )
    )
    done = subprocess.run(
        [analyze, "verify", "--man=no", str(path)], capture_output=True, text=True
    )
    messages = [line for line in done.stderr.splitlines() if name[1] in line]
    assert not messages, "\n".join(messages)
