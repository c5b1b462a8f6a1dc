"""The search for secrets finds every spelling and encoding, and takes no other figure for one."""

from __future__ import annotations

import json
import zlib
from base64 import b64encode, urlsafe_b64encode
from urllib.parse import quote

import pytest
from django.core import signing

from tests.secrets.secret_search import Secrets

SECRETS = Secrets({"the-secret-key"}, {"4821"}, {"9991234567"})
BODY = json.dumps({"number": "79991234567", "what": "is in a message of a broker"}).encode()


@pytest.mark.parametrize(
    "text",
    [
        "79991234567",
        "+79991234567",
        "9991234567",
        "89991234567",
        "999 123-45-67",
        "+7 (999) 123-45-67",
        "8&nbsp;999&nbsp;123&nbsp;45&nbsp;67",
        quote("+7 (999) 123-45-67"),
        "phone:79991234567",
        f'{{"body": "{b64encode(BODY).decode()}"}}',
        urlsafe_b64encode(zlib.compress(BODY)).decode().rstrip("="),
        # The time of signing is in them.
        pytest.param(
            signing.dumps(["+7 999 123 45 67", "x" * 40], key="any", compress=True),
            id="signed and compressed",
        ),
        pytest.param(signing.dumps({"phone": "+7 999 123 45 67"}, key="any"), id="signed"),
        "the code is 4821.",
        '{"code": "4821"}',
        "code=4821&phone=",
        "('4821',)",
        "<b>4821</b>",
        "4 8 2 1",
        "4-8-2-1",
        "calling 79990000000 4821 now",
        "{'Authorization': 'the-secret-key'}",
        'b"{\\"apiKey\\": \\"the-secret-key\\"}"',
    ],
)
def test_a_secret_is_found_in_every_spelling_and_encoding(text: str) -> None:
    assert SECRETS.find(f"before {text} after")


@pytest.mark.parametrize(
    "text",
    [
        "+7 *** ***-**-67",
        "***67",
        "0f2a4821-4821-4821-9bcd-4821aaaa4821",
        "expires_at=datetime.datetime(4821, 1, 2, 3, 4, 5, 4821, tzinfo=datetime.timezone.utc)",
        "{'HOST': '127.0.0.1', 'PORT': '4821', 'USER': 'postgres'}",
        "&#x27;PORT&#x27;: &#x27;4821&#x27;",
        "succeeded in 0.4821s",
        '"GET / HTTP/1.1" 200 4821',
        "('GET / HTTP/1.1', '200', '4821')",
        '{"pid": 4821, "clock": 4821}',
        '{\\"pid\\": 4821}',
        "raddr=('127.0.0.1', 4821)",
        "http://127.0.0.1:4821/",
        "<object at 0x7f4821>",
        "2026-11-25 48:21:48,214",
        '<path d="M4 8 2 1-4821z"/>',
        "0 4 8 2 1",
        "4 8 2 1 0",
        "14821",
        "a4821",
    ],
)
def test_other_figures_are_no_secrets(text: str) -> None:
    assert SECRETS.find(f"before {text} after") == []


def test_numbers_are_ignored_on_request() -> None:
    assert SECRETS.find("79991234567", with_phones=False) == []
    assert SECRETS.find("4821", with_phones=False)
