"""Parses reports on a call or SMS: callbacks, the answer to ``state``, and rows of ``daily``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from email.parser import BytesParser
from email.policy import HTTP
from urllib.parse import parse_qsl

from django_voicepassword.exceptions import UnreadableReply
from django_voicepassword.provider.protocol import vocabulary
from django_voicepassword.provider.protocol.fields import (
    read_date,
    read_duration,
    read_price,
    read_text,
    strip_keys,
)
from django_voicepassword.provider.protocol.json_decoder import decode_json
from django_voicepassword.security.masking import mask_payload, mask_words

#: A usual callback has 150 bytes.
MAX_CALLBACK_BYTES = 65536

_MAX_FIELDS = 50
# Parts can be nested, and the parser of the standard library reads each line once for each level.
_MAX_LINES = 1000
_KEYS = frozenset({"id", "number", "state", "duration", "price", "date", "service"})


@dataclass(frozen=True, slots=True)
class Report:
    """What the provider says about one call or SMS. Absent values are None.

    ``duration`` is in seconds, ``price`` in roubles. ``date`` is naive, in the provider's zone.
    """

    id: str | None = None
    number: str | None = field(default=None, repr=False)
    state: str | None = None
    raw_state: str | None = None
    duration: int | None = None
    price: Decimal | None = None
    date: datetime | None = None
    service: str | None = None
    #: The report as it came, code and number masked.
    raw: Mapping[str, object] = field(default_factory=dict, repr=False, compare=False)

    @property
    def kind(self) -> str | None:
        """``call`` or ``sms``; None where neither the state nor the service says which."""
        return vocabulary.kind_of(self.raw_state, self.service)


def parse_report(payload: object, *secrets: str | None) -> Report:
    """Parse a JSON object and mask ``secrets`` in it.

    Raises UnreadableReply for anything else, and for an object with none of a report's keys.
    """
    if not isinstance(payload, dict):
        raise UnreadableReply("a report must be a JSON object")
    values = strip_keys(payload)
    if not any(read_text(values.get(key), 64) for key in _KEYS):
        raise UnreadableReply(
            "a report must have at least one of id, number, state, duration, price and date"
        )
    word = read_text(values.get("state"), 64)
    number = read_text(values.get("number"), 20)
    service = read_text(values.get("service"), 64)
    return Report(
        id=read_text(values.get("id"), 64),
        number="".join(filter(str.isdigit, number)) or None if number else None,
        state=vocabulary.read_state(word) if word else None,
        raw_state=mask_words(word, number, *secrets, length=64) if word else None,
        duration=read_duration(values.get("duration")),
        price=read_price(values.get("price")),
        date=read_date(values.get("date")),
        service=mask_words(service, number, *secrets, length=64) if service else None,
        raw=mask_payload(payload, *secrets),
    )


def parse_callback(body: bytes, content_type: str = "", *secrets: str | None) -> Report:
    """Parse the body of a callback, JSON or a form, and mask ``secrets`` in it.

    The provider's document names no content type, so the body decides; ``content_type`` is needed
    only for a multipart form. Raises UnreadableReply.
    """
    if len(body) > MAX_CALLBACK_BYTES:
        raise UnreadableReply(f"a callback has at most {MAX_CALLBACK_BYTES} bytes")
    if body.lstrip(b"\xef\xbb\xbf \t\r\n").startswith((b"{", b"[")):
        return parse_report(decode_json(body), *secrets)
    if content_type.strip().casefold().startswith("multipart/"):
        return parse_report(_read_multipart(body, content_type), *secrets)
    return parse_report(_read_form(body), *secrets)


def _read_form(body: bytes) -> dict[str, str]:
    try:
        pairs = parse_qsl(body.decode("utf-8"), max_num_fields=_MAX_FIELDS)
    except ValueError:
        raise UnreadableReply("the body is neither JSON nor a form") from None
    return dict(pairs)


def _read_multipart(body: bytes, content_type: str) -> dict[str, str]:
    if len(body.splitlines()) > _MAX_LINES:
        raise UnreadableReply(f"a multipart body has at most {_MAX_LINES} lines")
    head = f"Content-Type: {content_type[:300]}".replace("\r", " ").replace("\n", " ")
    try:
        message = BytesParser(policy=HTTP).parsebytes(
            head.encode("latin-1", "replace") + b"\r\n\r\n" + body
        )
        parts = list(message.iter_parts()) if message.is_multipart() else []
        fields = {}
        for part in parts[:_MAX_FIELDS]:
            name = part.get_param("name", header="content-disposition")
            value = part.get_payload(decode=True)
            if isinstance(name, str) and isinstance(value, bytes):
                fields[name] = value.decode("utf-8", "replace")
    except Exception:
        # The parser of the standard library is not made for hostile input and may raise anything.
        raise UnreadableReply("the multipart body cannot be read") from None
    return fields
