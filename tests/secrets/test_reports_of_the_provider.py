"""The provider's socket or answer breaks, or requests does: no report contains the request."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from datetime import date
from typing import Any

import pytest
from celery.exceptions import SoftTimeLimitExceeded
from django.db import connection

from django_voicepassword import tasks
from django_voicepassword.client import Client, ConfigurationError
from django_voicepassword.exceptions import ProviderError
from django_voicepassword.models import Verification
from django_voicepassword.provider.protocol import InvalidRequest
from django_voicepassword.security import codes
from tests.secrets.actions import place_call
from tests.secrets.assertions import assert_no_secret_reported
from tests.secrets.error_tracker import report_text
from tests.secrets.faults import CODE, KEY, PHONE, broken_sql, fake_provider, http
from tests.secrets.secret_search import Secrets

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("production")]

ROW = (
    f'{{"id": "17", "number": "{PHONE}", "date": "25.11.2026 10:00:00",'
    ' "state": "Занято", "service": "Flash Call"}'
)
#: Invalid answers, most of which repeat what the provider knows.
ANSWERS = {
    "nothing": b"",
    "half a head": b"HTTP/1.1 200 OK\r\nContent-Le",
    "html": http(f"<h1>{PHONE} {CODE} {KEY}</h1>"),
    "half a JSON": http(f'{{"result": "ok", "number": "{PHONE}", "code": "{CODE}", "key": "{KEY}'),
    "no UTF-8": http(f'{{"number": "{PHONE}", "key": "{KEY}", ').replace(b'"number"', b"\xff"),
    "a redirect": http(KEY, "302 Found"),
    "a fault": http(f"{KEY} {PHONE} {CODE}", "500 Internal Server Error"),
    "an error in its words": http(f'{{"result": "error", "error_code": "no {PHONE} {KEY}"}}'),
    "a list": http(f'["{PHONE}", "{CODE}", "{KEY}"]'),
}


@pytest.fixture(params=["header", "body"])
def auth(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.mark.parametrize("answer", ANSWERS)
def test_an_invalid_answer(configure: Callable[..., None], auth: str, answer: str) -> None:
    """Reading the balance raises an error, and the worker reports it."""
    with fake_provider(ANSWERS[answer]) as url, assert_no_secret_reported("client.py"):
        configure(API_URL=url, API_AUTH=auth, TRANSPORT="http", API_KEY=KEY)
        tasks.check_balance.apply()


@pytest.mark.parametrize("source", ["client", "service"])
@pytest.mark.parametrize("answer", [*ANSWERS, "no code"])
def test_a_call_by_the_worker(
    verification: Verification, configure: Callable[..., None], answer: str, source: str
) -> None:
    """It is logged as an error without an exception, with the stack where it was logged."""
    answers = {
        **ANSWERS,
        "no code": http(
            '{"result": "error", "error_code": ""}' if source == "client" else '{"result": "ok"}'
        ),
    }
    with (
        fake_provider(answers[answer]) as url,
        assert_no_secret_reported("placing.py", {codes.make(verification.id)}),
    ):
        configure(API_URL=url, TRANSPORT="http", API_KEY=KEY, CODE_SOURCE=source, DISPATCH="celery")
        place_call(verification)


@pytest.mark.parametrize("answer", ANSWERS)
@pytest.mark.parametrize("channel", ["flash_call", "voice_call"])
def test_a_call_by_the_client_alone(answer: str, channel: str, auth: str) -> None:
    """The client without Django; the search sees more than any tracker sends."""
    with fake_provider(ANSWERS[answer]) as url:
        client = Client(KEY, base_url=url, auth=auth, timeout=(1, 1))
        with pytest.raises(ProviderError) as caught:
            getattr(client, channel)(PHONE, code="8240")
    assert Secrets({KEY, CODE}, {"8240"}, {PHONE[1:]}).find(report_text(caught.value)) == []


@pytest.mark.parametrize(
    "body",
    [
        f'{{"result": "ok", "data": [{ROW}, {ROW}',
        f'{{"data": [{ROW}], "result": "error", "error_code": "{KEY}"}}',
    ],
)
def test_statistics_that_break_off(configure: Callable[..., None], body: str) -> None:
    with fake_provider(http(body)) as url:
        configure(API_URL=url, TRANSPORT="http", API_KEY=KEY)
        with assert_no_secret_reported("sync.py"):
            tasks.sync_daily.apply(("2026-11-25",))
        with pytest.raises(ProviderError) as caught:
            list(Client(KEY, base_url=url).daily(date(2026, 11, 25)))
    assert Secrets({KEY}, phones={PHONE[1:]}).find(report_text(caught.value)) == []


@pytest.mark.parametrize("how", ["broken_client", "broken_client_with_key_in_body"])
@pytest.mark.parametrize("channel", ["flashcall", "voice"])
def test_an_unexpected_error_of_requests(
    verification: Verification, configure: Callable[..., None], how: str, channel: str
) -> None:
    """Not one of its own exceptions: a bug in it, or in an adapter of the project."""
    verification.calls.update(channel=channel)
    configure(TRANSPORT=f"tests.secrets.faults.{how}", DISPATCH="celery")
    with assert_no_secret_reported(codes={codes.make(verification.id)}):
        place_call(verification)


@pytest.fixture
def time_limit() -> Iterator[Callable[[], object]]:
    """Raises SoftTimeLimitExceeded, as a worker does in a task that takes too long."""

    def stop(*args: Any) -> None:
        signal.setitimer(signal.ITIMER_REAL, 0)
        raise SoftTimeLimitExceeded

    before = signal.signal(signal.SIGALRM, stop)
    # Again and again: a signal just before the main thread waits does not end its waiting.
    yield lambda: signal.setitimer(signal.ITIMER_REAL, 0.05, 0.05)
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, before)


def test_a_task_that_is_stopped_while_it_waits(
    verification: Verification,
    configure: Callable[..., None],
    auth: str,
    time_limit: Callable[[], object],
) -> None:
    with (
        fake_provider(None, when_asked=time_limit) as url,
        assert_no_secret_reported("SoftTimeLimitExceeded", {codes.make(verification.id)}),
    ):
        configure(
            API_URL=url,
            API_AUTH=auth,
            TRANSPORT="http",
            API_KEY=KEY,
            TIMEOUT=(30, 30),
            DISPATCH="celery",
        )
        place_call(verification)


def test_a_database_that_breaks_under_the_statistics(configure: Callable[..., None]) -> None:
    """While the rows of a day are inserted; on PostgreSQL, which copies them, after that."""
    with fake_provider(http(f'{{"result": "ok", "rows": "1", "data": [{ROW}]}}')) as url:
        configure(API_URL=url, TRANSPORT="http", API_KEY=KEY)
        with (
            assert_no_secret_reported(),
            broken_sql(
                "CREATE matched" if connection.vendor == "postgresql" else "INSERT reported"
            ),
        ):
            tasks.sync_daily.apply(("2026-11-25",))


def test_a_wrong_setting(configure: Callable[..., None]) -> None:
    """The invalid setting may be the key itself."""
    configure(TRANSPORT="http", API_KEY=f"{KEY} ")
    with assert_no_secret_reported("ImproperlyConfigured"):
        tasks.check_balance.apply()
    with pytest.raises(ConfigurationError) as caught:
        Client(f"{KEY} ")
    assert Secrets({KEY}).find(report_text(caught.value)) == []


def test_an_invalid_number() -> None:
    with pytest.raises(InvalidRequest) as caught:
        Client(KEY).flash_call(f"{PHONE}00000", code="8240")
    assert Secrets({KEY}, {"8240"}, {PHONE[1:]}).find(report_text(caught.value)) == []
