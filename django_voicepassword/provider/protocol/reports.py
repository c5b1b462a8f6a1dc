"""Parses a report on a call or SMS: a callback, the answer to ``state``, or a row of ``daily``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, tzinfo
from decimal import Decimal

from django_voicepassword.exceptions import UnreadableReply
from django_voicepassword.provider.protocol import vocabulary
from django_voicepassword.provider.protocol.fields import (
    read_date,
    read_duration,
    read_price,
    read_text,
    strip_keys,
)
from django_voicepassword.security.masking import mask_payload, mask_words

_KEYS = frozenset({"id", "number", "state", "duration", "price", "date", "service"})


@dataclass(frozen=True, slots=True)
class Report:
    """What the provider says about one call or SMS. Absent values are None.

    ``duration`` is in seconds, ``price`` in roubles. ``date`` is naive: the provider's wall clock.
    Where the provider names a zone, ``date`` is converted to Moscow's time, and ``zone`` is UTC+3.
    Otherwise ``zone`` is None, and ``date`` is in PROVIDER_TIME_ZONE.
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
    zone: tzinfo | None = None

    @property
    def moment(self) -> datetime | None:
        """``date``, aware where the provider names its zone."""
        return self.date.replace(tzinfo=self.zone) if self.date else None

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
    moment = read_date(values.get("date"))
    return Report(
        id=read_text(values.get("id"), 64),
        number="".join(filter(str.isdigit, number)) or None if number else None,
        state=vocabulary.read_state(word) if word else None,
        raw_state=mask_words(word, number, *secrets, length=64) if word else None,
        duration=read_duration(values.get("duration")),
        price=read_price(values.get("price")),
        date=moment.replace(tzinfo=None) if moment else None,
        service=mask_words(service, number, *secrets, length=64) if service else None,
        raw=mask_payload(payload, *secrets),
        zone=moment.tzinfo if moment else None,
    )
