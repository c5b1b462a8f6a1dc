"""The provider's wire format, both ways. Pure: knows neither Django nor the network.

``words`` are the vocabularies, ``requests`` turn an intent into JSON, ``replies`` turn JSON into a
frozen answer or an error, ``reports`` read callbacks and rows of statistics.
"""

from django_voicepassword.provider.protocol.daily_rows import DailyRow, RowReader, row_of
from django_voicepassword.provider.protocol.fields import read_date
from django_voicepassword.provider.protocol.json_decoder import JsonGuard
from django_voicepassword.provider.protocol.replies import (
    Balance,
    SendReply,
    parse_balance,
    parse_object,
    parse_send,
    parse_state,
    raise_refusal,
)
from django_voicepassword.provider.protocol.reports import (
    MAX_CALLBACK_BYTES,
    Report,
    parse_callback,
    parse_report,
)
from django_voicepassword.provider.protocol.requests import (
    InvalidRequest,
    encode_balance,
    encode_daily,
    encode_flash_call,
    encode_sms,
    encode_state,
    encode_voice_call,
)
from django_voicepassword.security.masking import mask_payload, mask_text

__all__ = [
    "MAX_CALLBACK_BYTES",
    "Balance",
    "DailyRow",
    "InvalidRequest",
    "JsonGuard",
    "Report",
    "RowReader",
    "SendReply",
    "encode_balance",
    "encode_daily",
    "encode_flash_call",
    "encode_sms",
    "encode_state",
    "encode_voice_call",
    "mask_payload",
    "mask_text",
    "parse_balance",
    "parse_callback",
    "parse_object",
    "parse_report",
    "parse_send",
    "parse_state",
    "raise_refusal",
    "read_date",
    "row_of",
]
