"""All that a site left behind: what it logged, kept, queued, mailed and answered."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from tests.secrets.traces import Known

#: Further apart than the digits of a number may be: two cells are never read as one number.
APART = "\n\n\n\n"
#: Where whole numbers are meant: in these columns of every table, and in the keys of the limits.
PHONE_COLUMNS = {"phone"}
LIMIT_KEYS = "django_voicepassword_limitcounter.key"


@dataclass(frozen=True)
class Piece:
    """A text and where it stood. ``has_numbers``: whole numbers are meant to stand there."""

    place: str
    text: str
    has_numbers: bool = False


def found(pieces: list[Piece], known: Known) -> list[str]:
    """Every secret in every piece, with its place."""
    return [
        f"{piece.place}: {text!r}"
        for piece in pieces
        for text in known.find(piece.text, not piece.has_numbers)
    ]


def left_behind(var: Path, output: Path) -> list[Piece]:
    """What the processes of a site wrote, ``output`` to the console."""
    return [
        *logs(var / "logs"),
        Piece(
            "console",
            "\n".join(
                line for line in output.read_text("utf-8").splitlines() if " sandbox | " not in line
            ),
        ),
        *(Piece(f"broker {_exchange(text)}", text) for text in _texts(var / "messages")),
        *(Piece("result of a task", text) for text in _texts(var / "results")),
        *(Piece("mail to the admins", text) for text in _texts(var / "mail")),
        *database(var / "db.sqlite3"),
    ]


def logs(folder: Path) -> Iterator[Piece]:
    """SQL is logged with its parameters, where that is switched on: numbers are among them."""
    for path in sorted(folder.iterdir()):
        yield Piece(f"log {path.name}", path.read_text("utf-8"), has_numbers=path.name == "sql.log")


def database(path: Path) -> Iterator[Piece]:
    """Each column of each table, indexes and sessions included."""
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
                cells = APART.join(str(value) for value in values if value is not None)
                yield Piece(
                    f"database {place}",
                    cells,
                    has_numbers=name in PHONE_COLUMNS or place == LIMIT_KEYS,
                )


def files_with(folder: Path, secret: str) -> list[str]:
    """The files that hold ``secret`` anywhere in their bytes, deleted rows of a database included."""
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
