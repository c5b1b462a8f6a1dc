"""Random damage to bytes: flips, cuts, repetitions, other encodings, compression, padding."""

from __future__ import annotations

import gzip
import random
import zlib
from collections.abc import Callable


def flipped(body: bytes, place: int, bit: int) -> bytes:
    return body[:place] + bytes([body[place] ^ 1 << bit]) + body[place + 1 :]


def _flip(chance: random.Random, body: bytes) -> bytes:
    return flipped(body, chance.randrange(len(body)), chance.randrange(8)) if body else b"\x00"


def _cut(chance: random.Random, body: bytes) -> bytes:
    begin, end = sorted(chance.randrange(len(body) + 1) for _ in range(2))
    return body[begin:end] if chance.random() < 0.5 else body[:begin] + body[end:]


def _double(chance: random.Random, body: bytes) -> bytes:
    begin, end = sorted(chance.randrange(len(body) + 1) for _ in range(2))
    return body[:end] + body[begin:end] * chance.choice([1, 1, 2, 50]) + body[end:]


def _insert(chance: random.Random, body: bytes) -> bytes:
    place = chance.randrange(len(body) + 1)
    odd = [
        b"\x00",
        b"\xff\xfe",
        b"\xed\xa0\x80",
        b"\xc0\x80",
        b"\xef\xbb\xbf",
        b'"',
        b"\\",
        b"\\u0000",
        b"\\ud800",
        b"&",
        b"%",
        b"%00",
    ]
    return (
        body[:place]
        + chance.choice([*odd, b"{", b"}", b"[", b"\r\n", b"NaN", b"1e999999", chance.randbytes(4)])
        + body[place:]
    )


def _wrap(chance: random.Random, body: bytes) -> bytes:
    depth = chance.choice([1, 2, 50, 3000])
    before, after = chance.choice(
        [(b"[", b"]"), (b'{"data": ', b"}"), (b'{"state": ', b"}"), (b" ", b"\t"), (b"(", b")")]
    )
    return before * depth + body + after * depth


def _recode(chance: random.Random, body: bytes) -> bytes:
    text = body.decode("utf-8", "replace")
    return text.encode(
        chance.choice(["utf-16", "utf-32", "utf-7", "cp1251", "latin-1", "utf-8-sig", "ascii"]),
        "replace",
    )


def _compress(chance: random.Random, body: bytes) -> bytes:
    return gzip.compress(body, mtime=0) if chance.random() < 0.5 else zlib.compress(body)


def _swell(chance: random.Random, body: bytes) -> bytes:
    """Pad to a length around the limit of 64 KiB."""
    filling = chance.choice(
        [b" ", b"\n", b"x", b"\x00", b'"', b"{", b"&a=b", b"\\", b"9", b"--b\r\n"]
    )
    size = chance.choice([65535, 65536, 65537, 70000]) - len(body)
    padding = (filling * (size // len(filling) + 1))[: max(size, 0)]
    return body + padding if chance.random() < 0.5 else padding + body


BYTE_MUTATIONS: list[Callable[[random.Random, bytes], bytes]] = [
    *(
        _flip,
        _flip,
        _cut,
        _cut,
        _double,
        _insert,
        _insert,
        _insert,
        _wrap,
        _recode,
        _compress,
        _swell,
    )
]
