"""Trusted devices: strangers lock no holder out, and many devices get no more than one does."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import AnonymousUser
from django.db import IntegrityError, OperationalError, connection
from django.http import HttpRequest
from django.test import Client, RequestFactory
from django.utils import timezone
from freezegun import freeze_time

from django_voicepassword import verifications
from django_voicepassword.accounts import devices, users
from django_voicepassword.calls import errors, placing
from django_voicepassword.exceptions import RateLimited, WrongCode
from django_voicepassword.history import retention
from django_voicepassword.limits import lanes
from django_voicepassword.limits.devices import is_trusted
from django_voicepassword.models import (
    CallRequest,
    LimitCounter,
    TrustedDevice,
    Verification,
    VerifiedPhone,
)
from django_voicepassword.security import trusted_devices
from django_voicepassword.testing import outbox as sent
from tests.concurrency import run_at_once
from tests.web.page_client import PageClient

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("outbox")]
PHONE = "79990000001"
PHONES = [f"7999000000{digit}" for digit in range(1, 8)]
#: The limits of strangers only: nothing else stands in the way of these tests.
LIMITS = {"phone": ["3/h"], "phone_guesses": ["4/d"], "ip": []}
COOKIE = trusted_devices.COOKIE
User = get_user_model()


def wrong_code(code: str) -> str:
    return f"{(int(code) + 1) % 10000:04}"


def start(client: Client, phone: str = PHONE, **headers: str) -> tuple[int, str]:
    """Start a verification by the API: the status, and the id or the limit."""
    answer = client.post("/api/verifications/", {"phone": phone}, headers=headers)
    return answer.status_code, answer.json().get("id") or answer.json().get("limit")


def prove(client: Client, phone: str = PHONE, way: str = "check", **headers: str) -> str:
    """Type the right code of a new verification: the token in the answer."""
    verification = verifications.start(phone)
    path = {"check": f"/api/verifications/{verification.id}/check/", "login": "/api/login/"}[way]
    given = {"verification": str(verification.id), "code": sent[-1].code}
    answer = client.post(path, given, headers=headers)
    assert answer.status_code == 200, answer.content
    return str(answer.json()["device"])


def show(token: str, path: str = "/") -> HttpRequest:
    """A request of a program that shows a token."""
    return RequestFactory().post(path, headers={trusted_devices.HEADER: token})


def trusts(token: str, phone: str = PHONE) -> bool:
    return is_trusted(show(token), phone)


def use_up(configure: Callable[..., None], **limits: list[str]) -> None:
    """Strangers have used up what the number may send and guess."""
    configure(LIMITS={**LIMITS, "phone": ["0/d"], "phone_guesses": ["0/d"], **limits})


@pytest.fixture(autouse=True)
def _limits(configure: Callable[..., None]) -> None:
    configure(LIMITS={**LIMITS, "phone": []})


def test_all_devices_of_a_number_share_six_sends_and_ten_guesses(
    configure: Callable[..., None],
) -> None:
    """An attacker starts with the cookie and checks without it, so each check is a new device."""
    clients = [Client() for _ in range(12)]
    known = clients[0]
    for client in clients:
        id = start(known)[1]
        code = {"code": sent[-1].code}
        assert client.post(f"/api/verifications/{id}/check/", code).status_code == 200
    assert all(client.cookies[COOKIE].value for client in clients)
    ids = [verifications.start(PHONE).id for _ in clients]
    codes = {sent.verification: sent.code for sent in sent}
    use_up(configure)
    calls = len(sent)
    for client in clients:
        for _ in range(4):
            start(client)
    assert len(sent) - calls == 6
    guessed = [
        client.post(f"/api/verifications/{id}/check/", {"code": wrong_code(codes[id])}).json()
        for client, id in zip(clients, ids, strict=True)
        for _ in range(4)
    ]
    assert [guess["code"] for guess in guessed].count("wrong_code") == 10


def test_a_former_holder_has_nothing_left(configure: Callable[..., None]) -> None:
    former = Client()
    tokens = [prove(former, way="login"), prove(Client()), prove(Client(), way="login")]
    assert all(trusts(token) for token in tokens[1:])
    users.assign(User.objects.create(username="next holder"), PHONE)
    assert not TrustedDevice.objects.exists()
    assert not any(trusts(token) for token in tokens)
    use_up(configure)
    assert start(former) == (429, "phone")


def test_a_number_has_five_devices_and_a_device_five_numbers() -> None:
    tokens = [prove(Client()) for _ in range(7)]
    assert [trusts(token) for token in tokens] == [False, False, *[True] * 5]
    # The oldest of the five was used again, so the next one is forgotten in its place.
    prove(Client(), **{trusted_devices.HEADER: tokens[2]})
    prove(Client())
    assert [trusts(token) for token in tokens[2:]] == [True, False, True, True, True]
    device = Client()
    for phone in PHONES[1:]:
        token = prove(device, phone)
    assert [trusts(token, phone) for phone in PHONES[1:]] == [False, *[True] * 5]
    assert TrustedDevice.objects.count() == 10


@pytest.mark.django_db(transaction=True)
def test_simultaneous_proofs_keep_to_five_devices() -> None:
    empty = RequestFactory().post("/")
    shared = devices.remember(empty, PHONES[1])
    new = [lambda: devices.remember(empty, PHONE) for _ in range(8)]
    same = [lambda phone=phone: devices.remember(show(shared), phone) for phone in PHONES[2:]]
    results = run_at_once([*new, *same])
    assert [result for result in results if not isinstance(result, str) or not result] == []
    assert TrustedDevice.objects.filter(phone=PHONE).count() == 5
    hashed = trusted_devices.hash_token(shared)
    assert TrustedDevice.objects.filter(token_hash=hashed).count() == 5


def test_a_login_by_cookie_renews_the_token_for_all_numbers() -> None:
    client = Client()
    first = prove(client, PHONES[0], way="login")
    client.logout()
    # The logout removes all cookies of the test client; a browser keeps this one.
    client.cookies[COOKIE] = first
    second = prove(client, PHONES[1], way="login")
    assert client.cookies[COOKIE].value == second != first
    assert [trusts(second, phone) for phone in PHONES[:2]] == [True, True]
    assert [trusts(first, phone) for phone in PHONES[:2]] == [False, False]


@pytest.mark.parametrize("way", ["check", "login"])
def test_a_planted_cookie_of_another_person_is_not_trusted(way: str) -> None:
    planted = prove(Client(), PHONES[0], way="login")
    client = Client()
    client.cookies[COOKIE] = planted
    token = prove(client, PHONES[1], way)
    assert client.cookies[COOKIE].value == token
    assert trusts(token, PHONES[1])
    assert not trusts(planted, PHONES[1])


def test_devices_without_a_token_do_not_wait_for_each_other() -> None:
    for phone in PHONES[:2]:
        prove(Client(), phone)
    locks = LimitCounter.objects.filter(key__regex="devices:|_guesses:")
    assert {lock.key for lock in locks} == {f"phone_guesses:{phone}" for phone in PHONES[:2]}


@pytest.mark.parametrize("is_known", [False, True])
def test_a_device_is_remembered_with_three_statements(
    django_assert_num_queries: Any, is_known: bool
) -> None:
    user = User.objects.create(username="someone")
    users.assign(user, PHONE)
    request = RequestFactory().post("/")
    if is_known:
        request.COOKIES[COOKIE] = devices.remember(request, PHONE, user)
    # The lock, the SELECT and the write, in a savepoint.
    with django_assert_num_queries(5):
        token = devices.remember(request, PHONE, user)
    assert trusts(token)


@pytest.mark.parametrize("way", ["check", "login"])
def test_a_program_keeps_the_token_of_its_header(configure: Callable[..., None], way: str) -> None:
    token = prove(Client(), way=way)
    assert prove(Client(), PHONES[1], way, **{trusted_devices.HEADER: token}) == token
    assert [trusts(token, phone) for phone in PHONES[:3]] == [True, True, False]
    use_up(configure)
    assert start(Client())[0] == 429
    assert start(Client(), **{trusted_devices.HEADER: token})[0] == 201


def test_a_token_that_is_not_known_is_never_taken_over() -> None:
    planted = Client()
    for value in ("planted", "", "x" * 10_000, "é\ud800"):
        request = RequestFactory().post("/")
        request.COOKIES[COOKIE] = value
        assert devices.remember(request, PHONE) != value
        assert not is_trusted(request, PHONE)
    planted.cookies[COOKIE] = "planted"
    assert prove(planted) != "planted"
    # Nor is one that has expired.
    token = prove(Client())
    with freeze_time(timezone.now() + timedelta(days=365, seconds=1)):
        assert not trusts(token)
        assert prove(Client(), **{trusted_devices.HEADER: token}) != token
        # All devices are older than a year, and the proof deletes those of its number.
        assert TrustedDevice.objects.filter(phone=PHONE).count() == 1


def test_a_device_ends_a_year_after_the_last_proof() -> None:
    token = prove(Client())
    later = timezone.now() + timedelta(days=364)
    with freeze_time(later):
        prove(Client(), **{trusted_devices.HEADER: token})
    with freeze_time(later + timedelta(days=364)):
        assert trusts(token)
        assert retention.purge() == 0
    with freeze_time(later + timedelta(days=366)):
        assert not trusts(token)
        assert retention.purge() == 1
    assert not TrustedDevice.objects.exists()


def test_the_database_has_no_token() -> None:
    token = prove(Client())
    row = TrustedDevice.objects.values().get()
    assert token not in str(row)
    assert row["token_hash"] == trusted_devices.hash_token(token)
    assert len(token) >= 43
    assert PHONE not in f"{TrustedDevice.objects.get()!r} {TrustedDevice.objects.get()}"


def test_a_device_without_a_user_takes_that_of_its_first_login() -> None:
    token = prove(Client())
    assert TrustedDevice.objects.get().user is None
    prove(Client(), way="login", **{trusted_devices.HEADER: token})
    user = VerifiedPhone.objects.get().user
    assert TrustedDevice.objects.get().user == user
    prove(Client(), **{trusted_devices.HEADER: token})
    assert TrustedDevice.objects.get().user == user


def delete_user() -> None:
    VerifiedPhone.objects.get().user.delete()


def delete_phone() -> None:
    VerifiedPhone.objects.all().delete()


def move_phone() -> None:
    VerifiedPhone.objects.update(user=User.objects.create(username="next holder"))


@pytest.mark.parametrize("change", [delete_user, delete_phone, move_phone])
def test_a_device_ends_with_its_user_and_its_number(change: Callable[[], None]) -> None:
    token = prove(Client(), way="login")
    assert trusts(token)
    change()
    assert not trusts(token)
    assert TrustedDevice.objects.exists() == (change is move_phone)


def test_with_a_field_another_number_ends_the_devices_of_the_first(
    configure: Callable[..., None],
) -> None:
    configure(USER_PHONE_FIELD="last_name")
    token = prove(Client(), way="login")
    users.assign(User.objects.get(), PHONES[1])
    assert not trusts(token)
    assert not TrustedDevice.objects.exists()


def test_a_refused_login_makes_no_device() -> None:
    users.assign(User.objects.create(username="gone", is_active=False), PHONE)
    verification = verifications.start(PHONE)
    client = Client()
    given = {"verification": str(verification.id), "code": sent[-1].code}
    assert client.post("/api/login/", given).status_code == 403
    assert COOKIE not in client.cookies
    assert not TrustedDevice.objects.exists()


def test_strangers_do_not_use_up_the_guesses_of_a_device(configure: Callable[..., None]) -> None:
    token = prove(Client())
    verification = verifications.start(PHONE)
    code = sent[-1].code
    stranger = verifications.start(PHONE)
    for _ in range(4):
        with pytest.raises(WrongCode):
            verifications.check(stranger.id, wrong_code(sent[-1].code))
    for request in (None, show("unknown"), show(prove_another())):
        with pytest.raises(RateLimited, match="phone_guesses"):
            verifications.check(verification.id, code, request=request)
    assert verifications.check(verification.id, code, request=show(token)).status == "approved"


def prove_another() -> str:
    """A token that is known, but for another number."""
    token = devices.remember(RequestFactory().post("/"), PHONES[1])
    assert trusts(token, PHONES[1])
    return token


def guess(verification: Verification, code: str, token: str) -> str:
    """Type a wrong code on a device: the limit that refused it, or "wrong"."""
    try:
        verifications.check(verification.id, wrong_code(code), request=show(token))
    except (WrongCode, RateLimited) as error:
        return getattr(error, "limit", "wrong")
    raise AssertionError("a wrong code was right")


def test_a_device_goes_on_with_the_guesses_of_the_number(configure: Callable[..., None]) -> None:
    token = prove(Client())
    configure(LIMITS={**LIMITS, "phone": [], "device_guesses": ["2/d"]})
    guesses = []
    for _ in range(2):
        verification, code = verifications.start(PHONE), sent[-1].code
        guesses += [guess(verification, code, token) for _ in range(4)]
    # Two of its own, then the four of the number.
    assert guesses == ["wrong"] * 6 + ["phone_guesses"] * 2


def test_a_device_is_called_after_strangers_used_up_the_sends(
    configure: Callable[..., None],
) -> None:
    token, other = prove(Client()), prove_another()
    configure(LIMITS=LIMITS)
    for _ in range(3):
        verifications.start(PHONE)
    with pytest.raises(RateLimited, match="phone"):
        verifications.start(PHONE, request=show(other))
    verification = verifications.start(PHONE, request=show(token))
    with freeze_time(timezone.now() + timedelta(seconds=61)):
        verifications.resend(verification.id, request=show(token))
    for _ in range(4):
        verifications.start(PHONE, request=show(token))
    with pytest.raises(RateLimited, match="device"):
        verifications.start(PHONE, request=show(token))


def test_crowds_close_nothing_to_a_device(configure: Callable[..., None]) -> None:
    """Its sends count for no limit that strangers use up."""
    token = prove(Client())
    configure(LIMITS={"ip": ["0/h"], "prefix": ["0/h"], "site": ["0/h"]})
    with pytest.raises(RateLimited):
        verifications.start(PHONE, request=show("unknown"))
    assert verifications.start(PHONE, request=show(token)).calls.get().lane == "proven"


def test_a_logged_in_user_is_proven_for_the_numbers_that_are_proved(
    django_assert_num_queries: Any,
) -> None:
    user = User.objects.create(username="someone")
    VerifiedPhone.objects.create(user=user, phone=PHONE)
    request = RequestFactory().post("/")
    for visitor, phone, lane, queries in (
        (user, PHONE, "proven", 1),
        (user, PHONES[1], "unproven", 1),
        (User.objects.create(username="another"), PHONE, "unproven", 1),
        (AnonymousUser(), PHONE, "unproven", 0),
        (None, PHONE, "unproven", 0),
    ):
        request.user = visitor  # type: ignore[assignment]
        with django_assert_num_queries(queries):
            assert lanes.lane_of(request, phone) == lane
    with django_assert_num_queries(0):
        assert lanes.lane_of(None, PHONE) == "unproven"


def test_a_send_that_never_left_is_given_back_to_the_devices(
    configure: Callable[..., None],
) -> None:
    token = prove(Client())
    use_up(configure)
    configure(DISPATCH="celery", TRANSPORT="memory")
    for _ in range(8):
        call = verifications.start(PHONE, request=show(token)).calls.get()
        assert (call.lane, call.counted) == ("proven", "device")
        placing.give_up(call.pk, errors.NOT_QUEUED)
    assert CallRequest.objects.filter(state="refused").count() == 8


def cookies_of_page_and_api() -> Iterable[Any]:
    page_client = PageClient()
    page_client.open("/auth/login/")
    page_client.press("Call me", phone=PHONE)
    assert COOKIE not in page_client.client.cookies
    page_client.press("Log in", code=sent[-1].code)
    yield page_client.client.cookies[COOKIE]
    for way in ("login", "check"):
        client = Client()
        token = prove(client, way=way)
        assert client.cookies[COOKIE].value == token
        yield client.cookies[COOKIE]


def test_pages_and_api_make_the_device_known() -> None:
    for cookie in cookies_of_page_and_api():
        attributes = (cookie["httponly"], cookie["samesite"], cookie["max-age"], cookie["path"])
        assert attributes == (True, "Lax", 365 * 24 * 3600, "/")
        assert trusts(cookie.value)


def test_a_device_that_is_not_ones_own_gets_neither_cookie_nor_token() -> None:
    page_client = PageClient()
    page_client.open("/auth/login/")
    page_client.press("Call me", phone=PHONE)
    page_client.press("Log in", code=wrong_code(sent[-1].code), do_not_remember="on")
    # The box stays ticked after a wrong code.
    box = next(tag for tag in page_client.page.elements if "do_not_remember" in tag[1].values())
    assert "checked" in box[1]
    page_client.press("Log in", code=sent[-1].code, do_not_remember="on")
    assert "_auth_user_id" in page_client.client.session
    client = Client()
    for path in ("/api/verifications/{id}/check/", "/api/login/"):
        id = str(verifications.start(PHONE).id)
        given = {"verification": id, "code": sent[-1].code, "remember_device": "false"}
        answer = client.post(path.format(id=id), given)
        assert (answer.status_code, answer.json()["device"]) == (200, "")
    assert {COOKIE} - {*client.cookies, *page_client.client.cookies} == {COOKIE}
    assert not TrustedDevice.objects.exists()


def test_a_confirmation_makes_the_device_known() -> None:
    user = User.objects.create(username="someone")
    client = PageClient()
    client.client.force_login(user)
    client.open("/auth/confirm/")
    client.press("Call me", phone=PHONE)
    client.press("Confirm", code=sent[-1].code)
    assert trusts(client.client.cookies[COOKIE].value)
    assert TrustedDevice.objects.get().user == user


def test_a_request_without_a_token_costs_no_query(django_assert_num_queries: Any) -> None:
    with django_assert_num_queries(0):
        assert not is_trusted(RequestFactory().get("/"), PHONE)
        assert not is_trusted(None, PHONE)
    token = prove(Client())
    with django_assert_num_queries(1):
        assert trusts(token)


@pytest.mark.parametrize("error", [OperationalError, IntegrityError])
def test_a_database_that_fails_now_fails_no_login(error: type[Exception]) -> None:
    """The right code is spent by then."""

    def fail(execute: Any, sql: str, *args: Any) -> Any:
        if "INSERT INTO" in sql and "trusteddevice" in sql:
            raise error("the server closed the connection, or the user is gone")
        return execute(sql, *args)

    verification = verifications.start(PHONE)
    given = {"verification": str(verification.id), "code": sent[-1].code}
    with connection.execute_wrapper(fail):
        answer = Client().post("/api/login/", given)
    assert (answer.status_code, answer.json()["device"]) == (200, "")
    assert COOKIE not in answer.cookies


@pytest.mark.django_db(transaction=True)
def test_a_check_whose_device_cannot_be_written_spends_no_code() -> None:
    """They are one transaction: the person types the code again."""

    def fail(execute: Any, sql: str, *args: Any) -> Any:
        if "INSERT INTO" in sql and "trusteddevice" in sql:
            raise OperationalError("the server closed the connection")
        return execute(sql, *args)

    verification = verifications.start(PHONE)
    path, given = f"/api/verifications/{verification.id}/check/", {"code": sent[-1].code}
    with connection.execute_wrapper(fail):
        assert Client().post(path, given).status_code == 503
    verification.refresh_from_db()
    assert (verification.status, verification.attempts) == ("pending", 0)
    assert verification.calls.get().is_open
    assert Client().post(path, given).status_code == 200
    assert TrustedDevice.objects.count() == 1


@pytest.mark.parametrize(("shows", "most"), [(False, 21), (True, 22)])
def test_a_login_by_api_takes_few_statements(
    configure: Callable[..., None], django_assert_max_num_queries: Any, shows: bool, most: int
) -> None:
    """Both know the user; a device that is known is asked for, too."""
    configure(LIMITS=LIMITS, LOGIN="token")
    token = prove(Client(), way="login")
    verification = verifications.start(PHONE)
    given = {"verification": str(verification.id), "code": sent[-1].code}
    headers = {trusted_devices.HEADER: token} if shows else {}
    with django_assert_max_num_queries(most):
        assert Client().post("/api/login/", given, headers=headers).status_code == 200
