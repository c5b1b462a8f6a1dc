"""Bodies from strangers: whatever they hold, they are read or are a ParseError."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import IO, Any

from rest_framework.exceptions import ParseError
from rest_framework.parsers import BaseParser, FormParser, JSONParser, MultiPartParser

#: What is sent here has some hundred bytes.
MAX_BODY_BYTES = 65536


class _Utf8(BaseParser):
    """The body is UTF-8, whatever charset it names: some of Python's codecs unpack archives, some
    fail in odd ways.
    """

    def parse(
        self,
        stream: IO[Any],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> Any:
        return super().parse(stream, media_type, {**(parser_context or {}), "encoding": "utf-8"})


class BoundedJSONParser(_Utf8, JSONParser):
    """JSON of bounded length; what is nested too deeply for Python is a slip of the sender, not a
    fault of ours.
    """

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
    """A form."""


class Utf8MultiPartParser(_Utf8, MultiPartParser):
    """A form with parts."""
