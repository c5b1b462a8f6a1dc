"""Requests are encoded at the bounds of their values, and invalid values name what is needed."""

from __future__ import annotations

import datetime
from typing import Any

import pytest

from django_voicepassword.provider.protocol import requests

NUMBER = "79990000001"


@pytest.mark.parametrize("number", ["+79990000001", NUMBER, "1" * 15])
def test_a_number_is_sent_as_digits(number: str) -> None:
    digits = number.lstrip("+")
    assert requests.encode_flash_call(number) == {"number": digits, "capacity": "4"}
    assert requests.encode_voice_call(number, ani=number) == {
        "number": digits,
        "voice": {"ani": digits},
    }


@pytest.mark.parametrize(
    "number", ["1" * 10, "1" * 16, "++79990000001", "7999000000x", "", None, 79990000001, "٧" * 11]
)
def test_an_invalid_number_is_refused(number: Any) -> None:
    for encode in (requests.encode_flash_call, requests.encode_voice_call):
        with pytest.raises(requests.InvalidRequest, match=r"^number must be"):
            encode(number)


@pytest.mark.parametrize("capacity", [4, 5, 10])
def test_a_capacity_is_sent_as_text(capacity: int) -> None:
    assert requests.encode_flash_call(NUMBER, capacity=capacity)["capacity"] == str(capacity)


@pytest.mark.parametrize("capacity", [0, 3, 11, True, "4", 4.0])
def test_an_invalid_capacity_is_refused(capacity: Any) -> None:
    with pytest.raises(requests.InvalidRequest, match="from 4 to 10"):
        requests.encode_flash_call(NUMBER, capacity=capacity)


def test_a_voice_call_repeats_the_code_only_on_request() -> None:
    assert requests.encode_voice_call(NUMBER, code="0042")["voice"] == {"code": "0042"}
    assert requests.encode_voice_call(NUMBER, code="0042", repeat=True)["voice"] == {
        "code": "0042",
        "repeat": "1",
    }


@pytest.mark.parametrize(
    ("id", "sent"), [("12", "12"), (12, "12"), (0, "0"), (" 12\n", "12"), ("x" * 64, "x" * 64)]
)
def test_an_id_is_sent_as_stripped_text(id: Any, sent: str) -> None:
    assert requests.encode_state(id) == {"request": "state", "id": sent}
    assert requests.encode_sms(id) == {"sms": {"id": sent}}


@pytest.mark.parametrize("id", ["", " ", "x" * 65, "1\x002", True, None, 1.5, ["12"]])
def test_an_invalid_id_is_refused(id: Any) -> None:
    for encode in (requests.encode_state, requests.encode_sms):
        with pytest.raises(requests.InvalidRequest, match="an id is needed"):
            encode(id)


def test_a_date_is_sent_as_dd_mm_yyyy() -> None:
    assert requests.encode_daily(datetime.date(5, 1, 2)) == {
        "request": "daily",
        "date": "02.01.0005",
    }
    for date in ("2020-09-01", None, 5):
        with pytest.raises(requests.InvalidRequest, match=r"datetime\.date"):
            requests.encode_daily(date)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "url",
    [
        "http://example.org/",
        "https://example.org:8443/a?b=c",
        "HTTPS://example.org",
        f"http://a.org/{'x' * 1987}",
    ],
)
def test_a_callback_url_is_sent_unchanged(url: str) -> None:
    assert requests.encode_flash_call(NUMBER, callback_url=url)["callback_url"] == url
    assert requests.encode_voice_call(NUMBER, callback_url=url)["callback_url"] == url


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("", "without spaces"),
        ("http://example.org/ a", "without spaces"),
        ("http://пример.рф/", "without spaces"),
        (f"http://a.org/{'x' * 1988}", "without spaces"),
        (5, "without spaces"),
        ("example.org/callback/", "without a user name"),
        ("ftp://example.org/", "without a user name"),
        ("http:///callback/", "without a user name"),
        ("http://user:word@example.org/", "without a user name"),
        ("http://[::1/", "without a user name"),
    ],
)
def test_an_invalid_callback_url_is_refused(url: Any, message: str) -> None:
    for encode in (requests.encode_flash_call, requests.encode_voice_call):
        with pytest.raises(requests.InvalidRequest, match=message):
            encode(NUMBER, callback_url=url)


def test_no_error_message_contains_the_code() -> None:
    for refused in ({"code": "12345"}, {"code": "1234", "capacity": 4}):
        with pytest.raises(requests.InvalidRequest) as caught:
            requests.encode_flash_call(NUMBER, **refused)
        assert "1234" not in str(caught.value)
