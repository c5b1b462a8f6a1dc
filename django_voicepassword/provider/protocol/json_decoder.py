"""Bytes to JSON, whatever somebody may send for it."""

from __future__ import annotations

import json
from typing import Any

from django_voicepassword.exceptions import UnreadableReply

#: More digits than a number has, and more brackets in brackets than an answer has.
MOST_DIGITS, MOST_DEPTH = 1000, 50

_ZEROS = bytes.maketrans(b"123456789", b"000000000")
_TOO_MANY = b"0" * (MOST_DIGITS + 1)
_NO_BRACKETS = bytes(set(range(256)) - set(b'"[]{}'))


def decode_json(body: bytes) -> Any:
    """The JSON value in UTF-8 ``body``. Raises UnreadableReply, and nothing else, for whatever is
    none.
    """
    try:
        # Numbers stay text: an id may be one, a float would round a price, and huge ones are no
        # danger.
        return json.loads(
            body.decode("utf-8-sig"),
            parse_float=str,
            parse_int=str,
            parse_constant=_refuse_constant,
        )
    except (ValueError, RecursionError):
        raise UnreadableReply("not JSON") from None


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


class JsonGuard:
    """Looks at JSON, chunk by chunk, before the C parser of ``ijson`` does.

    An integer beyond Python's own limit (4,300 digits) kills the process there, and brackets in
    brackets take memory by the square of their depth: 64 KiB of them are 10 GB.
    """

    def __init__(self) -> None:
        self._zeros = b""
        self._rest = b""
        self._is_text = False
        self._depth = 0

    def look(self, chunk: bytes) -> None:
        """Raises UnreadableReply."""
        zeros = self._zeros + chunk.translate(_ZEROS)
        self._zeros = zeros[-MOST_DIGITS:]
        if _TOO_MANY in zeros or not self._is_flat(self._brackets(chunk)):
            raise UnreadableReply("the answer has numbers or brackets that no answer has")

    def _brackets(self, chunk: bytes) -> bytes:
        """The brackets of ``chunk`` that are not within text."""
        chunk = self._rest + chunk
        # A backslash at the end belongs to what comes next.
        whole = len(chunk) - (len(chunk) - len(chunk.rstrip(b"\\"))) % 2
        self._rest = chunk[whole:]
        chunk = chunk[:whole]
        if b'\\"' in chunk:
            chunk = chunk.replace(b"\\\\", b"").replace(b'\\"', b"")
        # Text without brackets, which is nearly all text, leaves two quotes beside each other.
        pieces = chunk.translate(None, _NO_BRACKETS).replace(b'""', b"").split(b'"')
        outside = b"".join(pieces[self._is_text :: 2])
        self._is_text ^= len(pieces) % 2 == 0
        return outside

    def _is_flat(self, brackets: bytes) -> bool:
        for _ in range(MOST_DEPTH):
            fewer = brackets.replace(b"{}", b"").replace(b"[]", b"")
            if fewer == brackets:
                break
            brackets = fewer
        opened = brackets.count(b"[") + brackets.count(b"{")
        self._depth += 2 * opened - len(brackets)
        return max(opened, self._depth) <= MOST_DEPTH
