"""Ask several Python programs the same thing at once: a line of JSON in, a line of JSON out."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from typing import Any


def ask(processes: Sequence[subprocess.Popen[str]], question: Any) -> list[Any]:
    """Send ``question`` to each process, and return the answer of each."""
    for process in processes:
        assert process.stdin is not None
        process.stdin.write(f"{json.dumps(question)}\n")
        process.stdin.flush()
    answers = []
    for process in processes:
        assert process.stdout is not None
        answers.append(json.loads(process.stdout.readline()))
    return answers
