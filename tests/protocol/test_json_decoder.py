"""JSON is decoded with numbers as text, and the guard limits depth and digits across chunks."""

from __future__ import annotations

import json

import pytest

from django_voicepassword.exceptions import UnreadableReply
from django_voicepassword.provider.protocol.json_decoder import (
    MOST_DEPTH,
    MOST_DIGITS,
    JsonGuard,
    decode_json,
)


@pytest.mark.parametrize(
    ("body", "value"),
    [
        (
            b'{"id": 12345678901234567890, "price": 0.10}',
            {"id": "12345678901234567890", "price": "0.10"},
        ),
        (b'\xef\xbb\xbf["\xd0\xb0", true, null, -1]', ["а", True, None, "-1"]),
        (b"1e999999", "1e999999"),
        (b"9" * 5000, "9" * 5000),
    ],
)
def test_numbers_are_decoded_as_text(body: bytes, value: object) -> None:
    assert decode_json(body) == value


@pytest.mark.parametrize(
    "body", [b"", b"{", b"nope", b'"\xff', b"NaN", b"[-Infinity]", b"[" * 100_000, b"{}{}"]
)
def test_invalid_json_is_unreadable(body: bytes) -> None:
    with pytest.raises(UnreadableReply, match="not JSON") as caught:
        decode_json(body)
    # The decoding error, which holds the document, is not shown.
    assert caught.value.__suppress_context__


def passes(*chunks: bytes) -> bool:
    """Return whether the guard accepts a document in these chunks."""
    guard = JsonGuard()
    try:
        for chunk in chunks:
            guard.look(chunk)
    except UnreadableReply:
        return False
    return True


def nested(depth: int, inside: bytes = b"1") -> bytes:
    """Return nested lists and objects, with brackets and quotes in strings at each level."""
    start = (b'{"[[{\\"[": ', b'["]]", "\\\\", "", ')
    end = (b', "]\\\\\\"}}": "\\\\"}', b', "[{"]')
    opened = b"".join(start[level % 2] for level in range(depth))
    closed = b"".join(end[level % 2] for level in reversed(range(depth)))
    return opened + inside + closed


@pytest.mark.parametrize(
    ("depth", "is_flat"), [(1, True), (2, True), (49, True), (50, True), (201, False), (202, False)]
)
def test_the_depth_is_limited_wherever_the_document_is_cut(depth: int, is_flat: bool) -> None:
    text = nested(depth)
    json.loads(text)
    assert passes(text) == is_flat
    for cut in range(0, len(text), 1 if is_flat else 97):
        assert passes(text[:cut], text[cut:]) == is_flat


@pytest.mark.parametrize("size", [1, 2, 3, 7])
def test_open_brackets_are_counted_exactly(size: int) -> None:
    assert MOST_DEPTH == 50
    for depth, is_flat in ((49, True), (50, True), (51, False)):
        text = nested(depth, b"1" * 20)
        assert passes(*(text[at : at + size] for at in range(0, len(text), size))) == is_flat


@pytest.mark.parametrize("size", [1, 2, 5, 1000])
def test_sibling_brackets_are_not_limited(size: int) -> None:
    text = b"[" + b",".join([nested(49), b"{}", b'"["', b'{"a": []}', nested(3)] * 20) + b"]"
    json.loads(text)
    assert passes(*(text[at : at + size] for at in range(0, len(text), size)))


@pytest.mark.parametrize(("opening", "closing"), [(b"[", b"]"), (b'{"a":', b"}")])
def test_brackets_closed_in_the_same_chunk_count_while_they_are_open(
    opening: bytes, closing: bytes
) -> None:
    assert passes(opening * 50 + closing * 50)
    assert not passes(opening * 101 + b"1" + closing * 101)
    assert not passes(opening * 51)
    assert not passes(opening * 50, opening)
    assert passes(opening * 50, closing, opening)
    assert not passes(opening * 50, closing, opening, opening)


@pytest.mark.parametrize("digit", [b"0", b"1", b"5", b"9"])
def test_the_number_of_digits_is_limited(digit: bytes) -> None:
    assert MOST_DIGITS == 1000
    assert passes(b"[" + digit * 1000 + b"]")
    assert passes(b"[" + digit * 1000 + b"," + digit * 1000 + b"]")
    assert not passes(b"[" + digit * 1001 + b"]")
    for cut in (1, 2, 500, 999, 1000, 1001):
        text = b"[" + digit * 1001 + b"]"
        assert not passes(text[:cut], text[cut:])
        assert passes(text[1:cut], b",", text[cut + 1 :])
    assert not passes(*(digit for _ in range(1001)))
    assert passes(*(digit for _ in range(1000)))
