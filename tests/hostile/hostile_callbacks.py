"""Malformed callbacks: the sample of the document, cut, flipped, repeated, wrapped and mislabeled.

The same seed gives the same callbacks, so that a failure can be repeated.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

from django.utils.http import parse_header_parameters

from tests.hostile.byte_mutations import BYTE_MUTATIONS, flipped

SAMPLE: dict[str, str] = json.loads(
    (Path(__file__).parents[1] / "samples" / "callback.json").read_text("utf-8")
)
#: From so many callbacks on, none is left out.
ROOM_FOR_ALL = 5000
BOUNDARY = "----b0und4ry"
JSON, FORM, MULTIPART = (
    "application/json",
    "application/x-www-form-urlencoded",
    f"multipart/form-data; boundary={BOUNDARY}",
)

WORDS = [
    "BUSY",
    "NO ANSWER",
    "ANSWERED",
    "FAIL",
    "CANCEL",
    "Дозвон",
    "QUEUED",
    "SEND",
    "DELIVERED",
    "NOT DELIVERED",
    "Успешно",
]
#: Values as text of a JSON document; some are not valid JSON.
RAW_VALUES = [
    *(Path(__file__).parent / "corpus" / "json_values.txt").read_text("utf-8").splitlines(),
    *(json.dumps(word) for word in WORDS),
    *('"\x00"', '"\n"', "9" * 400, "9" * 5000, "-" + "9" * 50, "0" * 60),
    *('"' + "x" * 300 + '"', '"' + "я" * 300 + '"', '"' + "\\u0430" * 300 + '"'),
    *("[" * 200 + "]" * 200, "[" * 5000, '{"a":' * 100 + "1" + "}" * 100),
]


def _reads_any_charset() -> bool:
    """Return False on the first versions of Django 5.2.

    There a header parameter in a codec that is no charset fails before any view.
    """
    try:
        parse_header_parameters(f"a/b; {NO_TEXT}")
    except LookupError:
        return False
    return True


NO_TEXT = "name*=zlib''%41"
#: Such parameters, if this version of Django survives them.
STRANGE_PARAMETERS = [NO_TEXT] if _reads_any_charset() else []
#: Replacements for the name of a multipart part. The standard library's parser fails at some.
NAMES = [
    'name="',
    "name=",
    "name",
    "name*",
    "name*0*",
    *STRANGE_PARAMETERS,
    'name="state"; name="id"',
    "=",
    "",
    "\x00",
    "name=(",
    "name=<",
]
READ_KEYS = [*SAMPLE, "service"]
KEYS = [
    *READ_KEYS,
    "code",
    " message",
    "STATE",
    " state ",
    "security",
    "error_code",
    "\\u0000",
    "\\ud800",
    "",
    "x" * 300,
]
CONTENT_TYPES = [
    *(
        "",
        JSON,
        FORM,
        MULTIPART,
        "text/plain",
        "text/html",
        "application/json; charset=utf-16",
        "application/json; charset=zlib",
    ),
    *(
        "application/json; charset=nonsense",
        "application/json\r\nX-Evil: 1",
        "multipart/form-data; boundary=b\r\nX-Evil: 1\r\n\r\n",
    ),
    *(
        "multipart/form-data",
        "multipart/form-data; boundary=",
        'multipart/form-data; boundary="',
        "multipart/" + "x" * 5000,
    ),
    *(
        "multipart/form-data; boundary*0=a; boundary*1=b",
        "multipart/form-data; boundary=\xff\xfe",
        "multipart/mixed; boundary=b",
    ),
    *(
        "message/rfc822",
        "\x00",
        ";;;",
        "/",
        "application/x-www-form-urlencoded; charset=utf-7",
        "x" * 8000,
    ),
]
ENVIRONMENTS: list[dict[str, str]] = [
    *(
        {"HTTP_ACCEPT": accept}
        for accept in ("text/html", "", "x", "*/*;q=\x00", "application/xml;q=0.9, */*;q=0")
    ),
    *(
        {"CONTENT_LENGTH": length}
        for length in ("", "x", "-1", "0", "10", "99999999999999999999", "1e3", "٣", "50 50")
    ),
    *({"HTTP_CONTENT_ENCODING": coding} for coding in ("gzip", "deflate", "br", "\x00")),
    {"HTTP_TRANSFER_ENCODING": "chunked"},
    {"HTTP_X_HTTP_METHOD_OVERRIDE": "DELETE"},
    {"HTTP_ACCEPT_LANGUAGE": "ru" * 300},
    {"HTTP_X_FORWARDED_FOR": "\x00, ::1%eth0, [" * 50},
    {"HTTP_COOKIE": "sessionid=" + "x" * 9000},
]


@dataclass(frozen=True)
class Callback:
    body: bytes
    content_type: str = JSON
    query: str = ""
    environ: dict[str, Any] = field(default_factory=dict)


def callbacks(count: int, seed: int = 0) -> Iterator[Callback]:
    """Yield ``count`` callbacks: first cuts, flips and values in order, then random ones.

    Where there is room, every cut of every encoding, every bit, and every value of every key.
    """
    rng = random.Random(seed)
    yielded = 0
    for callback in systematic(whole=count >= ROOM_FOR_ALL):
        if yielded == count:
            return
        yielded += 1
        yield callback
    for _ in range(count - yielded):
        yield by_chance(rng)


def systematic(whole: bool) -> Iterator[Callback]:
    """Yield callbacks in order. Without ``whole``, inputs that take the same path are left out.

    Then multipart is cut at every third byte, two bits of each byte are flipped, and the keys that
    nobody reads share the values.
    """
    for kind, body in encodings(SAMPLE).items():
        for length in range(0, len(body) + 1, 1 if whole or kind != MULTIPART else 3):
            yield Callback(body[:length], kind)
            yield Callback(body[length:], kind)
    body = json.dumps(SAMPLE).encode()
    for place in range(len(body)):
        for bit in range(8) if whole else (place % 8, (place + 3) % 8):
            yield Callback(flipped(body, place, bit))
    for place, value in enumerate(RAW_VALUES):
        unread = KEYS[len(READ_KEYS) :]
        for key in KEYS if whole else [*READ_KEYS, unread[place % len(unread)]]:
            yield Callback(json_object({**quoted(SAMPLE), f'"{key}"': value}))
    for content_type in CONTENT_TYPES:
        for body in encodings(SAMPLE).values():
            yield Callback(body, content_type)
    yield from (Callback(body, environ=environ) for environ in ENVIRONMENTS)
    for name in NAMES:
        parts = encodings(SAMPLE)[MULTIPART].replace(b'name="state"', name.encode())
        yield Callback(parts, MULTIPART)
        yield Callback(parts, f"{MULTIPART}; {name}")


def encodings(values: dict[str, Any]) -> dict[str, bytes]:
    """Encode a report in each accepted form; return content type -> body."""
    parts = (
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{key}"\r\n\r\n{value}\r\n'
        for key, value in values.items()
    )
    multipart = f"{''.join(parts)}--{BOUNDARY}--\r\n".encode("utf-8", "surrogatepass")
    return {
        JSON: json.dumps(values).encode(),
        FORM: urlencode(values, errors="replace").encode(),
        MULTIPART: multipart,
    }


def quoted(values: dict[str, Any]) -> dict[str, str]:
    return {json.dumps(key): json.dumps(value) for key, value in values.items()}


def json_object(values: dict[str, str] | list[tuple[str, str]]) -> bytes:
    pairs = values.items() if isinstance(values, dict) else values
    return ("{" + ", ".join(f"{key}: {value}" for key, value in pairs) + "}").encode(
        "utf-8", "surrogatepass"
    )


def by_chance(chance: random.Random) -> Callback:
    """Return a report with odd values in random order and encoding, then damaged a few times."""
    values = [(f'"{key}"', json.dumps(value)) for key, value in SAMPLE.items()]
    values.append(('"state"', json.dumps(chance.choice(WORDS))))
    for _ in range(chance.randrange(5)):
        values.append((f'"{chance.choice(KEYS)}"', chance.choice(RAW_VALUES)))
    chance.shuffle(values)
    del values[chance.randrange(1, len(values) + 1) :]
    kind, body = JSON, json_object(values)
    if chance.random() < 0.4:
        kind, body = chance.choice(
            [*encodings({key.strip('"'): value.strip('"') for key, value in values}).items()]
        )
    for _ in range(chance.choice([0, 0, 1, 1, 2, 4])):
        body = chance.choice(BYTE_MUTATIONS)(chance, body)
    content_type = chance.choice(CONTENT_TYPES) if chance.random() < 0.2 else kind
    environ = chance.choice(ENVIRONMENTS) if chance.random() < 0.1 else {}
    if chance.random() < 0.05:
        return Callback(
            b"",
            "",
            quote(body[:66000]) if chance.random() < 0.5 else body[:66000].decode("latin-1"),
            environ,
        )
    return Callback(body, content_type, environ=environ)
