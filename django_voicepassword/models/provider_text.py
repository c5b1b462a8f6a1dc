"""Fields for the provider's text, which may hold any character, and for its ids.

On MySQL and MariaDB a column may be unable to store a character: utf8mb3 has none of four bytes,
latin1 has no Cyrillic. Such a character is replaced; else the database would refuse the whole row.
"""

from __future__ import annotations

import codecs
import re
from functools import lru_cache
from typing import Any

from django.db import connections, models
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models.lookups import Exact
from django.db.models.sql.compiler import SQLCompiler

_FOUR_BYTES = re.compile("[\U00010000-\U0010ffff]")
_WHOLE_UNICODE = {"utf8mb4", "utf16", "utf16le", "utf32"}
_UP_TO_THREE_BYTES = {"utf8", "utf8mb3", "ucs2"}


class ProviderText(models.CharField):  # type: ignore[type-arg]
    """A CharField that stores every text of the provider, some of it with replaced characters."""

    def deconstruct(self) -> Any:
        name, _path, arguments, options = super().deconstruct()
        # In the database it is a CharField like any other.
        return name, "django.db.models.CharField", arguments, options

    def get_db_prep_value(
        self, value: Any, connection: BaseDatabaseWrapper, prepared: bool = False
    ) -> Any:
        text = super().get_db_prep_value(value, connection, prepared)
        if connection.vendor != "mysql" or not isinstance(text, str) or text.isascii():
            return text
        charsets = mysql_charsets(connection.alias, self.model._meta.db_table)
        return storable(text, charsets[str(self.column)][0])


class ProviderId(ProviderText):
    """An id of the provider. It is compared to the letter, whatever the column's collation is."""


@ProviderId.register_lookup
class _ToTheLetter(Exact):
    """``provider_id="AbC1"`` does not find ``aBc1`` on MySQL and MariaDB either."""

    def as_mysql(
        self, compiler: SQLCompiler, connection: BaseDatabaseWrapper
    ) -> tuple[str, list[Any]]:
        # The first comparison uses the index.
        usual, usual_parameters = self.as_sql(compiler, connection)
        left, left_parameters = self.process_lhs(compiler, connection)
        right, right_parameters = self.process_rhs(compiler, connection)
        exact = " = ".join(
            f"CAST(CONVERT({side} USING utf8mb4) AS BINARY)" for side in (left, right)
        )
        parameters = [*usual_parameters, *left_parameters, *right_parameters]
        return f"({usual} AND {exact})", parameters


def storable(text: str, charset: str) -> str:
    """Return ``text`` without the characters that a column of this MySQL charset cannot store."""
    if text.isascii() or charset in _WHOLE_UNICODE:
        return text
    if charset in _UP_TO_THREE_BYTES:
        return _FOUR_BYTES.sub("\N{REPLACEMENT CHARACTER}", text)
    codec = _codec(charset)
    return text.encode(codec, "replace").decode(codec)


def is_storable(text: str, model: type[models.Model], field: str, alias: str) -> bool:
    """Return whether a column of any model can store ``text``; else MySQL refuses to compare it."""
    if text.isascii() or connections[alias].vendor != "mysql":
        return True
    found: Any = model._meta.get_field(field)
    charset, _ = mysql_charsets(alias, model._meta.db_table).get(found.column, ("utf8mb4", ""))
    return storable(text, charset) == text


@lru_cache(maxsize=64)
def mysql_charsets(alias: str, table: str) -> dict[str, tuple[str, str]]:
    """Return column -> charset and collation, for the text columns of a table on MySQL.

    They are read once for each process.
    """
    with connections[alias].cursor() as cursor:
        cursor.execute(
            "SELECT column_name, character_set_name, collation_name "
            "FROM information_schema.columns "
            "WHERE table_schema = DATABASE() AND table_name = %s AND collation_name IS NOT NULL",
            [table],
        )
        return {column: (charset, collation) for column, charset, collation in cursor.fetchall()}


def _codec(charset: str) -> str:
    # What MySQL calls latin1 is Windows' code page.
    name = {"latin1": "cp1252", "koi8r": "koi8-r", "koi8u": "koi8-u"}.get(charset, charset)
    try:
        return codecs.lookup(name).name
    except LookupError:
        return "ascii"
