"""Decodes text and JSON that may come from anybody."""

from __future__ import annotations

import codecs
import json
from typing import NoReturn

from django_voicepassword.exceptions import UnreadableReply

#: Limits far beyond any real answer: digits in a row, depth of nested brackets, bytes of a string.
MOST_DIGITS, MOST_DEPTH, MOST_TEXT = 1000, 50, 65536

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


class Utf8Decoder:
    """Decodes what ``decode_text`` does, but in chunks, and gives it in UTF-8."""

    def __init__(self) -> None:
        self._rest = b""
        self._is_first = True
        # None until the first byte that is not ASCII.
        self._is_utf8: bool | None = None

    def decode(self, chunk: bytes, is_last: bool = False) -> bytes:
        """The chunk in UTF-8. The bytes of a character that is cut are given with the next one."""
        if self._is_first:
            chunk, self._is_first = strip_start(chunk), False
        chunk = self._rest + chunk
        if self._is_utf8 is not False:
            try:
                # In a document that was UTF-8, other bytes are single damaged characters.
                errors = "replace" if self._is_utf8 else "strict"
                text, used = codecs.utf_8_decode(chunk, errors, is_last)
            except UnicodeDecodeError:
                self._is_utf8 = False
            else:
                self._is_utf8 = self._is_utf8 or (None if text.isascii() else True)
                self._rest = chunk[used:]
                return text.encode()
        self._rest = b""
        return chunk.decode("cp1251", "replace").encode()


class JsonGuard:
    """Checks JSON, chunk by chunk, before the C parser of ``ijson`` reads it.

    In that parser an integer of more than 4,300 digits, Python's own limit, kills the process. Its
    memory grows with the square of the depth of nested brackets: 64 KiB of brackets take 10 GB. Its
    time grows with the square of the length of a string.
    """

    def __init__(self) -> None:
        self._zeros = b""
        self._rest = b""
        self._is_text = False
        # Bytes since the last quote.
        self._length = 0
        self._depth = 0

    def look(self, chunk: bytes) -> None:
        """Raises UnreadableReply if a number or a string is too long, or brackets are too deep."""
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
            chunk = chunk.replace(b"\\\\", b"..").replace(b'\\"', b"..")
        self._check_length(chunk)
        # Without its characters, a string is two quotes. Dropping these leaves few pieces to split.
        pieces = chunk.translate(None, _NO_BRACKETS).replace(b'""', b"").split(b'"')
        outside = b"".join(pieces[self._is_text :: 2])
        self._is_text ^= len(pieces) % 2 == 0
        return outside

    def _check_length(self, chunk: bytes) -> None:
        """Check the string that is open at the start of ``chunk``.

        Another one is too long only if it is open at the end of the chunk.
        """
        first = chunk.find(b'"')
        length = self._length + (len(chunk) if first < 0 else first)
        if self._is_text and length > MOST_TEXT:
            raise UnreadableReply(f"the answer has a string of more than {MOST_TEXT} bytes")
        self._length = length if first < 0 else len(chunk) - chunk.rfind(b'"') - 1

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
