"""A table that ``migrate`` has not created yet."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.db import connection, models


@contextmanager
def missing_table(model: type[models.Model], name: str = "not_migrated_yet") -> Iterator[None]:
    """Let every statement ask for a table that does not exist in place of that of ``model``.

    Another ``db_table`` would stay in what Django and the app remember of the model's columns.
    """

    def ask_for_it(execute: Any, sql: str, *arguments: Any) -> Any:
        return execute(sql.replace(model._meta.db_table, name), *arguments)

    with connection.execute_wrapper(ask_for_it):
        yield
