"""The search for secrets in a text, whatever their spelling and encoding."""

from __future__ import annotations

import binascii
import html
import re
import zlib
from base64 import b64decode
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from urllib.parse import unquote

#: Four digits that are no code, which their surroundings show. They are cut out before the search
#: for codes.
_NOISE = re.compile(
    r"""
    # UUID: one of seven has a group of digits alone
      [0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}
    # address of an object
    | [a-z0-9+-]*@?0x[0-9a-f]{4,}
    # port
    | 127\.0\.0\.1'?(?::|,\s)\d+
    # date
    | \d{4}-\d\d-\d\d(-\d{4})? | \d\d\.\d\d\.\d{4} | \d\d/[A-Z][a-z]{2}/\d{4}
    # time
    | \d\d:\d\d(:\d\d([.,]\d+)?)?
    # seconds, money, coordinates
    | \d+[.,]\d+(e[+-]?\d+)?
    # status and length of an HTTP answer
    | HTTP/1\.[01][^0-9]{1,6}\d{3}[^0-9]{1,6}\d+
    # moment, with its year and its microseconds
    | datetime\.datetime\([\d, ]*
    # port of a database
    | \bPORT(?:['"\\]|&quot;|&\#x27;)*:\s(?:['"\\]|&quot;|&\#x27;)*\d+
    # figures of a process
    | (?:pid|clock|utcoffset|lineno|fd)[\\"]*\s?[:=]\s?-?\d+
    # SVG drawing
    | \b(?:d|points|viewBox|transform)="[^"<>]*"
    # number of an issue, in a source line of a traceback
    | \#\d+
    """,
    re.VERBOSE,
)
_BASE64 = re.compile(r"[A-Za-z0-9+/_-]{20,}={0,2}")


@dataclass
class Secrets:
    """The secrets of one run. ``phones``: ten digits, without the country code."""

    secrets: set[str] = field(default_factory=set)
    codes: set[str] = field(default_factory=set)
    phones: set[str] = field(default_factory=set)

    def find(self, text: str, with_phones: bool = True) -> list[str]:
        """Return every secret in ``text``, with the characters around it."""
        leaks: list[str] = []
        for decoded in decodings(text):
            leaks += _matches(decoded, map(re.escape, self.secrets))
            leaks += _matches(_NOISE.sub(" ~ ", decoded), map(_code, self.codes))
            if with_phones:
                leaks += _matches(decoded, map(_phone, self.phones))
        return leaks


def decodings(text: str) -> Iterator[str]:
    """Yield the text as it is, then decoded from HTML, URL escapes and base64.

    Base64 may be compressed, as in a session.
    """
    yield text
    for decoded in (html.unescape(text), unquote(text)):
        if decoded != text:
            yield decoded
    for token in set(_BASE64.findall(text)):
        decoded_token = _decode_base64(token)
        if decoded_token is not None:
            yield decoded_token


def _code(code: str) -> str:
    """Match a code as a word of its own, or digit by digit as a voice call says it.

    Inside of a longer number any four digits may stand by chance.
    """
    spelled_out = rf"(?<![0-9][ -]){'[ -]'.join(code)}(?![ -][0-9])"
    return rf"(?<![0-9A-Za-z_])(?:{code}|{spelled_out})(?![0-9A-Za-z_])"


def _phone(national: str) -> str:
    """Match the ten digits whatever is before and between them.

    79991234567, +7 999 123-45-67, 8 (999) 123 45 67, 999-1234567.
    """
    return r"[\W_]{0,3}".join(national)


def _matches(text: str, patterns: Iterable[str]) -> list[str]:
    pattern = "|".join(patterns)
    matches = re.finditer(pattern, text) if pattern else iter(())
    return [text[max(match.start() - 60, 0) : match.end() + 30] for match in matches]


def _decode_base64(token: str) -> str | None:
    unpadded = token.rstrip("=").translate(str.maketrans("-_", "+/"))
    try:
        data = b64decode(unpadded + "=" * (-len(unpadded) % 4))
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
