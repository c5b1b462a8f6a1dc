"""What must not be seen, and how it is found in whatever spelling or wrapping it was written."""

from __future__ import annotations

import binascii
import html
import re
import zlib
from base64 import b64decode
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from urllib.parse import unquote

#: Four digits that are no code: where they stand says what they are. Cut out before a code is
#: looked for.
_NOISE = re.compile(
    r"""
      [0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}    # UUID: one of seven has a group of digits alone
    | [a-z0-9+-]*@?0x[0-9a-f]{4,}                                      # address of an object
    | 127\.0\.0\.1'?(?::|,\s)\d+                                       # port
    | \d{4}-\d\d-\d\d(-\d{4})? | \d\d\.\d\d\.\d{4} | \d\d/[A-Z][a-z]{2}/\d{4}    # date
    | \d\d:\d\d(:\d\d([.,]\d+)?)?                                      # time
    | \d+[.,]\d+(e[+-]?\d+)?                                           # seconds, money, coordinates
    | HTTP/1\.[01][^0-9]{1,6}\d{3}[^0-9]{1,6}\d+                       # status and length of an answer
    | (?:pid|clock|utcoffset|lineno|fd)[\\"]*\s?[:=]\s?-?\d+           # of a process
    | \b(?:d|points|viewBox|transform)="[^"<>]*"                       # a drawing
    | \#\d+                                                            # in a comment of somebody's source, in a traceback
    """,
    re.VERBOSE,
)
_BASE64 = re.compile(r"[A-Za-z0-9+/_-]{20,}={0,2}")
_WORD = re.compile(r"(?<![0-9A-Za-z_])\d{4}(?![0-9A-Za-z_])")


@dataclass
class Known:
    """The secrets of one run. ``phones``: without country code, ten digits."""

    secrets: set[str] = field(default_factory=set)
    codes: set[str] = field(default_factory=set)
    phones: set[str] = field(default_factory=set)

    def find(self, text: str, with_phones: bool = True) -> list[str]:
        """What of it stands in ``text``, with its surroundings."""
        found = []
        for form in forms(text):
            found += _around(form, map(re.escape, self.secrets))
            found += _around(without_noise(form), map(_code, self.codes))
            if with_phones:
                found += _around(form, map(_phone, self.phones))
        return found


def forms(text: str) -> Iterator[str]:
    """The text, and what is wrapped in it: escapes of HTML and of addresses, base64 (also
    compressed, as a session is).
    """
    yield text
    for other in (html.unescape(text), unquote(text)):
        if other != text:
            yield other
    for token in set(_BASE64.findall(text)):
        unpacked = _unpack(token)
        if unpacked is not None:
            yield unpacked


def without_noise(text: str) -> str:
    return _NOISE.sub(" ~ ", text)


def words(texts: Iterable[str]) -> set[str]:
    """Every four digits that stand alone in any of the texts: with which a code could be confused."""
    return {
        word
        for text in texts
        for form in forms(text)
        for word in _WORD.findall(without_noise(form))
    }


def _code(code: str) -> str:
    """A word of its own, as four digits are in every longer number; or apart, as a robot says them."""
    apart = rf"(?<![0-9][ -]){'[ -]'.join(code)}(?![ -][0-9])"
    return rf"(?<![0-9A-Za-z_])(?:{code}|{apart})(?![0-9A-Za-z_])"


def _phone(national: str) -> str:
    """79991234567, +7 999 123-45-67, 8 (999) 123 45 67, 999-1234567: the ten digits, whatever is
    before and between them.
    """
    return r"[\W_]{0,3}".join(national)


def _around(text: str, patterns: Iterable[str]) -> list[str]:
    pattern = "|".join(patterns)
    matches = re.finditer(pattern, text) if pattern else iter(())
    return [text[max(match.start() - 60, 0) : match.end() + 30] for match in matches]


def _unpack(token: str) -> str | None:
    plain = token.rstrip("=").translate(str.maketrans("-_", "+/"))
    try:
        data = b64decode(plain + "=" * (-len(plain) % 4))
    except (binascii.Error, ValueError):
        return None
    try:
        data = zlib.decompress(data)
    except zlib.error:
        pass
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return None
