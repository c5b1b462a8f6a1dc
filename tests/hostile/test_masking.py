"""No key, code or whole number is stored with the provider's text, wherever it stands there."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from django_voicepassword import security
from django_voicepassword.exceptions import ProviderRefused
from django_voicepassword.provider import protocol
from django_voicepassword.security import masking
from tests.hostile import strategies as hostile

#: Characters that people put between the digits of a number.
SEPARATORS = ["", " ", "-", ".", "\u00a0", "\u2011", "–", "/", "_", ", ", " - ", "\u200b", ")", "·"]
around = st.one_of(hostile.texts, st.text("abc ,;:=\"'", max_size=5000))


@st.composite
def spelled(draw: st.DrawFn, number: str) -> str:
    """Draw a spelling of a number with separators between its digits."""
    return "".join(digit + draw(st.sampled_from(SEPARATORS)) for digit in number)


def digits(text: str) -> str:
    return "".join(filter(str.isdigit, text))


@hostile.thorough
@given(around, hostile.keys, around, st.integers(1, 300))
@example("", "ABCDEFGHIJ" * 12, "", 60)
@example("k" * 150, "ABCDEFGHIJ" * 10, "", 60)
def test_no_text_keeps_a_secret(before: str, key: str, after: str, times: int) -> None:
    masked = security.mask_text(before + key * times + after, None, "", key)
    assert len(masked) <= masking.MAX_TEXT
    # A part of the key would make the rest easier to guess.
    assert key[:8] not in masked
    assert key[8:16] not in masked


@hostile.thorough
@given(st.data(), hostile.phones)
def test_no_text_keeps_a_number_however_it_is_spelled(data: st.DataObject, number: str) -> None:
    written = data.draw(spelled(number))
    masked = security.mask_text(f"call to +{written} failed")
    assert number[:7] not in digits(masked)
    assert number[-7:] not in digits(masked)


@pytest.mark.parametrize(
    "name",
    ["id", "number", "state", "duration", "price", "date", "service", "rows", "currency", "note"],
)
@pytest.mark.parametrize("separator", SEPARATORS)
def test_no_value_keeps_the_number_of_its_call(name: str, separator: str) -> None:
    number = "79161234567"
    written = separator.join(number)
    report = {"state": "BUSY", "number": number, name: f"+{written}"}
    for masked in (security.mask_payload(report), protocol.parse_report(report).raw):
        assert number[:7] not in digits(json.dumps(dict(masked)))


@hostile.thorough
@given(
    hostile.objects,
    st.sampled_from(["note", "text", "state", "service", "Code ", "message", "1"]),
    hostile.codes,
    hostile.keys,
)
def test_no_payload_keeps_a_code_or_a_key(
    payload: dict[str, Any], name: str, code: str, key: str
) -> None:
    with_secrets = {
        name: f"Ваш код: {code}, {key}",
        "nested": {"code": code, "apiKey": key},
        "security": key,
        key: key,
    }
    # First, because only the first keys are kept.
    masked = security.mask_payload({**with_secrets, **payload}, key)
    values = [value for name, value in masked.items() if name in {*with_secrets, "***"}]
    assert f" {code}" not in json.dumps(values)
    assert key not in json.dumps(masked, ensure_ascii=False)


def test_a_code_inside_of_a_state_is_not_stored() -> None:
    report = protocol.parse_report(
        {"state": "ANSWERED 4821", "service": "Voice Password 4821", "4821": "4821"}
    )
    assert "4821" not in f"{report.raw_state} {report.service} {dict(report.raw)}"


def test_a_key_that_a_reply_repeats_is_not_stored() -> None:
    key = "the-secret-key"
    data = {
        "id": key,
        "state": f"BUSY {key}",
        "service": key,
        "note": key,
        "date": key,
        "price": key,
        key: 1,
    }
    body = json.dumps({"result": "ok", "data": data}).encode()
    report = protocol.parse_state(body, key)
    assert key not in f"{report.raw_state} {report.service} {dict(report.raw)}"
    assert report.id == key


def test_usual_values_are_stored_unchanged() -> None:
    callback = {
        "id": "1234567890",
        "duration": "1",
        "state": "NO ANSWER",
        "price": "0.35",
        "date": "2020-02-02 15:18:48",
    }
    assert security.mask_payload(callback) == callback
    row = {
        "id": "1234",
        "duration": "00:04",
        "state": "Успешно",
        "price": 0.35,
        "date": "11.09.2020 13:34:39",
    }
    assert security.mask_payload(row) == {**row, "price": "0.35"}


@hostile.thorough
@given(hostile.texts, hostile.keys, hostile.phones)
def test_a_refusal_repeats_neither_key_nor_number(text: str, key: str, number: str) -> None:
    body = json.dumps({"result": "error", "error_code": f"{text}{key} {number}"}).encode()
    with pytest.raises(ProviderRefused) as caught:
        protocol.parse_send(body, key, number)
    shown = f"{caught.value} {caught.value.error_code} {caught.value!r}"
    assert key not in shown
    assert number not in shown


@pytest.mark.parametrize(
    "text", ["1", "1 ", "(-)1", "1 - ", "\ud800", "\x00", "a", "İ", "79161234567", "+"]
)
def test_a_megabyte_is_masked_in_a_moment(text: str) -> None:
    long = text * (10**6 // len(text))
    began = time.process_time()
    masked_text = security.mask_text(long, "secret", text)
    masked_payload = security.mask_payload(
        {long: long, "number": long, "date": long, "id": long, "nested": [long]}
    )
    # Quadratic work would take hours.
    assert time.process_time() - began < 10
    assert (len(masked_text), len(json.dumps(masked_payload))) < (201, 20_000)


@hostile.thorough
@given(st.one_of(hostile.texts, around, hostile.phones), st.lists(hostile.phones, max_size=3))
def test_masked_text_is_masked_again_without_a_change(text: str, numbers: list[str]) -> None:
    for mask in (masking.mask_text, masking.mask_words):
        masked = mask(" ".join([text, *numbers]))
        assert mask(masked) == masked
    assert masking.mask(masking.mask(text)) == masking.mask(text)


@hostile.thorough
@given(hostile.objects, hostile.phones)
def test_a_masked_payload_is_masked_again_without_a_change(
    payload: dict[str, Any], number: str
) -> None:
    masked = security.mask_payload({"number": number, **payload})
    assert security.mask_payload(masked) == masked


@hostile.thorough
@given(st.one_of(hostile.texts, st.from_regex(r"\A[+]?[0-9 *()-]{1,30}\Z")))
def test_a_masked_number_shows_a_country_code_and_two_digits_at_most(text: str) -> None:
    masked = masking.mask(text)
    country, _, ending = masked.partition(" ") if masked.startswith("+") else ("", "", masked)
    assert len(digits(country)) <= 3
    assert len(digits(ending)) <= 2
