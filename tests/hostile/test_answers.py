"""Every answer and report is either parsed or refused by the documented error.

Parsed values fit the database.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db import connection
from hypothesis import example, given
from hypothesis import strategies as st

from django_voicepassword.exceptions import ProviderError, ProviderRefused, UnreadableReply
from django_voicepassword.models import BalanceReading, CallRequest, CallStatus
from django_voicepassword.provider import protocol
from django_voicepassword.provider.protocol import fields
from tests.hostile import strategies as hostile

READERS: list[Callable[..., protocol.SendReply | protocol.Balance | protocol.Report]] = [
    protocol.parse_send,
    protocol.parse_balance,
    protocol.parse_state,
]
answers = st.dictionaries(
    st.sampled_from(["result", "id", "number", "price", "code", " message", "balance", "currency"]),
    hostile.values,
)
answers = st.one_of(
    hostile.values, answers, st.builds(lambda data: {"result": "ok", "data": data}, hostile.values)
)


def fits(model: type[Any], **values: Any) -> bool:
    """Return whether every database accepts these values for these fields."""
    for name, value in values.items():
        field = model._meta.get_field(name)
        field.get_db_prep_save(value, connection)
        with suppress(ValidationError):
            field.run_validators(value)
            continue
        return False
    return True


def check_report(report: protocol.Report) -> None:
    assert len(report.id or "") <= 64
    columns = {
        "state": report.state or "other",
        "raw_state": report.raw_state or "",
        "duration": report.duration,
    }
    assert fits(CallStatus, **{name: value for name, value in columns.items() if value is not None})
    if report.price is not None:
        assert fits(CallStatus, price=report.price)
    assert fits(CallRequest, service=report.service or "", provider_id=report.id or "")
    stored = json.dumps(dict(report.raw), allow_nan=False)
    # PostgreSQL refuses NUL and lone surrogates, MariaDB text that is not UTF-8.
    assert "\\u0000" not in stored
    json.dumps(dict(report.raw), ensure_ascii=False).encode()
    assert len(stored) < 100_000


@hostile.thorough
@given(st.binary(max_size=300))
@example(b"[" * 60000)
@example(b'{"a":' * 10000)
@example(b'{"id":' + b"9" * 60000 + b"}")
@example(b"\xff\xfe{\x00}\x00")
def test_bytes_are_refused_by_the_documented_error(body: bytes) -> None:
    for read in [*READERS, protocol.parse_callback]:
        with suppress(UnreadableReply, ProviderRefused):
            read(body)


@hostile.thorough
@given(answers, st.booleans())
@example({"result": "ok", "balance": "1e9999999"}, True)
@example({"result": "ok", "balance": "0e9999999"}, True)
@example({"result": "ok", "balance": "9999999999.99999"}, True)
@example({"result": "ok", "price": "99999999.99999"}, True)
@example({"result": "ok", "data": [{"id": 1, "price": "99999999.99999"}]}, True)
def test_an_answer_is_read_or_refused(answer: Any, ascii: bool) -> None:
    body = json.dumps(answer, ensure_ascii=ascii, default=str).encode("utf-8", "surrogatepass")
    for read in READERS:
        try:
            parsed = read(body, "secret")
        except (UnreadableReply, ProviderRefused):
            continue
        if isinstance(parsed, protocol.Report):
            check_report(parsed)
        elif isinstance(parsed, protocol.Balance):
            assert fits(BalanceReading, balance=parsed.amount, currency=parsed.currency)
        else:
            assert parsed.price is None or fits(CallRequest, price=parsed.price)
            assert len(parsed.id) <= 64
            assert parsed.code is None or (parsed.code.isascii() and 4 <= len(parsed.code) <= 10)


@hostile.thorough
@given(hostile.values)
@example({"price": "99999999.99999"})
@example({"state": "x" * 10**6, "\ud800" * 10**6: "\x00" * 10**6})
def test_a_report_is_read_or_refused_and_fits_the_database(payload: Any) -> None:
    with suppress(UnreadableReply):
        check_report(protocol.parse_report(payload))


@hostile.thorough
@given(hostile.objects)
def test_an_object_with_a_known_state_is_read(payload: dict[str, Any]) -> None:
    # No other spelling of the key may override the state.
    payload = {key: value for key, value in payload.items() if key.strip().casefold() != "state"}
    report = protocol.parse_report({**payload, "state": "BUSY"})
    check_report(report)
    assert report.state == "busy"


@hostile.thorough
@given(
    st.text(st.characters(categories=["Ll", "Lu", "Nd"]), min_size=1, max_size=64),
    hostile.phones,
    st.integers(0, 604800),
    st.decimals(0, 99999999, places=4),
    st.datetimes(datetime(1000, 1, 1)).map(lambda moment: moment.replace(microsecond=0)),
)
def test_values_are_read_as_they_were_written(
    id: str, number: str, seconds: int, price: Decimal, moment: datetime
) -> None:
    usual = {"id": id, "number": number, "state": "NO ANSWER", "price": str(price)}
    callback = {**usual, "duration": str(seconds), "date": moment.isoformat(" ")}
    row = {**usual, "duration": f"{seconds // 60 // 60}:{seconds // 60 % 60}:{seconds % 60}"}
    row["date"] = f"{moment.day:02}.{moment.month:02}.{moment.year} {moment.time()}"
    report = protocol.parse_report(callback)
    assert (report.id, report.number) == (id, number)
    assert (report.state, report.duration) == ("no_answer", seconds)
    assert (report.price, report.date) == (price, moment)
    assert protocol.parse_report(row) == report
    assert protocol.parse_callback(json.dumps(callback).encode()) == report


@hostile.thorough
@given(hostile.scalars)
def test_a_single_value_is_read_or_none(value: Any) -> None:
    for read in (fields.read_price, fields.read_amount, fields.read_duration, fields.read_date):
        with suppress(ProviderError):
            assert isinstance(read(value), (Decimal, int, date, type(None)))


@pytest.mark.parametrize(
    "read", [fields.read_price, fields.read_amount, fields.read_duration, fields.read_date]
)
def test_a_megabyte_is_no_value(read: Any) -> None:
    for piece in ("1", " ", "1 ", "\ud800", "1:"):
        assert read(piece * (10**6 // len(piece))) is None
