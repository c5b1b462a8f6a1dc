"""Every text that a site leaves behind: logs, rows, messages, mails and answers."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from tests.secrets.secret_search import Secrets

#: Longer than the gap allowed between the digits of a number: two cells are never read as one.
SEPARATOR = "\n\n\n\n"
#: Whole numbers belong in these columns of every table, and in the keys of the limits.
PHONE_COLUMNS = {"phone"}
LIMIT_KEYS = "django_voicepassword_limitcounter.key"


@dataclass(frozen=True)
class Evidence:
    """A text and where it was. ``has_numbers``: whole numbers may stand there."""

    place: str
    text: str
    has_numbers: bool = False


def find_leaks(evidence: list[Evidence], secrets: Secrets) -> list[str]:
    """Return every secret in the evidence, with its place."""
    return [
        f"{piece.place}: {text!r}"
        for piece in evidence
        for text in secrets.find(piece.text, not piece.has_numbers)
    ]


def collect_evidence(var: Path, output: Path) -> list[Evidence]:
    """Return what the processes of a site wrote; ``output`` is their console."""
    return [
        *logs(var / "logs"),
        Evidence(
            "console",
            "\n".join(
                line for line in output.read_text("utf-8").splitlines() if " sandbox | " not in line
            ),
        ),
        *(Evidence(f"broker {_exchange(text)}", text) for text in _texts(var / "messages")),
        *(Evidence("result of a task", text) for text in _texts(var / "results")),
        *(Evidence("mail to the admins", text) for text in _texts(var / "mail")),
        *database(var / "db.sqlite3"),
    ]


def logs(folder: Path) -> Iterator[Evidence]:
    """Yield the log files. ``sql.log`` has the parameters of statements, so it has numbers."""
    for path in sorted(folder.iterdir()):
        yield Evidence(
            f"log {path.name}", path.read_text("utf-8"), has_numbers=path.name == "sql.log"
        )


def database(path: Path) -> Iterator[Evidence]:
    """Yield each column of each table of a SQLite database."""
    with closing(sqlite3.connect(path)) as connection:
        tables = [
            name
            for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        ]
        for table in tables:
            rows = connection.execute(f'SELECT * FROM "{table}"')
            names = [column[0] for column in rows.description]
            for name, values in zip(names, zip(*rows, strict=True), strict=False):
                place = f"{table}.{name}"
                cells = SEPARATOR.join(str(value) for value in values if value is not None)
                yield Evidence(
                    f"database {place}",
                    cells,
                    has_numbers=name in PHONE_COLUMNS or place == LIMIT_KEYS,
                )


def files_with(folder: Path, secret: str) -> list[str]:
    """Return the files with ``secret`` in their bytes, also in deleted rows of a database."""
    return [
        str(path)
        for path in folder.rglob("*")
        if path.is_file() and secret.encode() in path.read_bytes()
    ]


def _texts(folder: Path) -> list[str]:
    return [
        path.read_text("utf-8")
        for path in sorted(folder.iterdir())
        if not path.name.startswith(".")
    ]


def _exchange(message: str) -> str:
    return str(json.loads(message)["exchange"] or "queue")
