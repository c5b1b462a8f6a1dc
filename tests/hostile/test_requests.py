"""Requests to the provider: exactly the intended values arrive, or nothing is sent."""

from __future__ import annotations

import datetime
import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from django_voicepassword.provider import protocol
from django_voicepassword.sandbox.simulator import Exchange
from tests.hostile import strategies as hostile

SECTIONS = {"capacity", "flashcall", "voice", "sms", "request"}
#: Numbers, codes and counts that error messages contain as examples.
EXAMPLES = ("79999999999", "0123", " 4 ", " 10", " 11 ", " 15 ")
optional = st.one_of(st.none(), hostile.values, hostile.codes, hostile.phones)


@pytest.fixture(scope="module")
def provider() -> Exchange:
    """The sandbox: it reads JSON without code of the package."""
    return Exchange("key", Decimal(10**9))


def refused_or_one_section(encode: Callable[[], dict[str, Any]], *secrets: Any) -> None:
    try:
        body = encode()
    except protocol.InvalidRequest as error:
        message = str(error)
        for example in EXAMPLES:
            message = message.replace(example, "")
        for secret in secrets:
            assert not (isinstance(secret, str) and secret.isdigit() and secret in message)
        return
    assert json.loads(json.dumps(body)) == body
    assert len(SECTIONS & set(body)) == 1
    for section in (body, *body.values()):
        if isinstance(section, dict):
            assert all(isinstance(value, (str, dict)) and value != "" for value in section.values())


@hostile.thorough
@given(optional, optional, optional, optional)
@example("79990000001", "0042", None, "https://example.org/callback/")
@example("79990000001", None, 10, None)
def test_a_flash_call_is_refused_or_has_one_section(
    number: Any, code: Any, capacity: Any, url: Any
) -> None:
    refused_or_one_section(
        lambda: protocol.encode_flash_call(number, code, capacity, url), number, code
    )


@hostile.thorough
@given(optional, optional, st.booleans(), optional, optional)
@example("79990000001", "0042", True, "74959999999", "https://example.org/callback/")
def test_a_voice_call_is_refused_or_has_one_section(
    number: Any, code: Any, repeat: bool, ani: Any, url: Any
) -> None:
    refused_or_one_section(
        lambda: protocol.encode_voice_call(number, code, repeat, ani, url), number, code, ani
    )


@hostile.thorough
@given(optional)
def test_an_id_and_a_date_are_refused_or_sent(value: Any) -> None:
    refused_or_one_section(lambda: protocol.encode_sms(value))
    refused_or_one_section(lambda: protocol.encode_state(value))
    refused_or_one_section(lambda: protocol.encode_daily(value))


@hostile.thorough
@given(hostile.phones, st.one_of(st.none(), hostile.codes))
def test_the_provider_reads_a_flash_call_as_it_was_meant(
    provider: Exchange, number: str, code: str | None
) -> None:
    reply, _ = provider.send(protocol.encode_flash_call(number, code))
    row: dict[str, Any] = provider.calls[-1].ledger_entry()
    assert (row["channel"], row["number"]) == ("flashcall", number)
    assert row["from"].endswith(row["code"])
    assert code in (None, row["code"])
    read = protocol.parse_send(json.dumps(reply).encode())
    assert (read.id, read.number, read.code, read.price) == (
        row["id"],
        number,
        row["code"],
        Decimal("0.35"),
    )


@hostile.thorough
@given(
    hostile.phones,
    st.one_of(st.none(), hostile.codes),
    st.booleans(),
    st.one_of(st.none(), hostile.phones),
)
def test_the_provider_reads_a_voice_call_as_it_was_meant(
    provider: Exchange, number: str, code: str | None, repeat: bool, ani: str | None
) -> None:
    provider.send(protocol.encode_voice_call(number, code, repeat, ani))
    row: dict[str, Any] = provider.calls[-1].ledger_entry()
    assert (row["channel"], row["number"]) == ("voice", number)
    assert (code in (None, row["code"]), ani in (None, row["from"])) == (True, True)
    assert row["says"].count(" ".join(row["code"])) == 1 + repeat


@hostile.thorough
@given(hostile.phones)
def test_the_provider_reads_an_sms_as_it_was_meant(provider: Exchange, number: str) -> None:
    reply, _ = provider.send(protocol.encode_flash_call(number))
    sms_reply, _ = provider.send(protocol.encode_sms(str(reply["id"])))
    assert provider.calls[-1].follows == reply["id"]
    parsed = protocol.parse_send(json.dumps(sms_reply, ensure_ascii=False).encode())
    assert parsed.code == reply["code"]


@hostile.thorough
@given(st.dates())
def test_a_date_is_read_as_it_was_written(date: datetime.date) -> None:
    written = protocol.encode_daily(date)["date"]
    assert protocol.read_date(f"{written} 00:00:00") == datetime.datetime.combine(
        date, datetime.time()
    )
