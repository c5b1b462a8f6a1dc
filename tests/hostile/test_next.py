"""The parameter ``next`` cannot lead to another site or inject a header."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from django.contrib.auth import get_user_model
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from django_voicepassword.testing import Sent
from tests.hostile import strategies as hostile
from tests.hostile.browser import Browser, addresses, leads_away
from tests.hostile.site import Answer, Site

PHONE = "+7 916 123-45-67"
#: Addresses that browsers may open on another site, nearly all of them.
WAYS_OUT: list[str] = [
    *json.loads((Path(__file__).parent / "corpus" / "next.json").read_text("utf-8")),
    "/" + "x" * 50_000,
]
fragments = st.sampled_from(
    [
        *(
            "/",
            "//",
            "\\",
            "http:",
            "https:",
            "javascript:",
            "data:",
            ":",
            "@",
            "?",
            "#",
            ".",
            "..",
            "[",
            "]",
            ";",
            "&",
            "=",
            "%",
        ),
        *(
            "evil.example",
            "testserver",
            "testserver:80",
            "user:pw",
            "\t",
            "\r",
            "\n",
            "\x00",
            "\x0b",
            " ",
            "%2f",
            "%5c",
            "%0d%0a",
        ),
        *("／", "。", "\u2028", "\u202e", "\ud800", "é", "xn--", "0x7f.1", "1", "a"),
    ]
)
next_values = st.one_of(
    st.lists(fragments, max_size=8).map("".join), hostile.texts, st.sampled_from(WAYS_OUT)
)


def check(answer: Answer) -> None:
    assert answer.status < 500
    assert [address for address in addresses(answer) if leads_away(address)] == []
    assert not any(
        "\r" in value or "\n" in value or "\x00" in value
        for pair in answer.headers
        for value in pair
    )
    names = {name.casefold() for name, _ in answer.headers}
    assert "x-evil" not in names
    assert not any(
        value.startswith("a=b") for name, value in answer.headers if name == "Set-Cookie"
    )


def walk(browser: Browser, address: str, in_form: bool, code: Callable[[], str]) -> None:
    """Log in and out with ``next`` in every request."""
    query = "" if in_form else "?next=" + quote(address, safe="", errors="surrogatepass")
    also = {"next": address} if in_form else {}
    for page in ("login/", "confirm/", "login/code/", "login/code/cancel/", "logout/"):
        check(browser.get(f"/auth/{page}{query}"))
    check(browser.post(f"/auth/login/{query}", {"phone": "12", **also}))
    check(browser.post(f"/auth/login/{query}", {"phone": PHONE, **also}))
    check(browser.get(f"/auth/login/code/{query}"))
    check(browser.post(f"/auth/login/code/resend/{query}", {"channel": "x", **also}))
    check(browser.post(f"/auth/login/code/{query}", {"code": code(), **also}))
    check(browser.get(f"/auth/login/{query}"))
    check(browser.get(f"/auth/login/code/{query}"))
    check(browser.post(f"/auth/logout/{query}", also))


@pytest.fixture(autouse=True)
def _no_limits(configure: Callable[..., None]) -> None:
    configure(LIMITS={"phone": [], "ip": [], "phone_guesses": []})


@settings(
    hostile.thorough, max_examples=hostile.EXAMPLES // 2, suppress_health_check=list(HealthCheck)
)
@given(next_values, st.booleans())
@example("/ok\r\nSet-Cookie: a=b", False)
@example("http://evil.example\\@testserver/", True)
def test_no_next_leads_away(site: Site, outbox: list[Sent], address: str, in_form: bool) -> None:
    walk(Browser(site), address, in_form, lambda: outbox[-1].code if outbox else "")


@pytest.mark.parametrize("in_form", [True, False])
def test_no_known_way_out_leads_away(site: Site, outbox: list[Sent], in_form: bool) -> None:
    for address in WAYS_OUT:
        walk(Browser(site), address, in_form, lambda: outbox[-1].code)


def test_a_request_for_another_host_is_refused(site: Site, settings: Any) -> None:
    settings.ALLOWED_HOSTS = ["testserver"]
    browser = Browser(site, get_user_model().objects.create(username="someone"))
    for host in (
        "evil.example",
        "testserver.evil.example",
        "testserver@evil.example",
        "testserver\\evil.example",
        "[::1",
        "a b",
    ):
        answer = browser.get(f"/auth/login/?next=http://{quote(host)}/", HTTP_HOST=host)
        assert answer.status == 400


def test_leads_away_recognizes_each_way_out() -> None:
    inside = [address for address in WAYS_OUT if not leads_away(address)]
    # Percent-encoded or full-width slashes, or a lone surrogate before them, make a path here.
    assert [address for address in inside if "evil.example" in address] == [
        *("／／evil.example", "/%2f/evil.example", "/%5cevil.example", "\ud800//evil.example")
    ]
    assert {"/ok", "ok", "?ok", "http://testserver"} < set(inside)
