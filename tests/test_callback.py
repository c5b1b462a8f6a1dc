"""The callback view records every well-formed report and approves nothing.

A call moves only forward, and the project's signal is sent once for each move.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime, timedelta
from datetime import timezone as datetime_timezone
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.db import DatabaseError, OperationalError
from django.db.models import QuerySet
from django.db.models.signals import post_save
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from freezegun import freeze_time

from django_voicepassword import signals, verifications
from django_voicepassword.calls import recording
from django_voicepassword.models import CallRequest, CallStatus, Verification
from django_voicepassword.provider.protocol import parse_report
from django_voicepassword.security import callback_tokens
from django_voicepassword.testing import Sent
from tests.concurrency import run_at_once

pytestmark = pytest.mark.django_db
MULTIPART = '--b\r\nContent-Disposition: form-data; name="state"\r\n\r\nBUSY\r\n--b--\r\n'
SAMPLE = json.loads((Path(__file__).parent / "samples" / "callback.json").read_text("utf-8"))


class Provider:
    """The provider's side of one call: it posts reports to the callback of the call."""

    def __init__(self, call: CallRequest) -> None:
        self.call = call
        self.client = Client(enforce_csrf_checks=True)
        self.url = reverse(
            "voicepassword:callback", args=[callback_tokens.make_callback_token(call.pk)]
        )

    def post(self, body: Any, content_type: str = "application/json", **extra: Any) -> Any:
        data = body if isinstance(body, (bytes, str)) else json.dumps(body)
        return self.client.post(self.url, data, content_type, **extra)

    def report(self, state: str, **values: Any) -> Any:
        """Post a report with this state, which the view must accept."""
        report = {"id": self.call.provider_id, "number": self.call.phone, "state": state, **values}
        response = self.post(report)
        assert (response.status_code, response.json()) == (200, {"result": "ok"})
        return response

    @property
    def state(self) -> str:
        return str(CallRequest.objects.get(pk=self.call.pk).state)

    @property
    def history(self) -> list[str]:
        return list(self.kept().values_list("state", flat=True))

    def kept(self) -> QuerySet[CallStatus]:
        """Return the callbacks that are kept of the call, the oldest first."""
        return CallStatus.objects.filter(call=self.call, source="callback").order_by("id")


@pytest.fixture
def verification(outbox: list[Sent]) -> Verification:
    return verifications.start("79990000001")


@pytest.fixture
def provider(verification: Verification) -> Provider:
    return Provider(verification.calls.get())


def test_the_sample_in_the_providers_document_is_recorded(provider: Provider) -> None:
    assert provider.post({**SAMPLE, "id": provider.call.provider_id}).status_code == 200
    call = CallRequest.objects.get(pk=provider.call.pk)
    assert (call.state, call.duration, call.price) == ("answered", 1, Decimal("0.35"))
    # The provider's document names no time zone; PROVIDER_TIME_ZONE defaults to Moscow.
    assert call.occurred_at == datetime(2020, 2, 2, 12, 18, 48, tzinfo=datetime_timezone.utc)
    status = call.statuses.get(source="callback")
    assert (status.state, status.raw_state, status.occurred_at) == (
        "answered",
        "ANSWERED",
        call.occurred_at,
    )
    assert SAMPLE["number"] not in json.dumps(status.payload)
    assert call.finished_at is not None
    assert call.next_poll_at is None


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        ('{"state": "BUSY"}', "application/json"),
        ('{"state": "BUSY"}', "text/plain"),
        ('{"state": "BUSY"}', ""),
        ('{"state": "BUSY"}', "application/x-www-form-urlencoded"),
        ('\ufeff  {"state": "BUSY"}', "application/json"),
        ("state=BUSY&duration=0", "application/x-www-form-urlencoded"),
        ("state=BUSY&duration=0", "application/json"),
        ("state=BUSY", "nonsense"),
        ("state=BUSY", "multipart/form-data"),
        ('{"state": "BUSY"}', "multipart/form-data; boundary=b"),
        (MULTIPART, "multipart/form-data; boundary=b"),
        (MULTIPART, "multipart/form-data; boundary=another"),
        (MULTIPART, "multipart/form-data"),
        (MULTIPART, "application/json"),
        (MULTIPART, "application/x-www-form-urlencoded"),
        (MULTIPART, ""),
        (
            '{"state": "BUSY", "duration": 0, "price": 0.35, "id": null, "more": [1, {"a": 2}]}',
            "application/json",
        ),
        ('{" state ": " busy "}', "application/json"),
    ],
)
def test_json_and_forms_are_read_whatever_the_content_type_says(
    provider: Provider, body: str, content_type: str
) -> None:
    response = provider.post(body.encode(), content_type)
    assert (response.status_code, response.json()) == (200, {"result": "ok"})
    assert provider.state == "busy"


