"""Bytes to JSON, whatever somebody may send for it."""

from __future__ import annotations

import json
from typing import Any

from django_voicepassword.exceptions import UnreadableReply


def decode_json(body: bytes) -> Any:
    """The JSON value in UTF-8 ``body``. Raises UnreadableReply, and nothing else, for whatever is none."""
    try:
        # Numbers stay text: an id may be one, a float would round a price, and huge ones are no danger.
        return json.loads(body.decode("utf-8-sig"), parse_float=str, parse_int=str, parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        raise UnreadableReply("not JSON") from None


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")
