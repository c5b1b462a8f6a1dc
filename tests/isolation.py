"""Isolation levels that a project may choose, for the connections of a test's threads."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection, connections

#: Vendor -> the levels at which every test of isolation runs. SQLite has one level.
LEVELS = {
    "postgresql": ["read committed", "repeatable read", "serializable"],
    "mysql": ["read committed", "repeatable read", "serializable"],
}


def levels() -> list[str]:
    """Return the levels of the tests' database; "" is its only one."""
    return LEVELS.get(connection.vendor, [""])


@contextmanager
def isolation(level: str) -> Iterator[None]:
    """Open the default database with this isolation level, in every thread, within the block."""
    settings = connections.settings["default"]
    usual = settings["OPTIONS"]
    if connection.vendor == "postgresql":
        # Django's own option applies to transactions alone, not to a single statement.
        name = level.replace(" ", "\\ ")
        options = f"-c default_transaction_isolation={name}"
        settings["OPTIONS"] = {**usual, "options": options}
    elif connection.vendor == "mysql":
        settings["OPTIONS"] = {**usual, "isolation_level": level}
    _reopen()
    try:
        yield
    finally:
        settings["OPTIONS"] = usual
        _reopen()


def _reopen() -> None:
    connections["default"].close()
    connections["default"].settings_dict["OPTIONS"] = connections.settings["default"]["OPTIONS"]