@pytest.mark.parametrize("body", ['{"state": "Занято"}', "state=Занято"])
@pytest.mark.parametrize("charset", ["utf-8", "cp1251"])
def test_a_report_in_windows_1251_is_read(provider: Provider, body: str, charset: str) -> None:
    assert provider.post(body.encode(charset)).status_code == 200
    assert provider.state == "busy"
    assert provider.call.statuses.get(source="callback").raw_state == "Занято"


@pytest.mark.parametrize("query", ["state=%C7%E0%ED%FF%F2%EE", "state=Занято", "state=\xc7\xe0"])
def test_a_query_string_is_read_in_either_encoding(provider: Provider, query: str) -> None:
    # The test client sets QUERY_STRING as given: an ASGI server passes decoded UTF-8.
    response = provider.client.get(provider.url, QUERY_STRING=query)
    assert response.status_code == 200
    word = provider.call.statuses.get(source="callback").raw_state
    assert word in ("Занято", "За")


@pytest.mark.parametrize(
    ("date", "microsecond"),
    [
        ("2020-02-02T12:18:48Z", 0),
        ("2020-02-02 17:18:48.250+05:00", 250_000),
        ("02.02.2020 15:18:48,5", 500_000),
        ("02/02/2020 15:18:48", 0),
    ],
)
def test_a_date_with_a_zone_a_fraction_or_slashes_is_read_and_kept(
    provider: Provider, date: str, microsecond: int
) -> None:
    provider.report("BUSY", date=date)
    status = provider.call.statuses.get(source="callback")
    assert status.occurred_at == datetime(
        2020, 2, 2, 12, 18, 48, microsecond, tzinfo=datetime_timezone.utc
    )
    assert status.payload["date"] == date


def test_a_report_in_the_query_string_is_accepted(provider: Provider) -> None:
    assert provider.client.get(f"{provider.url}?state=NO%20ANSWER").status_code == 200
    assert provider.state == "no_answer"
    assert provider.client.get(provider.url).status_code == 405


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b"[]",
        b"BUSY",
        b"null",
        b'"BUSY"',
        b'[{"state": "BUSY"}]',
        b'{"state": "BUSY"',
        b'{"state": ""}',
        b'{"state": NaN}',
        b"[" * 50000,
        b'{"a":' * 9000,
        b"\xff\xfe\x00",
        b"<html></html>",
        b"{\x00}",
        b"a=b&c=d",
    ],
)
def test_an_unreadable_body_is_400_and_changes_nothing(provider: Provider, body: bytes) -> None:
    response = provider.post(body)
    assert response.status_code == 400
    assert set(response.json()) == {"code", "detail"}
    assert (provider.state, provider.history) == ("placed", [])


