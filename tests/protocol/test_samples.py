"""Every sample in the provider's document, including its mistakes."""

from __future__ import annotations

import json
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from django_voicepassword.exceptions import ProviderRefused, UnreadableReply
from django_voicepassword.provider import protocol

SAMPLES = Path(__file__).parent.parent / "samples"
NUMBER = "79999999999"
CALLBACK = "http://MyUrl.ru/callback/"


def sample(name: str) -> bytes:
    return (SAMPLES / f"{name}.json").read_bytes()


@pytest.mark.parametrize(
    ("name", "body"),
    [
        ("flash_call_service", protocol.encode_flash_call(NUMBER, capacity=4)),
        ("flash_call_client", protocol.encode_flash_call(NUMBER, code="1234")),
        ("voice_client", protocol.encode_voice_call(NUMBER, code="1234")),
        ("voice_service", protocol.encode_voice_call(NUMBER)),
        ("voice_repeat", protocol.encode_voice_call(NUMBER, code="1234", repeat=True)),
        (
            "voice_repeat_ani",
            protocol.encode_voice_call(NUMBER, code="1234", repeat=True, ani="74959999999"),
        ),
        ("sms", protocol.encode_sms("1234")),
        ("flash_call_callback", protocol.encode_flash_call(NUMBER, callback_url=CALLBACK)),
        ("voice_callback", protocol.encode_voice_call(NUMBER, code="1234", callback_url=CALLBACK)),
        ("balance", protocol.encode_balance()),
        ("state", protocol.encode_state("12345")),
    ],
)
def test_a_request_is_encoded_as_in_the_document(name: str, body: dict[str, Any]) -> None:
    assert body == json.loads(sample(f"request_{name}"))


def test_the_date_of_a_daily_request_is_dd_mm_yyyy() -> None:
    assert protocol.encode_daily(datetime(2020, 9, 1).date()) == {
        "request": "daily",
        "date": "01.09.2020",
    }


def test_the_reply_to_a_call_is_parsed() -> None:
    reply = protocol.parse_send(sample("reply_send"))
    assert (reply.id, reply.number, reply.price) == ("1234", NUMBER, Decimal("0.35"))
    # The placeholder XXXX is not a code.
    assert reply.code is None


def test_the_reply_to_an_sms_is_parsed_despite_a_space_in_a_key_and_cyrillic_letters() -> None:
    reply = protocol.parse_send(sample("reply_sms"))
    assert (reply.id, reply.price, reply.code) == ("1234", Decimal("3.30"), None)
    with_code = sample("reply_sms").decode().replace("ХХХХ", "0042").encode()
    assert protocol.parse_send(with_code).code == "0042"


def test_the_error_code_may_be_a_description() -> None:
    with pytest.raises(ProviderRefused) as caught:
        protocol.parse_send(sample("reply_error"))
    assert caught.value.error_code == "Описание ошибки"


def test_the_balance_is_parsed() -> None:
    assert protocol.parse_balance(sample("reply_balance")) == protocol.Balance(
        Decimal("999.00"), "Rub"
    )


def test_the_state_of_a_call_is_parsed() -> None:
    report = protocol.parse_state(sample("reply_state"))
    assert report == protocol.Report(
        id="12345",
        number=NUMBER,
        state="answered",
        raw_state="Успешно",
        duration=4,
        price=Decimal("0.35"),
        date=datetime(2020, 9, 11, 13, 34, 39),
        service="Voice Password",
    )


def test_the_rows_of_a_day_are_parsed() -> None:
    rows = [protocol.parse_report(row) for row in json.loads(sample("reply_daily"))["data"]]
    assert [(row.state, row.duration) for row in rows] == [("answered", 4), ("busy", 0)]


def test_a_callback_is_parsed_and_masked() -> None:
    report = protocol.parse_callback(sample("callback"))
    assert (report.id, report.state, report.duration) == ("1234", "answered", 1)
    assert report.date == datetime(2020, 2, 2, 15, 18, 48)
    assert NUMBER not in str(report.raw)
    assert NUMBER not in repr(report)


@pytest.mark.parametrize(
    ("word", "state"),
    [
        ("BUSY", "busy"),
        ("NO ANSWER", "no_answer"),
        ("ANSWERED", "answered"),
        ("FAIL", "failed"),
        ("CANCEL", "canceled"),
        ("QUEUED", "sms_queued"),
        ("SEND", "sms_sent"),
        ("DELIVERED", "delivered"),
        ("NOT DELIVERED", "not_delivered"),
        ("Недозвон", "failed"),
        ("Дозвон", "dialing"),
        ("Отменён", "canceled"),
        ("нет_ответа", "no_answer"),
        ("Не доставлено", "not_delivered"),
        ("Telepathy", "other"),
    ],
)
def test_a_word_of_the_provider_maps_to_a_state(word: str, state: str) -> None:
    report = protocol.parse_report({"state": word})
    assert (report.state, report.raw_state) == (state, word)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b"[]",
        b"plain text",
        b'{"id": ',
        b"<html></html>",
        b'{"state": NaN}',
        b"\xff\xfe",
        b"[" * 60000,
        b'{"a":' * 10000,
        b"x" * 65537,
    ],
)
def test_an_invalid_callback_is_unreadable(body: bytes) -> None:
    with pytest.raises(UnreadableReply):
        protocol.parse_callback(body)


@pytest.mark.parametrize(
    "body", [b"id=1234&state=BUSY", b'\xef\xbb\xbf {"id": 1234, " State ": "busy"}']
)
def test_forms_numbers_and_unusual_keys_are_read(body: bytes) -> None:
    report = protocol.parse_callback(body)
    assert (report.id, report.state) == ("1234", "busy")


def test_a_multipart_form_is_read() -> None:
    body = b'--x\r\nContent-Disposition: form-data; name="state"\r\n\r\nDELIVERED\r\n--x--\r\n'
    assert protocol.parse_callback(body).state == "delivered"


@pytest.mark.parametrize("code", ["", "123", "12345", "12a4", "１２３４", 1234, True])
def test_a_code_that_is_not_four_digits_is_refused(code: Any) -> None:
    with pytest.raises(protocol.InvalidRequest, match="exactly 4 digits"):
        protocol.encode_flash_call(NUMBER, code=code)
    with pytest.raises(protocol.InvalidRequest, match="exactly 4 digits"):
        protocol.encode_voice_call(NUMBER, code=code)


@pytest.mark.parametrize("request_id", ["", "  ", None, True])
def test_an_sms_without_an_id_is_refused(request_id: Any) -> None:
    with pytest.raises(protocol.InvalidRequest, match="an id is needed"):
        protocol.encode_sms(request_id)


def test_a_capacity_has_no_meaning_beside_a_code() -> None:
    with pytest.raises(protocol.InvalidRequest, match="leave out capacity"):
        protocol.encode_flash_call(NUMBER, code="1234", capacity=4)


@pytest.mark.parametrize("ani", ["", "abc", "7495"])
def test_an_ani_that_is_not_a_number_is_refused(ani: str) -> None:
    with pytest.raises(protocol.InvalidRequest, match="ani must be"):
        protocol.encode_voice_call(NUMBER, ani=ani)


def test_secrets_and_numbers_in_an_error_are_masked() -> None:
    body = json.dumps(
        {"result": "error", "error_code": f"bad key s3cret for +7 999 999-99-99 {NUMBER}"}
    ).encode()
    with pytest.raises(ProviderRefused) as caught:
        protocol.parse_send(body, "s3cret")
    assert "s3cret" not in str(caught.value)
    assert "999999" not in caught.value.error_code.replace(" ", "").replace("-", "")
