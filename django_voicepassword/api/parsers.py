"""Request parsers for untrusted bodies: a body is either parsed or a ParseError, never a crash."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import IO, Any

from rest_framework.exceptions import ParseError
from rest_framework.parsers import BaseParser, FormParser, JSONParser, MultiPartParser

#: Far more than needed: real bodies have some hundred bytes.
MAX_BODY_BYTES = 65536


class _Utf8(BaseParser):
    """Decodes as UTF-8 whatever charset the request names.

    Some of Python's codecs decompress data, and some raise unexpected exceptions.
    """

    def parse(
        self,
        stream: IO[Any],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> Any:
        return super().parse(stream, media_type, {**(parser_context or {}), "encoding": "utf-8"})


class BoundedJSONParser(_Utf8, JSONParser):
    """JSON of at most MAX_BODY_BYTES. JSON nested too deeply for Python is a ParseError."""

    def parse(
        self,
        stream: IO[Any],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> Any:
        body = stream.read(MAX_BODY_BYTES + 1)
        if len(body) > MAX_BODY_BYTES:
            raise ParseError(f"JSON parse error - longer than {MAX_BODY_BYTES} bytes")
        try:
            return super().parse(io.BytesIO(body), media_type, parser_context)
        except RecursionError:
            raise ParseError("JSON parse error - nested too deeply") from None


class Utf8FormParser(_Utf8, FormParser):
    """``application/x-www-form-urlencoded``."""


class Utf8MultiPartParser(_Utf8, MultiPartParser):
    """``multipart/form-data``."""
