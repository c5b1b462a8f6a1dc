"""Requests that no schema describes: charsets, lengths, origins, headers.

Every answer of the API is JSON, and every error has the documented form.
"""

from __future__ import annotations

import bz2
import json
import zlib
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from django_voicepassword.api.parsers import MAX_BODY_BYTES
from django_voicepassword.models import Verification
from django_voicepassword.testing import Sent
from tests.hostile import strategies as hostile
from tests.hostile.site import Answer, Site

START = "/api/verifications/"
GOOD = b'{"phone": "+7 916 123-45-67"}'
JSON, FORM, MULTIPART = (
    "application/json",
    "application/x-www-form-urlencoded",
    "multipart/form-data; boundary=b",
)
PARTS = b'--b\r\nContent-Disposition: form-data; name="phone"\r\n\r\n+7 916 123-45-67\r\n--b--\r\n'
#: Python codecs that are no charset, that fail in odd ways or decompress, and some rare charsets.
CHARSETS = [
    *(
        "zlib",
        "bz2",
        "hex",
        "base64",
        "uu",
        "quopri",
        "rot13",
        "undefined",
        "punycode",
        "idna",
        "unicode_escape",
    ),
    *(
        "raw_unicode_escape",
        "utf-16",
        "utf-32",
        "utf-7",
        "cp037",
        "koi8-r",
        "nonsense",
        "",
        "utf-8;utf-8",
    ),
]


@pytest.fixture(autouse=True)
def _no_limits(configure: Callable[..., None]) -> None:
    configure(LIMITS={"phone": [], "ip": [], "phone_guesses": []})


def check(answer: Answer) -> None:
    assert answer.status < 500
    assert answer.header("Content-Type") == "application/json"
    if answer.status >= 400:
        assert {"code", "detail"} <= set(answer.json) <= {"code", "detail", "fields"}


@pytest.mark.parametrize("charset", CHARSETS)
@pytest.mark.parametrize(
    ("content_type", "body"), [(JSON, GOOD), (FORM, b"phone=79161234567"), (MULTIPART, PARTS)]
)
def test_the_charset_of_a_request_is_ignored(
    site: Site, content_type: str, body: bytes, charset: str
) -> None:
    answer = site.ask("POST", START, body, f"{content_type}; charset={charset}")
    check(answer)
    assert answer.status == 201


def test_a_charset_decompresses_nothing(site: Site) -> None:
    for charset, pack in (("zlib", zlib.compress), ("bz2", bz2.compress)):
        answer = site.ask("POST", START, pack(GOOD), f"{JSON}; charset={charset}")
        check(answer)
        assert (answer.status, answer.json["code"]) == (400, "parse_error")


@pytest.mark.parametrize("content_type", [JSON, FORM, MULTIPART])
def test_a_long_body_is_refused_in_the_documented_form(site: Site, content_type: str) -> None:
    around = {
        JSON: (b'{"phone": "', b'"}'),
        FORM: (b"phone=", b""),
        MULTIPART: (PARTS[:52], b"\r\n--b--\r\n"),
    }[content_type]
    for length in (100_000, 3_000_000, 10_000_000):
        answer = site.ask("POST", START, around[0] + b"7" * length + around[1], content_type)
        check(answer)
        assert answer.status == 400


def test_the_limit_of_a_json_body_is_exact(site: Site) -> None:
    for length, status in ((MAX_BODY_BYTES, 201), (MAX_BODY_BYTES + 1, 400)):
        assert site.ask("POST", START, GOOD.ljust(length), JSON).status == status


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b"a=b&" * 5000, FORM),
        (PARTS[:-7] * 1500 + b"--b--\r\n", MULTIPART),
        (PARTS[:-7].replace(b'"phone"', b'"phone"; filename="x"') * 300 + b"--b--\r\n", MULTIPART),
        (b"", "multipart/form-data"),
        (b"x", "multipart/form-data; boundary=\xff".encode("latin-1").decode("latin-1")),
        (b"x", "\x00"),
        (b"x", "x" * 8000),
        (b"x", "application/json\r\nX-Evil: 1"),
        (b"", ""),
    ],
)
def test_an_unreadable_body_is_refused_in_the_documented_form(
    site: Site, body: bytes, content_type: str
) -> None:
    answer = site.ask("POST", START, body, content_type)
    check(answer)
    assert answer.status in (400, 415)


@pytest.mark.parametrize(
    "origin",
    [
        "http://[",
        "http://[::1",
        "null",
        "//",
        "http://testserver\x00",
        "http://testserver.evil",
        "javascript:1",
    ],
)
def test_a_form_of_an_invalid_origin_rings_nobody(
    site: Site, outbox: list[Sent], origin: str
) -> None:
    for body, content_type in ((b"phone=79161234567", FORM), (PARTS, MULTIPART)):
        answer = site.ask("POST", START, body, content_type, HTTP_ORIGIN=origin)
        check(answer)
        assert (answer.status, answer.json["code"]) == (403, "permission_denied")
    assert outbox == []


@pytest.mark.parametrize(
    "accept",
    ["text/html", "x", "", "*/*;q=\x00", "application/json;indent=999999999", "a/b," * 5000],
)
def test_no_accept_header_does_harm(site: Site, accept: str) -> None:
    answer = site.ask("POST", START, GOOD, JSON, HTTP_ACCEPT=accept)
    check(answer)
    assert answer.status in (201, 406)


@settings(hostile.thorough, suppress_health_check=list(HealthCheck))
@given(
    st.sampled_from(
        ["verifications/", "verifications/{}/check/", "verifications/{}/resend/", "login/"]
    ),
    st.one_of(
        hostile.values,
        st.dictionaries(
            st.sampled_from(["phone", "purpose", "channel", "code", "verification"]), hostile.values
        ),
    ),
)
def test_no_json_does_harm(site: Site, path: str, body: Any) -> None:
    existing = Verification.objects.first()
    address = f"/api/{path.format(existing.id if existing else 'x')}"
    text = json.dumps(body, default=str)
    check(site.ask("POST", address, text.encode("utf-8", "surrogatepass"), JSON))
    assert not Verification.objects.filter(status="approved").exists()
