"""Parses the body of a callback: JSON, a form or a multipart form.

The provider's document names no content type, and servers on the way may change the header. So the
body alone decides how it is read.
"""

from __future__ import annotations

from email.parser import BytesParser
from email.policy import HTTP
from urllib.parse import parse_qsl

from django_voicepassword.exceptions import UnreadableReply
from django_voicepassword.provider.protocol.json_decoder import (
    decode_json,
    decode_text,
    strip_start,
)
from django_voicepassword.provider.protocol.reports import Report, parse_report

#: A usual callback has 150 bytes.
MAX_CALLBACK_BYTES = 65536

_MAX_FIELDS = 50
# Parts can be nested, and the parser of the standard library reads each line once for each level.
_MAX_LINES = 1000


def parse_callback(body: bytes, *secrets: str | None) -> Report:
    """Parse the body of a callback and mask ``secrets`` in it.

    A body that begins with ``{`` or ``[`` is JSON. One whose first line begins with ``--`` is a
    multipart form, and the rest of that line is its boundary. Any other body is a form. Raises
    UnreadableReply.
    """
    if len(body) > MAX_CALLBACK_BYTES:
        raise UnreadableReply(f"a callback has at most {MAX_CALLBACK_BYTES} bytes")
    body = strip_start(body)
    if body.startswith((b"{", b"[")):
        return parse_report(decode_json(body), *secrets)
    first_line, line_end, _ = body.partition(b"\n")
    if first_line.startswith(b"--") and line_end:
        return parse_report(_read_multipart(body, first_line[2:].rstrip()), *secrets)
    return parse_report(_read_form(body), *secrets)


def _read_form(body: bytes) -> dict[str, str]:
    # In latin-1 each character is one byte, so that the bytes of a value can be restored and its
    # encoding found.
    try:
        pairs = parse_qsl(body.decode("latin-1"), max_num_fields=_MAX_FIELDS, encoding="latin-1")
    except ValueError:
        raise UnreadableReply("the body is neither JSON nor a form") from None
    return {
        decode_text(name.encode("latin-1")): decode_text(value.encode("latin-1"))
        for name, value in pairs
    }


def _read_multipart(body: bytes, boundary: bytes) -> dict[str, str]:
    if len(body.splitlines()) > _MAX_LINES:
        raise UnreadableReply(f"a multipart body has at most {_MAX_LINES} lines")
    quoted = boundary.replace(b"\\", rb"\\").replace(b'"', rb"\"")
    head = b'Content-Type: multipart/form-data; boundary="' + quoted + b'"\r\n\r\n'
    try:
        message = BytesParser(policy=HTTP).parsebytes(head + body)
        parts = list(message.iter_parts()) if message.is_multipart() else []
        fields = {}
        for part in parts[:_MAX_FIELDS]:
            name = part.get_param("name", header="content-disposition")
            value = part.get_payload(decode=True)
            if isinstance(name, str) and isinstance(value, bytes):
                fields[name] = decode_text(value)
    except Exception:
        # The parser of the standard library is not made for hostile input and may raise anything.
        raise UnreadableReply("the multipart body cannot be read") from None
    return fields
