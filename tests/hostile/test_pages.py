"""Requests to the pages that no browser sends: no unhandled exception, and nobody is rung."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import cycle, islice, product
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.contrib.sessions.models import Session
from django.db import connection
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from django_voicepassword.models import Verification, VerifiedPhone
from django_voicepassword.testing import Sent
from django_voicepassword.web.session import SESSION_KEY
from tests.hostile import strategies as hostile
from tests.hostile.browser import FORM, TOKEN, Browser
from tests.hostile.hostile_callbacks import STRANGE_PARAMETERS
from tests.hostile.site import Answer, Site

PHONE = "+7 916 123-45-67"
PAGES = [
    *(
        "login/",
        "login/code/",
        "login/code/resend/",
        "login/code/cancel/",
        "login/code/state/",
        "confirm/",
        "logout/",
    ),
]
#: In which state of the browser a page reads what is sent; in the others it redirects.
READER = {
    "login/": "stranger",
    "confirm/": "user with a number",
    "logout/": "user with a number",
}
FIELDS = ["phone", "code", "channel", "next", "csrfmiddlewaretoken", "purpose", "verification"]
VALUES = [
    *(
        "\x00",
        "+7916\x001234567",
        "\ud800",
        "\udcff",
        "x" * 100_000,
        "7" * 3_000_000,
        "\r\nSet-Cookie: a=b",
        "'\"><script>",
    ),
    *(
        "{{ 7*7 }}",
        "%s%n",
        "٣" * 11,
        "NaN",
        "1e999999",
        "-1",
        "\u202e",
        "\ufeff",
        "null",
        "[]",
        "login\n",
        "../../etc/passwd",
    ),
]
BODIES = [
    *(
        b"",
        b"\x00",
        b"\xff\xfe\xfd",
        b"&&&===",
        b"phone",
        b"phone[]=1&phone[0]=2",
        b"a=b&" * 5000,
        b"phone=%",
        b"phone=%zz%00",
    ),
    *(
        b"phone=%ed%a0%80&code=%ed%a0%80",
        b"phone=1&phone=2&phone=3&code=1&code=2",
        b'{"phone": ["+79161234567"]}',
    ),
]
# Without a charset but UTF-8: for a form with another one Django itself fails, before any view and
# in its error pages too.
CONTENT_TYPES = [
    *(
        "",
        FORM,
        "application/json",
        "text/plain",
        "multipart/form-data",
        "multipart/form-data; boundary=",
        "x" * 8000,
    ),
    *(
        "multipart/form-data; boundary=b\r\nX-Evil: 1",
        f"{FORM}; charset=utf-8",
        f"{FORM}; charset=nonsense",
        "\x00",
        *(f"a/b; {parameter}" for parameter in STRANGE_PARAMETERS),
    ),
]
HEADERS = [
    *(
        {"HTTP_HOST": host}
        for host in ("evil.example\r\nX: y", "\x00", "[", "a" * 5000, "testserver:99999999", "")
    ),
    *(
        {"HTTP_REFERER": text, "HTTP_ORIGIN": text}
        for text in ("http://[", "null", "//", "\x00", "x" * 9000, "javascript:1")
    ),
    *(
        {"HTTP_ACCEPT_LANGUAGE": text}
        for text in ("ru" * 5000, "\x00", "*;q=", "ru;q=1e999", "../../x")
    ),
    *(
        {"HTTP_X_FORWARDED_FOR": text, "REMOTE_ADDR": text}
        for text in ("\x00", "::1%eth0", "1.2.3", ",,,", "x" * 9000)
    ),
    *({"CONTENT_LENGTH": text} for text in ("-1", "0", "7", "99999999999999999999")),
    {"HTTP_X_VOICEPASSWORD_PROOF": "\x00:\ud800"},
]
COOKIES = [
    *(
        "",
        "x",
        "a" * 32,
        "a" * 9000,
        '"\\000\\000\\000aaaaaaaaaaaa"',
        '"\\377\\376aaaaaaaaa"',
        "\xff\xfe" * 20,
        "'; DROP TABLE x; --",
    ),
    *("../../../../etc/passwd", "{}", "gASVAAAA:1:x", "%00" * 20, "\u202e" * 40),
]


@pytest.fixture(params=["stranger", "at the code", "user with a number"])
def browser(request: pytest.FixtureRequest, site: Site, configure: Callable[..., None]) -> Browser:
    configure(LIMITS={"phone": [], "ip": [], "phone_guesses": []})
    if request.param == "user with a number":
        user = get_user_model().objects.create(username="someone")
        VerifiedPhone.objects.create(user=user, phone="79161234567")
        browser = Browser(site, user)
        assert browser.post("/auth/confirm/").status == 302
        return browser
    browser = Browser(site)
    if request.param == "at the code":
        assert browser.post("/auth/login/", {"phone": PHONE}).status == 302
    return browser


def check(answer: Answer) -> None:
    assert answer.status < 500
    assert not any("\r" in value or "\n" in value for pair in answer.headers for value in pair)
    assert not answer.header("X-Evil")


@pytest.fixture
def pairs(request: pytest.FixtureRequest) -> Callable[..., Iterator[tuple[Any, Any]]]:
    """``pairs(some, others)``: all pairs of them, or each of the longer list once.

    ``only_at`` names the pages that need all pairs, of those that read in this state. With
    HOSTILE_EXAMPLES above 100, all pages get all.
    """
    state, page = request.node.callspec.params["browser"], request.node.callspec.params["page"]
    reads = READER.get(page, "at the code") == state

    def choose(
        some: Sequence[Any], others: Sequence[Any], only_at: Sequence[str] = PAGES
    ) -> Iterator[tuple[Any, Any]]:
        if (reads and page in only_at) or hostile.EXAMPLES > 100:
            return product(some, others)
        count = max(len(some), len(others))
        return islice(zip(cycle(some), cycle(others)), count)

    return choose


@pytest.mark.parametrize("page", PAGES)
def test_no_field_does_harm(
    browser: Browser, page: str, pairs: Callable[..., Iterator[tuple[Any, Any]]]
) -> None:
    for name, value in pairs(FIELDS, VALUES):
        check(browser.post(f"/auth/{page}", {"phone": PHONE, "code": "1", name: value}))
    check(browser.post(f"/auth/{page}", [(name, "1") for name in FIELDS for _ in range(3)]))


@pytest.mark.parametrize("page", PAGES)
def test_no_body_and_no_header_does_harm(
    browser: Browser, page: str, pairs: Callable[..., Iterator[tuple[Any, Any]]]
) -> None:
    # One parser reads the bodies of all pages.
    for body, content_type in pairs(BODIES, CONTENT_TYPES, only_at=["login/", "login/code/"]):
        check(browser.raw(f"/auth/{page}", body, content_type))
    for environ in HEADERS:
        check(browser.get(f"/auth/{page}?next=%00&x=%ff", **environ))
        check(browser.post(f"/auth/{page}", {"phone": PHONE, "code": "1"}, **environ))


@pytest.mark.parametrize("page", PAGES)
def test_no_method_does_harm(browser: Browser, page: str) -> None:
    for method in (
        "HEAD",
        "PUT",
        "PATCH",
        "DELETE",
        "OPTIONS",
        "TRACE",
        "CONNECT",
        "",
        "get",
        "POST\x00",
        "M" * 9000,
    ):
        answer = browser.site.ask(
            method, f"/auth/{page}", b"phone=1", FORM, HTTP_COOKIE=f"csrftoken={TOKEN}"
        )
        check(answer)
        assert answer.status != 200 or method in ("HEAD", "OPTIONS", "get")


@pytest.mark.parametrize("page", PAGES)
def test_a_form_without_its_token_rings_nobody(
    browser: Browser, outbox: list[Sent], page: str
) -> None:
    sent = len(outbox)
    for token in ("", "x", "b" * 32, TOKEN + "a", "\x00" * 32, "é" * 32, "a" * 31 + "\ud800"):
        answer = browser.post(
            f"/auth/{page}",
            [("csrfmiddlewaretoken", token), ("phone", PHONE)],
            HTTP_X_CSRFTOKEN=token,
        )
        assert answer.status in (403, 405)
    assert len(outbox) == sent


@pytest.mark.parametrize("cookie", COOKIES)
@pytest.mark.parametrize("engine", ["db", "cached_db", "file", "signed_cookies"])
def test_no_session_id_does_harm(
    site: Site, settings: Any, tmp_path: Path, engine: str, cookie: str
) -> None:
    if connection.vendor == "postgresql" and "\\000" in cookie and engine.endswith("db"):
        pytest.skip("Django's sessions pass NUL to PostgreSQL: Django's own pages fail too")
    settings.SESSION_ENGINE = f"django.contrib.sessions.backends.{engine}"
    settings.SESSION_FILE_PATH = str(tmp_path)
    browser = Browser(Site())
    for page in PAGES:
        browser.cookies |= {"sessionid": cookie, "voicepassword_device": cookie}
        check(browser.get(f"/auth/{page}"))
        browser.cookies["sessionid"] = cookie
        check(browser.post(f"/auth/{page}", {"phone": PHONE, "code": "1234"}))
    assert [path for path in tmp_path.iterdir() if not path.name.startswith("sessionid")] == []


@pytest.mark.parametrize(
    "value", [None, 1, [], {}, "x", "\x00", "\ud800", "x" * 10000, ["a"], True]
)
def test_an_invalid_session_value_counts_as_no_verification(site: Site, value: Any) -> None:
    user = get_user_model().objects.create(username="someone")
    browser = Browser(site, user)
    session = Session.objects.get(session_key=browser.cookies["sessionid"])
    values = {**session.get_decoded(), SESSION_KEY: value, "voicepassword_confirmed": value}
    session.session_data = Session.objects.encode(values)
    session.save()
    for page in PAGES:
        check(browser.get(f"/auth/{page}"))
        check(browser.post(f"/auth/{page}", {"code": "1234"}))


@pytest.mark.parametrize(
    "path",
    ["/auth/callback/{}/", "/api/verifications/{}/", "/api/verifications/{}/check/", "/auth/{}"],
)
def test_no_path_does_harm(site: Site, path: str) -> None:
    for odd in (
        *VALUES,
        "é",
        "{}",
        "1.x",
        "..",
        "//",
        "\xed\xa0\x80",
        "urn:uuid:" + "0" * 32,
        "0" * 32,
        "{" + "0" * 32 + "}",
    ):
        address = path.format(odd.encode("utf-8", "surrogatepass").decode("latin-1"))
        for method in ("GET", "POST"):
            answer = site.ask(
                method, address, b'{"state": "BUSY", "code": "1"}', "application/json"
            )
            check(answer)
            assert answer.status in (301, 400, 404, 405, 415)


@settings(hostile.thorough, suppress_health_check=list(HealthCheck))
@given(
    st.sampled_from(PAGES),
    st.lists(st.tuples(st.sampled_from(FIELDS), hostile.texts), max_size=6),
    st.binary(max_size=100),
    st.sampled_from(CONTENT_TYPES),
)
def test_no_random_form_does_harm(
    site: Site, page: str, fields: list[tuple[str, str]], body: bytes, content_type: str
) -> None:
    browser = Browser(site)
    check(browser.post(f"/auth/{page}", fields))
    check(browser.raw(f"/auth/{page}", body, content_type))
    assert Verification.objects.filter(status="approved").count() == 0
