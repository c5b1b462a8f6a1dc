"""Decodes text and JSON that may come from anybody."""

from __future__ import annotations

import json
from typing import NoReturn

from django_voicepassword.exceptions import UnreadableReply

#: Limits far beyond any real answer: digits in a row, and depth of nested brackets.
MOST_DIGITS, MOST_DEPTH = 1000, 50

_MARK_AND_SPACE = b"\xef\xbb\xbf \t\r\n"
_ZEROS = bytes.maketrans(b"123456789", b"000000000")
_TOO_MANY = b"0" * (MOST_DIGITS + 1)
_NO_BRACKETS = bytes(set(range(256)) - set(b'"[]{}'))


def strip_start(body: bytes) -> bytes:
    """Remove a byte order mark and white space from the start of a body."""
    return body.lstrip(_MARK_AND_SPACE)


def decode_text(text: bytes) -> str:
    """Decode UTF-8, or windows-1251 where the bytes are not UTF-8: the provider is Russian."""
    try:
        return text.decode("utf-8")
    except UnicodeDecodeError:
        return text.decode("cp1251", "replace")


def decode_json(body: bytes) -> object:
    """Decode a JSON value. Raises UnreadableReply, and nothing else."""
    try:
        # Numbers stay text: an id may be a number, a float would round a price, and numbers of any
        # length are harmless as text.
        return json.loads(
            decode_text(strip_start(body)),
            parse_float=str,
            parse_int=str,
            parse_constant=_refuse_constant,
        )
    except (ValueError, RecursionError):
        raise UnreadableReply("not JSON") from None


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


class JsonGuard:
    """Checks JSON, chunk by chunk, before the C parser of ``ijson`` reads it.

    In that parser an integer of more than 4,300 digits, Python's own limit, kills the process. Its
    memory grows with the square of the depth of nested brackets: 64 KiB of brackets take 10 GB.
    """

    def __init__(self) -> None:
        self._zeros = b""
        self._rest = b""
        self._is_text = False
        self._depth = 0

    def look(self, chunk: bytes) -> None:
        """Raises UnreadableReply if there are too many digits in a row or nested brackets."""
        zeros = self._zeros + chunk.translate(_ZEROS)
        self._zeros = zeros[-MOST_DIGITS:]
        if _TOO_MANY in zeros or not self._is_flat(self._brackets(chunk)):
            raise UnreadableReply("the answer has a number too long or brackets nested too deeply")

    def _brackets(self, chunk: bytes) -> bytes:
        """The brackets of ``chunk`` that are outside of strings."""
        chunk = self._rest + chunk
        # A single backslash at the end escapes the first byte of the next chunk.
        whole = len(chunk) - (len(chunk) - len(chunk.rstrip(b"\\"))) % 2
        self._rest = chunk[whole:]
        chunk = chunk[:whole]
        if b'\\"' in chunk:
            chunk = chunk.replace(b"\\\\", b"").replace(b'\\"', b"")
        # Without its characters, a string is two quotes. Dropping these leaves few pieces to split.
        pieces = chunk.translate(None, _NO_BRACKETS).replace(b'""', b"").split(b'"')
        outside = b"".join(pieces[self._is_text :: 2])
        self._is_text ^= len(pieces) % 2 == 0
        return outside

    def _is_flat(self, brackets: bytes) -> bool:
        """Whether no bracket is nested more than MOST_DEPTH deep."""
        for _ in range(MOST_DEPTH):
            fewer = brackets.replace(b"{}", b"").replace(b"[]", b"")
            if fewer == brackets:
                break
            brackets = fewer
        opened = brackets.count(b"[") + brackets.count(b"{")
        self._depth += 2 * opened - len(brackets)
        return max(opened, self._depth) <= MOST_DEPTH
