"""The findings as a table in plain text; in colours on a terminal."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterable, Iterator
from functools import partial

from django.core.management.color import Style
from django.utils.translation import gettext as _

from django_voicepassword.management.doctor.findings import Finding, Level

#: The narrowest column of texts.
_NARROWEST = 30


def lines(findings: Iterable[Finding], width: int, style: Style) -> Iterator[str]:
    """Yield the lines of the table, at most ``width`` wide: level, name, text, and the advice."""
    rows = list(findings)
    words = _words()
    first = max(len(words[row.level]) for row in rows) + 2
    second = max(len(row.name) for row in rows) + 2
    room = max(width - first - second, _NARROWEST)
    for row in rows:
        colour = _colour(row.level, style)
        head = colour(words[row.level].ljust(first)) + row.name.ljust(second)
        for line in _wrapped(row, room):
            yield (head + line).rstrip()
            head = " " * (first + second)


def _wrapped(row: Finding, room: int) -> Iterator[str]:
    # A long name is not cut, so that it can be copied.
    wrap = partial(textwrap.wrap, width=room, break_long_words=False, break_on_hyphens=False)
    yield from wrap(row.text)
    yield from wrap(row.advice, initial_indent="-> ", subsequent_indent="   ")


def _words() -> dict[Level, str]:
    return {
        Level.SKIPPED: "-",
        Level.FINE: _("ok"),
        Level.WARNING: _("warning"),
        Level.FAULT: _("FAULT"),
    }


def _colour(level: Level, style: Style) -> Callable[[str], str]:
    colours: dict[Level, Callable[[str], str]] = {
        Level.SKIPPED: str,
        Level.FINE: style.SUCCESS,
        Level.WARNING: style.WARNING,
        Level.FAULT: style.ERROR,
    }
    return colours[level]