@pytest.mark.parametrize(
    "values",
    [
        {"id": "9" * 500},
        {"id": {"a": 1}},
        {"price": "1e400"},
        {"price": -5},
        {"price": "99999999999999999999"},
        {"price": "many"},
        {"duration": "99999999999999999999"},
        {"duration": "-1"},
        {"duration": True},
        {"date": "0001-01-01 00:00:00"},
        {"date": "9999-12-31 23:59:59"},
        {"date": "2020-02-30 00:00:00"},
        {"date": 5},
        {"note": "\x00"},
        {"note": "\ud800"},
        {"\x00": "\x00"},
        {"service": "x" * 1000},
        {"number": None},
    ],
)
def test_a_report_with_malformed_values_is_still_recorded(
    provider: Provider, values: dict[str, Any]
) -> None:
    assert provider.post({"state": "BUSY", **values}).status_code == 200
    assert provider.history == ["busy"]


def test_a_body_over_64_kib_is_refused(provider: Provider) -> None:
    assert provider.post(b'{"state": "BUSY", "pad": "' + b"x" * 60000 + b'"}').status_code == 200
    too_long = provider.post(b'{"state": "BUSY", "pad": "' + b"x" * 70000 + b'"}')
    assert (too_long.status_code, too_long.json()["code"]) == (400, "too_large")


def test_an_invalid_token_is_404(provider: Provider) -> None:
    good = callback_tokens.make_callback_token(provider.call.pk)
    other = callback_tokens.make_callback_token(provider.call.pk + 1)
    for token in (
        "x",
        "1.x",
        f"{good}x",
        good[:-1],
        f"{provider.call.pk}.{other.partition('.')[2]}",
        "٣.x",
    ):
        url = reverse("voicepassword:callback", args=[token])
        assert provider.client.post(url, '{"state": "BUSY"}', "application/json").status_code == 404
    assert provider.history == []


def test_a_report_of_a_deleted_call_is_accepted(provider: Provider) -> None:
    provider.call.delete()
    assert provider.post({"state": "BUSY"}).json() == {"result": "ok"}


def test_a_token_made_with_an_earlier_secret_key_is_accepted(
    provider: Provider, settings: Any
) -> None:
    settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY]
    settings.SECRET_KEY = "another-key-that-is-long-enough-for-it"
    provider.report("BUSY")
    assert provider.state == "busy"


def test_states_move_only_forward_and_every_report_is_recorded(provider: Provider) -> None:
    for word in ("Дозвон", "NO ANSWER", "NO ANSWER", "ANSWERED", "Дозвон", "TELEPORTED"):
        provider.report(word)
    assert provider.state == "no_answer"
    # The second "NO ANSWER" and the second "Дозвон" are counted.
    assert provider.history == ["dialing", "no_answer", "answered", "other"]
    assert list(provider.kept().values_list("repeats", flat=True)) == [1, 1, 0, 0]
    assert provider.call.statuses.filter(raw_state="TELEPORTED").count() == 1


def test_copies_of_a_report_are_counted_in_one_row(provider: Provider) -> None:
    for _ in range(40):
        provider.report("BUSY", price="0.35001", date="2026-05-01 15:00:01")
    status = provider.kept().get()
    assert (status.state, status.repeats) == ("busy", 39)
    # The smallest difference makes another report.
    provider.report("BUSY", price="0.35001", date="2026-05-01 15:00:02")
    assert list(provider.kept().values_list("repeats", flat=True)) == [39, 0]


def test_twenty_reports_of_a_call_and_source_are_kept_and_the_next_still_move_it(
    provider: Provider,
) -> None:
    for number in range(30):
        provider.report("TELEPORTED", duration=number)
    assert provider.history == ["other"] * 20
    provider.report("Дозвон")
    assert (provider.state, provider.history) == ("dialing", ["other"] * 19 + ["dialing"])
    provider.report("BUSY")
    assert (provider.state, provider.history) == ("busy", ["other"] * 19 + ["busy"])
    # Each source has its own twenty.
    recording.record(provider.call.pk, parse_report({"state": "BUSY"}), "poll")
    assert provider.call.statuses.filter(source="poll").count() == 1


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("word", ["BUSY", "TELEPORTED"])
def test_copies_at_once_are_one_row(provider: Provider, word: str) -> None:
    posts = [lambda: Provider(provider.call).report(word).status_code] * 8
    assert run_at_once(posts) == [200] * 8
    assert list(provider.kept().values_list("repeats", flat=True)) == [7]


