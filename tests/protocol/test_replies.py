"""Replies of the provider are parsed within bounds, and refusals and unreadable replies raise."""

from __future__ import annotations

import json
from dataclasses import FrozenInstanceError
from decimal import Decimal
from typing import Any

import pytest

from django_voicepassword.exceptions import AccountRefused, ProviderRefused, UnreadableReply
from django_voicepassword.provider import protocol


def reply_body(**values: Any) -> bytes:
    return json.dumps({"result": "ok", **values}).encode()


def test_a_reply_may_consist_of_ok_alone() -> None:
    assert protocol.parse_send(b'{" Result ": " OK "}') == protocol.SendReply(id="")


def test_values_are_cut_to_their_length() -> None:
    reply = protocol.parse_send(reply_body(id="i" * 70, number="7" * 30, price="0,35", code="1234"))
    assert reply == protocol.SendReply("i" * 64, "7" * 20, Decimal("0.35"), "1234")
    assert repr(reply) == f"SendReply(id='{'i' * 64}', price=Decimal('0.35'))"


def test_parsed_values_are_immutable() -> None:
    for value, name in (
        (protocol.SendReply("1"), "id"),
        (protocol.Balance(Decimal(1), "Rub"), "amount"),
        (protocol.Report(), "id"),
    ):
        with pytest.raises(FrozenInstanceError):
            setattr(value, name, None)
        assert not hasattr(value, "__dict__")


@pytest.mark.parametrize(
    ("values", "code"),
    [
        ({"code": "0042"}, "0042"),
        ({"code": 1234567890}, "1234567890"),
        ({"code": "123"}, None),
        ({"code": "12345678901"}, None),
        ({"code": "١٢٣٤"}, None),
        ({"code": "x", "message": "Ваш код: 0042."}, "0042"),
        ({"message": "0042"}, "0042"),
        ({"message": "7 or 123 or 4567"}, "4567"),
        ({"message": "call 79990000001, it says 4567"}, "4567"),
        ({"message": "79990000001"}, None),
        ({"message": "no code"}, None),
        ({"message": "x" * 196 + "0042"}, "0042"),
        ({"message": "x" * 197 + "0042"}, None),
        ({}, None),
    ],
)
def test_the_providers_code_is_read_from_code_or_message(
    values: dict[str, Any], code: str | None
) -> None:
    assert protocol.parse_send(reply_body(**values)).code == code


def test_a_balance_needs_an_amount_but_no_currency() -> None:
    assert protocol.parse_balance(reply_body(balance="-1.5")) == protocol.Balance(
        Decimal("-1.50"), ""
    )
    assert protocol.parse_balance(reply_body(balance=1, currency="R" * 20)).currency == "R" * 16
    for values in ({}, {"balance": None}, {"balance": "much"}):
        with pytest.raises(UnreadableReply, match="no balance"):
            protocol.parse_balance(reply_body(**values))


def test_a_state_is_a_report_or_a_list_or_object_of_one_report() -> None:
    report = {"id": "12", "state": "BUSY"}
    expected = protocol.parse_report(report)
    data: Any
    for data in (report, [report], {"0": report}):
        for body in (reply_body(data=data), reply_body(Data=data), reply_body(**{" data ": data})):
            assert protocol.parse_state(body) == expected
            assert protocol.parse_state(b"\xef\xbb\xbf" + body) == expected
    for data in ([], {}, [report, report], {"0": report, "1": report}, [[report]], None, "BUSY"):
        with pytest.raises(UnreadableReply):
            protocol.parse_state(reply_body(data=data))


@pytest.mark.parametrize(
    "body",
    [b"[]", b'"ok"', b"{}", b'{"result": "okay"}', b'{"result": null}', b'{"result": "errors"}'],
)
def test_a_reply_without_a_result_is_unreadable(body: bytes) -> None:
    for parse in (
        protocol.parse_object,
        protocol.parse_send,
        protocol.parse_balance,
        protocol.parse_state,
    ):
        with pytest.raises(UnreadableReply):
            parse(body)


@pytest.mark.parametrize(
    ("code", "error_code"),
    [
        ("User_Disabled", "User_Disabled"),
        (5, "5"),
        (None, "no error code"),
        ("", "no error code"),
        ({"a": 1}, "no error code"),
        ([1], "no error code"),
        ("bad s3cret", "bad ***"),
    ],
)
def test_a_refusal_has_the_error_code(code: Any, error_code: str) -> None:
    body = json.dumps({"Result": "ERROR", "Error_Code": code}).encode()
    for parse in (
        protocol.parse_object,
        protocol.parse_send,
        protocol.parse_balance,
        protocol.parse_state,
    ):
        with pytest.raises(ProviderRefused) as caught:
            parse(body, "s3cret")
        assert caught.value.error_code == error_code
        assert isinstance(caught.value, AccountRefused) == (error_code == "User_Disabled")


def test_secrets_in_a_state_are_masked() -> None:
    report = protocol.parse_state(
        reply_body(data={"state": "BUSY s3cret", "note": "s3cret"}), "s3cret"
    )
    assert (report.raw_state, dict(report.raw)) == (
        "BUSY ***",
        {"state": "BUSY ***", "note": "***"},
    )
