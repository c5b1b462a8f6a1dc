"""Strangers who use up a number's limits do not lock out a device that proved the number before."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.core import signing
from django.http import HttpResponse
from django.test import Client, RequestFactory
from django.utils import timezone
from freezegun import freeze_time

from django_voicepassword import verifications
from django_voicepassword.calls import errors, placing
from django_voicepassword.exceptions import RateLimited, WrongCode
from django_voicepassword.models import CallRequest
from django_voicepassword.security import trusted_devices
from django_voicepassword.testing import Sent
from tests.web.page_client import PageClient

pytestmark = pytest.mark.django_db
PHONE = "79990000001"
LIMITS = {"phone": ["3/h"], "phone_guesses": ["4/d"], "ip": []}


def wrong_code(code: str) -> str:
    return f"{(int(code) + 1) % 10000:04}"


def known_device(*phones: str) -> Any:
    """Return a request from a device that proved these numbers."""
    request = RequestFactory().get("/")
    for phone in phones:
        response = HttpResponse()
        trusted_devices.remember(request, response, phone)
        request.COOKIES[trusted_devices.COOKIE] = response.cookies[trusted_devices.COOKIE].value
    return request


def test_a_known_device_can_guess_after_strangers_used_up_the_guesses(
    outbox: list[Sent], configure: Callable[..., None]
) -> None:
    configure(LIMITS={**LIMITS, "phone": []})
    stranger = verifications.start(PHONE)
    for _ in range(4):
        with pytest.raises(WrongCode):
            verifications.check(stranger.id, wrong_code(outbox[-1].code))
    verification = verifications.start(PHONE)
    with pytest.raises(RateLimited, match="phone_guesses"):
        verifications.check(verification.id, outbox[-1].code)
    with pytest.raises(RateLimited):
        verifications.check(verification.id, outbox[-1].code, request=known_device("79990000002"))
    assert (
        verifications.check(verification.id, outbox[-1].code, request=known_device(PHONE)).status
        == "approved"
    )


def test_a_known_device_has_five_guesses_of_its_own(
    outbox: list[Sent], configure: Callable[..., None]
) -> None:
    configure(LIMITS={**LIMITS, "phone": [], "phone_guesses": ["0/d"]})
    request = known_device(PHONE)
    errors = []
    for _ in range(2):
        verification = verifications.start(PHONE)
        for _ in range(4):
            try:
                verifications.check(verification.id, wrong_code(outbox[-1].code), request=request)
            except (WrongCode, RateLimited) as error:
                errors.append(getattr(error, "limit", "wrong"))
    assert errors == ["wrong"] * 5 + ["device_guesses"] * 3


def test_a_known_device_is_called_after_strangers_used_up_the_sends(
    outbox: list[Sent], configure: Callable[..., None]
) -> None:
    configure(LIMITS=LIMITS)
    for _ in range(3):
        verifications.start(PHONE)
    with pytest.raises(RateLimited, match="phone"):
        verifications.start(PHONE, request=known_device("79990000002"))
    request = known_device(PHONE)
    for _ in range(3):
        verifications.start(PHONE, request=request)
    with pytest.raises(RateLimited, match="device_sends"):
        verifications.start(PHONE, request=request)
    assert len(outbox) == 6
    with freeze_time(timezone.now() + timedelta(hours=1, seconds=1)):
        verifications.start(PHONE, request=request)


def test_other_limits_hold_for_a_known_device_too(
    outbox: list[Sent], configure: Callable[..., None]
) -> None:
    configure(LIMITS={**LIMITS, "phone": ["1/h"], "site": ["1/h"]})
    verifications.start(PHONE)
    with pytest.raises(RateLimited, match="site"):
        verifications.start(PHONE, request=known_device(PHONE))


def test_a_send_that_never_left_is_given_back_to_the_device(
    outbox: list[Sent], configure: Callable[..., None]
) -> None:
    configure(LIMITS={**LIMITS, "phone": ["0/h"]}, DISPATCH="celery", TRANSPORT="memory")
    request = known_device(PHONE)
    for _ in range(5):
        call = verifications.start(PHONE, request=request).calls.get()
        assert call.device
        placing.give_up(call.pk, errors.NOT_QUEUED)
    assert CallRequest.objects.filter(state="refused").count() == 5


def test_the_cookie_contains_no_number_and_cannot_be_forged(settings: Any) -> None:
    request = known_device(PHONE, "79990000002")
    cookie = request.COOKIES[trusted_devices.COOKIE]
    device, marks = signing.loads(cookie, salt="django_voicepassword.devices")
    assert PHONE not in f"{device}{marks}"
    assert (
        trusted_devices.proved(request, PHONE)
        == trusted_devices.proved(request, "79990000002")
        == device
    )
    assert trusted_devices.proved(request, "79990000003") == ""
    for forged in (
        "",
        "x",
        cookie[:-1],
        signing.dumps([device, marks]),
        signing.dumps(5, salt="django_voicepassword.devices"),
    ):
        request.COOKIES[trusted_devices.COOKIE] = forged
        assert trusted_devices.proved(request, PHONE) == ""
    request.COOKIES[trusted_devices.COOKIE] = cookie
    earlier_key, settings.SECRET_KEY = settings.SECRET_KEY, "another-key-that-is-long-enough"
    assert trusted_devices.proved(request, PHONE) == ""
    settings.SECRET_KEY_FALLBACKS = [earlier_key]
    assert trusted_devices.proved(request, PHONE) == device
    assert trusted_devices.proved(None, PHONE) == ""


def test_a_device_remembers_the_five_newest_numbers() -> None:
    phones = [f"7999000000{digit}" for digit in range(7)]
    request = known_device(*phones)
    assert [bool(trusted_devices.proved(request, phone)) for phone in phones] == [
        False,
        False,
        *[True] * 5,
    ]


def test_a_login_by_page_or_api_makes_the_device_known(outbox: list[Sent]) -> None:
    page_client = PageClient()
    page_client.open("/auth/login/")
    page_client.press("Call me", phone=PHONE)
    assert trusted_devices.COOKIE not in page_client.client.cookies
    page_client.press("Log in", code=outbox[-1].code)
    api_client = Client()
    id = api_client.post("/api/verifications/", {"phone": PHONE}).json()["id"]
    api_client.post("/api/login/", {"verification": id, "code": outbox[-1].code})
    for client in (page_client.client, api_client):
        cookie = client.cookies[trusted_devices.COOKIE]
        assert (cookie["httponly"], cookie["samesite"], cookie["max-age"]) == (
            True,
            "Lax",
            trusted_devices.MAX_AGE,
        )
        request = RequestFactory().get("/")
        request.COOKIES[trusted_devices.COOKIE] = cookie.value
        assert trusted_devices.proved(request, PHONE)
