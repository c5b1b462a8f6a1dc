"""One guard: the lines that keep a promise, and the tests that must fail without them."""

from __future__ import annotations

from dataclasses import dataclass

#: The promises of the design, as the table in ``tests/README.md`` names them.
PROMISES = {
    "1": "1, a call rings at most once",
    "2": "2, nothing is lost",
    "3": "3, limits count before the attempt",
    "4": "4, a code works once",
    "5": "5, any input is survived",
    "6": "6, secrets stay secret",
    "7": "7, safe against a crowd",
}


@dataclass(frozen=True)
class Guard:
    """A promise broken on purpose.

    ``promise``: its number, see ``PROMISES``. ``word``: names the guard on the command line.
    ``behavior``: what the package does without it. ``tests``: each must fail then.
    ``edits``: (file of the package, text as it is, text that replaces it).
    """

    promise: str
    word: str
    behavior: str
    tests: tuple[str, ...]
    edits: tuple[tuple[str, str, str], ...]
