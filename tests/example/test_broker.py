"""The embedded broker under load: every message is taken once and whole."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

pytestmark = pytest.mark.processes

EXAMPLE = Path(__file__).parent.parent.parent / "example_project"
EACH = 150

#: Puts messages, or takes them until all were put and none is left; prints those that it takes.
PROGRAM = """
import os, sys
from queue import Empty
from kombu import Connection
from config import broker

broker.register()
verb, name, folder, count = sys.argv[1:]
options = {
    "data_folder_in": folder,
    "data_folder_out": folder,
    "control_folder": f"{folder}-control",
    "polling_interval": 0.01,
}
with Connection("filesystem://localhost/", transport_options=options) as connection:
    queue = connection.SimpleQueue("calls")
    if verb == "put":
        for number in range(int(count)):
            queue.put({"id": f"{name}-{number}", "filler": "x" * 400000})
    else:
        while True:
            try:
                message = queue.get(timeout=0.5)
            except Empty:
                if os.path.exists(f"{folder}-is-full"):
                    break
                continue
            print(message.payload["id"])
            message.ack()
    queue.close()
"""


def test_every_message_is_taken_once_and_whole(tmp_path: Path) -> None:
    folder = tmp_path / "queue"
    folder.mkdir()
    roles = [("put", "a"), ("put", "b"), ("take", "c"), ("take", "d"), ("take", "e")]
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", PROGRAM, verb, name, str(folder), str(EACH)],
            cwd=EXAMPLE,
            env={**os.environ, "PYTHONPATH": str(EXAMPLE), "VAR_DIR": str(tmp_path / "var")},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for verb, name in roles
    ]
    putting, taking = processes[:2], processes[2:]
    outputs = [process.communicate(timeout=120) for process in putting]
    # However late a process starts, no other one ends before it has put all its messages.
    (tmp_path / "queue-is-full").touch()
    outputs += [process.communicate(timeout=120) for process in taking]
    assert [process.returncode for process in processes] == [0] * len(roles), [
        error for _, error in outputs
    ]
    taken = Counter(line for output, _ in outputs for line in output.split())
    assert taken == {f"{name}-{number}": 1 for name in "ab" for number in range(EACH)}
    assert not list(folder.iterdir())
