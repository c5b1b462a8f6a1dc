"""The client and the sandbox, each written from the provider's document, agree over real HTTP."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from decimal import Decimal

import pytest

from django_voicepassword.client import Client
from django_voicepassword.exceptions import (
    AccountRefused,
    NumberRefused,
    ProviderError,
    ProviderRefused,
    RequestRefused,
    Unreachable,
    UnreadableReply,
)
from tests.sandbox_process import SandboxProcess
from tests.waiting import until


@pytest.fixture(scope="module")
def sandbox() -> Iterator[SandboxProcess]:
    with SandboxProcess(callback_delay=0.1) as process:
        yield process


@pytest.fixture(params=["header", "body"])
def auth(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def client(sandbox: SandboxProcess, auth: str) -> Client:
    sandbox.reset()
    # Longer than a busy machine stops a process for.
    return Client(sandbox.key, base_url=sandbox.api_url, auth=auth, timeout=(10, 10))


def test_a_flash_call_ends_with_our_code(client: Client, sandbox: SandboxProcess) -> None:
    reply = client.flash_call("79990000000", code="0123")
    assert (reply.code, reply.price) == ("0123", Decimal("0.35"))
    (call,) = sandbox.calls("79990000000")
    assert call["id"] == reply.id
    assert call["from"].endswith("0123")


def test_a_flash_call_may_have_six_digits_of_the_provider(
    client: Client, sandbox: SandboxProcess
) -> None:
    reply = client.flash_call("79990000000", capacity=6)
    assert reply.code is not None
    assert len(reply.code) == 6
    assert sandbox.calls()[0]["from"].endswith(reply.code)


def test_a_voice_call_repeats_our_code_from_our_number(
    client: Client, sandbox: SandboxProcess
) -> None:
    client.voice_call("79990000000", code="1234", repeat=True, ani="74959999999")
    (call,) = sandbox.calls()
    assert call["says"].count("1 2 3 4") == 2
    assert call["from"] == "74959999999"


def test_an_empty_voice_section_requests_a_code_of_the_provider(
    client: Client, sandbox: SandboxProcess
) -> None:
    reply = client.voice_call("79990000000")
    (call,) = sandbox.calls()
    assert (call["channel"], call["code"]) == ("voice", reply.code)


def test_an_sms_repeats_the_code_of_its_call(client: Client, sandbox: SandboxProcess) -> None:
    call = client.flash_call("79990000000", code="0042")
    sms = client.sms(call.id)
    assert (sms.code, sms.price) == ("0042", Decimal("3.30"))
    assert sandbox.calls()[-1]["text"] == "Ваш код: 0042"


def test_the_balance_falls_by_each_price(client: Client, sandbox: SandboxProcess) -> None:
    before = client.balance()
    client.flash_call("79990000000", code="1234")
    assert before.amount - client.balance().amount == Decimal("0.35")
    assert before.currency == "Rub"


def test_state_and_daily_agree_about_a_call(client: Client) -> None:
    reply = client.flash_call("79990000103", code="1234")
    until(lambda: client.state(reply.id).state == "busy")
    report = client.state(reply.id)
    moscow = datetime.datetime.now(datetime.timezone(datetime.timedelta(hours=3)))
    daily = client.daily(moscow.date())
    assert [row.id for row in daily] == [reply.id]
    assert daily.rows == daily.read == 1
    assert report.kind == "call"


@pytest.mark.parametrize(
    ("number", "error"),
    [
        ("79990000201", NumberRefused),
        ("79990000203", NumberRefused),
        ("79990000205", AccountRefused),
        ("79990000206", AccountRefused),
        ("79990000208", RequestRefused),
        ("79990000211", ProviderRefused),
    ],
)
def test_the_class_of_a_refusal_says_who_must_act(
    client: Client, number: str, error: type[ProviderRefused]
) -> None:
    with pytest.raises(ProviderRefused) as caught:
        client.flash_call(number, code="1234")
    assert type(caught.value) is error
    assert not caught.value.may_have_rung


@pytest.mark.parametrize(
    ("number", "error"),
    [
        ("79990000302", Unreachable),
        ("79990000303", Unreachable),
        ("79990000304", Unreachable),
        ("79990000305", UnreadableReply),
        ("79990000306", UnreadableReply),
    ],
)
def test_a_call_with_a_lost_reply_may_have_rung(
    client: Client, sandbox: SandboxProcess, auth: str, number: str, error: type[ProviderError]
) -> None:
    if number == "79990000302":
        # No reply comes for a minute.
        client = Client(sandbox.key, base_url=sandbox.api_url, auth=auth, timeout=(10, 2))
    with pytest.raises(error) as caught:
        client.flash_call(number, code="1234")
    assert caught.value.may_have_rung
    assert len(sandbox.calls(number)) == 1


def test_a_refused_connection_has_not_rung() -> None:
    client = Client("key", base_url="http://127.0.0.1:1/", timeout=(1, 1))
    with pytest.raises(Unreachable) as caught:
        client.flash_call("79990000000", code="1234")
    assert not caught.value.may_have_rung


def test_a_wrong_key_is_an_account_error(sandbox: SandboxProcess) -> None:
    with pytest.raises(AccountRefused):
        Client("another-key", base_url=sandbox.api_url).balance()


def test_an_unknown_id_is_refused(client: Client) -> None:
    with pytest.raises(RequestRefused, match="ID_Not_Found"):
        client.state("1")
