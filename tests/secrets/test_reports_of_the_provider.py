"""The provider's side breaks: its socket, its answer, the library in between. No report tells what
was asked of it.
"""

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
from tests.secrets.faults import CODE, KEY, PHONE, broken_sql, http, provider
from tests.secrets.scene import no_report_tells, place
from tests.secrets.traces import Known
from tests.secrets.walker import told

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("production")]

ROW = f'{{"id": "17", "number": "{PHONE}", "date": "25.11.2026 10:00:00", "state": "Занято", "service": "Flash Call"}}'
#: Answers that end a request, each repeating what a hostile or confused provider knows.
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
def test_an_answer_that_is_none(configure: Callable[..., None], auth: str, answer: str) -> None:
    """What asks for the balance raises; the worker reports it."""
    with provider(ANSWERS[answer]) as url, no_report_tells("client.py"):
        configure(API_URL=url, API_AUTH=auth, TRANSPORT="http", API_KEY=KEY)
        tasks.check_balance.apply()


@pytest.mark.parametrize("source", ["client", "service"])
@pytest.mark.parametrize("answer", [*ANSWERS, "no code"])
def test_a_call_by_the_worker(
    verification: Verification, configure: Callable[..., None], answer: str, source: str
) -> None:
    """It is no fault and is logged as an error: also with the stack where it was logged."""
    answers = {
        **ANSWERS,
        "no code": http(
            '{"result": "error", "error_code": ""}' if source == "client" else '{"result": "ok"}'
        ),
    }
    with (
        provider(answers[answer]) as url,
        no_report_tells("placing.py", {codes.make(verification.id)}),
    ):
        configure(API_URL=url, TRANSPORT="http", API_KEY=KEY, CODE_SOURCE=source, DISPATCH="celery")
        place(verification)


@pytest.mark.parametrize("answer", ANSWERS)
@pytest.mark.parametrize("channel", ["flash_call", "voice_call"])
def test_a_call_by_the_client_alone(answer: str, channel: str, auth: str) -> None:
    """Without Django, and looked at more closely than any tracker does."""
    with provider(ANSWERS[answer]) as url:
        client = Client(KEY, base_url=url, auth=auth, timeout=(1, 1))
        with pytest.raises(ProviderError) as caught:
            getattr(client, channel)(PHONE, code="8240")
    assert Known({KEY, CODE}, {"8240"}, {PHONE[1:]}).find(told(caught.value)) == []


@pytest.mark.parametrize(
    "body",
    [
        f'{{"result": "ok", "data": [{ROW}, {ROW}',
        f'{{"data": [{ROW}], "result": "error", "error_code": "{KEY}"}}',
    ],
)
def test_statistics_that_break_off(configure: Callable[..., None], body: str) -> None:
    with provider(http(body)) as url:
        configure(API_URL=url, TRANSPORT="http", API_KEY=KEY)
        with no_report_tells("sync.py"):
            tasks.sync_daily.apply(("2026-11-25",))
        with pytest.raises(ProviderError) as caught:
            list(Client(KEY, base_url=url).daily(date(2026, 11, 25)))
    assert Known({KEY}, phones={PHONE[1:]}).find(told(caught.value)) == []


@pytest.mark.parametrize(
    "how", ["client_that_breaks", "client_that_breaks_with_the_key_in_the_body"]
)
@pytest.mark.parametrize("channel", ["flashcall", "voice"])
def test_a_fault_of_the_library(
    verification: Verification, configure: Callable[..., None], how: str, channel: str
) -> None:
    """None of its own exceptions: a mistake in it, or in an adapter of the project."""
    verification.calls.update(channel=channel)
    configure(TRANSPORT=f"tests.secrets.faults.{how}", DISPATCH="celery")
    with no_report_tells(codes={codes.make(verification.id)}):
        place(verification)


@pytest.fixture
def time_limit() -> Iterator[None]:
    """What a worker does to a task that takes too long."""

    def stop(*args: Any) -> None:
        raise SoftTimeLimitExceeded

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, 0.3)
    yield
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, before)


def test_a_task_that_is_stopped_while_it_waits(
    verification: Verification, configure: Callable[..., None], auth: str, time_limit: None
) -> None:
    with (
        provider(None) as url,
        no_report_tells("SoftTimeLimitExceeded", {codes.make(verification.id)}),
    ):
        configure(
            API_URL=url,
            API_AUTH=auth,
            TRANSPORT="http",
            API_KEY=KEY,
            TIMEOUT=(5, 5),
            DISPATCH="celery",
        )
        place(verification)


def test_a_database_that_breaks_under_the_statistics(configure: Callable[..., None]) -> None:
    """While the rows of a day are loaded, or, where they are copied as a stream, behind that."""
    with provider(http(f'{{"result": "ok", "rows": "1", "data": [{ROW}]}}')) as url:
        configure(API_URL=url, TRANSPORT="http", API_KEY=KEY)
        with (
            no_report_tells(),
            broken_sql("CREATE matched" if connection.vendor == "postgresql" else "INSERT told"),
        ):
            tasks.sync_daily.apply(("2026-11-25",))


def test_a_wrong_setting(configure: Callable[..., None]) -> None:
    """The key itself may be what is wrong."""
    configure(TRANSPORT="http", API_KEY=f"{KEY} ")
    with no_report_tells("ImproperlyConfigured"):
        tasks.check_balance.apply()
    with pytest.raises(ConfigurationError) as caught:
        Client(f"{KEY} ")
    assert Known({KEY}).find(told(caught.value)) == []


def test_a_number_that_is_none() -> None:
    with pytest.raises(InvalidRequest) as caught:
        Client(KEY).flash_call(f"{PHONE}00000", code="8240")
    assert Known({KEY}, {"8240"}, {PHONE[1:]}).find(told(caught.value)) == []