@pytest.mark.django_db(transaction=True)
def test_different_reports_at_once_are_twenty_rows(provider: Provider) -> None:
    def post(duration: int) -> int:
        return int(Provider(provider.call).report("TELEPORTED", duration=duration).status_code)

    for first in (0, 8, 16):
        posts = [partial(post, duration) for duration in range(first, first + 8)]
        assert run_at_once(posts) == [200] * 8
    assert provider.history == ["other"] * 20


def test_a_report_of_an_sms_locks_no_other_call(
    provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A right guess locks all calls of its verification: in another order, both would deadlock."""
    sms = CallRequest.objects.create(
        verification=provider.call.verification,
        phone=provider.call.phone,
        channel="sms",
        state="placed",
        provider_id="sms",
        claimed_at=timezone.now(),
    )
    read_locked, locked = CallRequest.read_locked, []

    def note(call: CallRequest) -> bool:
        locked.append(call.pk)
        return read_locked(call)

    monkeypatch.setattr(CallRequest, "read_locked", note)
    recording.record(
        provider.call.pk, parse_report({"id": "sms", "state": "DELIVERED"}), "callback"
    )
    sms.refresh_from_db()
    assert (sms.state, locked) == ("delivered", [sms.pk])


@pytest.mark.django_db(transaction=True)
def test_a_report_that_is_written_again_does_not_claim_the_key_of_another(
    provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SQLite gives the key of a row that was rolled back to the next one."""
    failures = [OperationalError("database is locked")]

    def fail_once(**kwargs: Any) -> None:
        if failures:
            raise failures.pop()

    def write_another(seconds: float) -> None:
        CallStatus.objects.create(call=provider.call, state="dialing", source="poll")

    monkeypatch.setattr("django_voicepassword.transactions.time.sleep", write_another)
    post_save.connect(fail_once, sender=CallStatus)
    try:
        provider.report("BUSY")
    finally:
        post_save.disconnect(fail_once, sender=CallStatus)
    assert (provider.state, provider.history) == ("busy", ["busy"])
    assert provider.call.statuses.filter(source="poll").count() == 1


@pytest.mark.parametrize("name", ["service", "x", "state", "Ж" * 64])
def test_a_kept_payload_has_two_kilobytes_at_most(provider: Provider, name: str) -> None:
    junk = {f"{name}{number}": "Ж😀" * 40 for number in range(40)}
    for report in ({"id": "1" * 64, "state": "BUSY"}, {"service": "Ж😀" * 99, "state": "BUSY"}):
        assert provider.post({**report, **junk}).status_code == 200
    for status in provider.kept():
        assert len(json.dumps(status.payload)) <= 2000
        assert (status.state, status.payload["state"]) == ("busy", "BUSY")


def test_the_page_of_a_call_stays_small_whatever_was_reported(
    provider: Provider, admin_client: Client
) -> None:
    for number in range(60):
        junk = {f"word{number}": '"<&>' * 50 for number in range(30)}
        provider.report("BUSY", duration=number, **junk)
        provider.report("BUSY")
    address = reverse("admin:django_voicepassword_callrequest_change", args=[provider.call.pk])
    page = admin_client.get(address).content
    assert b"and 59 more times the same" in page
    assert len(page) < 300_000


def test_a_token_ends_seven_days_after_the_final_state(provider: Provider) -> None:
    provider.report("Дозвон")
    with freeze_time(timezone.now() + timedelta(days=30)) as clock:
        # A call that has not ended takes reports for as long as it takes.
        provider.report("BUSY")
        clock.tick(timedelta(days=7, seconds=-1))
        provider.report("ANSWERED")
        clock.tick(timedelta(seconds=1))
        history = provider.history
        for body in ('{"state": "BUSY"}', "state=FAIL", "unreadable"):
            assert provider.post(body).status_code == 404
        assert provider.client.get(f"{provider.url}?state=BUSY").status_code == 404
        assert provider.history == history
        # It was the token of this call, not of every call.
        other = Provider(verifications.start("79990000002").calls.get())
        other.report("BUSY")


def test_a_refused_call_ends_its_token_too(provider: Provider) -> None:
    CallRequest.objects.filter(pk=provider.call.pk).update(
        state="refused", finished_at=timezone.now() - timedelta(days=8)
    )
    assert provider.post({"state": "BUSY"}).status_code == 404


def test_a_report_with_another_id_moves_no_call(provider: Provider) -> None:
    provider.report("BUSY", id="somebody-else")
    assert (provider.state, provider.history) == ("placed", ["busy"])


def test_a_report_may_arrive_before_the_reply(provider: Provider) -> None:
    CallRequest.objects.filter(pk=provider.call.pk).update(
        state="placing", provider_id="", placed_at=None
    )
    provider.report("NO ANSWER", id="early-1")
    call = CallRequest.objects.get(pk=provider.call.pk)
    assert (call.state, call.provider_id) == ("no_answer", "early-1")


def test_a_report_never_approves_a_verification(
    provider: Provider, verification: Verification
) -> None:
    provider.report("ANSWERED", status="approved", code="1234")
    verification.refresh_from_db()
    assert (verification.status, verification.attempts) == ("pending", 0)


@pytest.mark.parametrize("same_id", [True, False])
def test_reports_of_an_sms_arrive_at_the_callback_of_its_call(
    provider: Provider, verification: Verification, configure: Callable[..., None], same_id: bool
) -> None:
    configure(RESEND_AFTER=0)
    provider.report("NO ANSWER")
    verifications.resend(verification.id, channel="sms")
    sms = verification.calls.get(channel="sms")
    if same_id:
        CallRequest.objects.filter(pk=sms.pk).update(provider_id=provider.call.provider_id)
        sms.refresh_from_db()
    for word in ("QUEUED", "SEND", "DELIVERED"):
        provider.report(word, id=sms.provider_id)
    sms.refresh_from_db()
    assert (sms.state, provider.state) == ("delivered", "no_answer")
    assert list(sms.statuses.filter(source="callback").values_list("state", flat=True)) == [
        "sms_queued",
        "sms_sent",
        "delivered",
    ]


@pytest.mark.parametrize("dated", [True, False])
def test_reports_of_two_sms_with_one_id_are_told_apart(
    provider: Provider, verification: Verification, configure: Callable[..., None], dated: bool
) -> None:
    configure(RESEND_AFTER=0)
    provider.report("NO ANSWER")
    for _ in range(2):
        verifications.resend(verification.id, channel="sms")
    first, second = verification.calls.filter(channel="sms").order_by("id")
    sent = timezone.now() - timedelta(seconds=90)
    texts = verification.calls.filter(channel="sms")
    texts.update(provider_id=provider.call.provider_id, claimed_at=sent)
    texts.filter(pk=second.pk).update(claimed_at=sent + timedelta(seconds=60))
    for word, seconds in [("NOT DELIVERED", 2), ("DELIVERED", 62)]:
        moscow = (sent + timedelta(seconds=seconds)).astimezone(ZoneInfo("Europe/Moscow"))
        date = f"{moscow:%Y-%m-%d %H:%M:%S}" if dated else ""
        for _ in range(2 if dated else 1):
            provider.report(word, date=date)
    first.refresh_from_db()
    second.refresh_from_db()
    assert (first.state, second.state) == ("not_delivered", "delivered")


@pytest.mark.parametrize("call_is_final", [True, False])
def test_a_fail_report_is_assigned_to_the_call_or_its_sms_by_id(
    provider: Provider,
    verification: Verification,
    configure: Callable[..., None],
    call_is_final: bool,
) -> None:
    configure(RESEND_AFTER=0)
    if call_is_final:
        provider.report("NO ANSWER")
    verifications.resend(verification.id, channel="sms")
    sms = verification.calls.get(channel="sms")
    provider.report("FAIL", id=sms.provider_id)
    sms.refresh_from_db()
    assert (sms.state, provider.state) == ("failed", "no_answer" if call_is_final else "placed")


def test_a_repeated_fail_of_a_call_does_not_fail_its_sms(
    provider: Provider, verification: Verification, configure: Callable[..., None]
) -> None:
    configure(RESEND_AFTER=0)
    provider.report("FAIL")
    verifications.resend(verification.id, channel="sms")
    sms = verification.calls.get(channel="sms")
    # The response to the SMS request was lost, so its id is unknown.
    CallRequest.objects.filter(pk=sms.pk).update(state="unknown", provider_id="")
    provider.report("FAIL")
    sms.refresh_from_db()
    assert (sms.state, sms.provider_id, provider.history) == ("unknown", "", ["failed"])
    # Now the SMS has the id of its call.
    CallRequest.objects.filter(pk=sms.pk).update(
        state="placed", provider_id=provider.call.provider_id
    )
    provider.report("FAIL")
    sms.refresh_from_db()
    assert sms.state == "failed"


@pytest.mark.parametrize(
    ("networks", "address", "proxies", "forwarded", "status"),
    [
        (["192.0.2.0/24"], "192.0.2.7", 0, "", 200),
        (["192.0.2.0/24"], "198.51.100.1", 0, "", 404),
        (["192.0.2.0/24"], "198.51.100.1", 0, "192.0.2.7", 404),
        (["192.0.2.0/24"], "10.0.0.1", 1, "192.0.2.7", 200),
        (["192.0.2.0/24"], "10.0.0.1", 1, "192.0.2.7, 198.51.100.1", 404),
        (["2001:db8::/32"], "2001:db8::1", 0, "", 200),
        (["192.0.2.7"], "::ffff:192.0.2.7", 0, "", 200),
        (["192.0.2.7"], "", 0, "", 404),
    ],
)
def test_only_allowed_networks_may_report(
    provider: Provider,
    configure: Callable[..., None],
    networks: list[str],
    address: str,
    proxies: int,
    forwarded: str,
    status: int,
) -> None:
    configure(CALLBACK_ALLOWED_IPS=networks, TRUSTED_PROXIES=proxies)
    response = provider.post({"state": "BUSY"}, REMOTE_ADDR=address, HTTP_X_FORWARDED_FOR=forwarded)
    assert response.status_code == status


def test_a_database_that_is_gone_is_503_and_not_500(
    provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*args: Any, **kwargs: Any) -> None:
        raise DatabaseError("the database is gone")

    monkeypatch.setattr(recording, "record", fail)
    assert provider.post({"state": "BUSY"}).status_code == 503


@pytest.mark.django_db(transaction=True)
def test_a_state_change_is_signalled_once_and_a_failing_receiver_stops_nothing(
    provider: Provider,
) -> None:
    received = []

    def receive(
        call: CallRequest, old_state: str, new_state: str, source: str, **kwargs: Any
    ) -> None:
        received.append((call.pk, old_state, new_state, source))
        raise RuntimeError("an error in the project")

    signals.call_state_changed.connect(receive, sender=CallRequest)
    try:
        provider.report("BUSY")
        provider.report("BUSY")
    finally:
        signals.call_state_changed.disconnect(receive, sender=CallRequest)
    assert received == [(provider.call.pk, "placed", "busy", "callback")]


def test_a_callback_takes_four_queries(provider: Provider, django_assert_num_queries: Any) -> None:
    with django_assert_num_queries(4):
        # SAVEPOINT, UPDATE of the call, INSERT of the status, RELEASE SAVEPOINT.
        provider.report("BUSY")


@pytest.mark.parametrize("debug", [False, True])
def test_the_address_works_without_its_slash(
    provider: Provider, settings: Any, debug: bool
) -> None:
    settings.DEBUG = debug
    provider.url = provider.url.rstrip("/")
    provider.report("BUSY")
    assert provider.state == "busy"
