"""The provider's wire format. Imports neither Django nor anything of the network.

``requests`` encodes requests as JSON. ``replies`` parses the answers to them, into frozen
dataclasses or errors. ``reports`` parses a report: a callback, whose body ``callbacks`` decodes, a
state, or a row of statistics. ``daily_rows`` parses such rows fast. ``vocabulary`` has the
provider's words, ``fields`` parses single values, and ``json_decoder`` decodes text and JSON
safely.
"""

from django_voicepassword.provider.protocol.callbacks import MAX_CALLBACK_BYTES, parse_callback
from django_voicepassword.provider.protocol.daily_rows import DailyRow, Outcome, RowReader, row_of
from django_voicepassword.provider.protocol.fields import read_count, read_date
from django_voicepassword.provider.protocol.json_decoder import JsonGuard, Utf8Decoder
from django_voicepassword.provider.protocol.replies import (
    Balance,
    SendReply,
    parse_balance,
    parse_object,
    parse_send,
    parse_state,
    raise_refusal,
)
from django_voicepassword.provider.protocol.reports import Report, parse_report
from django_voicepassword.provider.protocol.requests import (
    Body,
    InvalidRequest,
    encode_balance,
    encode_daily,
    encode_flash_call,
    encode_sms,
    encode_state,
    encode_voice_call,
)
from django_voicepassword.provider.protocol.vocabulary import is_kind_certain
from django_voicepassword.security.masking import mask_payload, mask_text

__all__ = [
    "MAX_CALLBACK_BYTES",
    "Balance",
    "Body",
    "DailyRow",
    "InvalidRequest",
    "JsonGuard",
    "Outcome",
    "Report",
    "RowReader",
    "SendReply",
    "Utf8Decoder",
    "encode_balance",
    "encode_daily",
    "encode_flash_call",
    "encode_sms",
    "encode_state",
    "encode_voice_call",
    "is_kind_certain",
    "mask_payload",
    "mask_text",
    "parse_balance",
    "parse_callback",
    "parse_object",
    "parse_report",
    "parse_send",
    "parse_state",
    "raise_refusal",
    "read_count",
    "read_date",
    "row_of",
]
