"""All data of a person: exported, and erased so that nothing is left by which to find them."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from io import StringIO
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.auth import get_user_model
from django.contrib.contenttypes.models import ContentType
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from django_voicepassword import statistics, verifications
from django_voicepassword.accounts import person as persons
from django_voicepassword.accounts import users
from django_voicepassword.calls import replies
from django_voicepassword.exceptions import InvalidProof
from django_voicepassword.history import erasure, retention
from django_voicepassword.models import (
    CallRequest,
    CallStatus,
    DailyStatistics,
    FraudTrip,
    LimitCounter,
    RefusedAttempt,
    TrustedDevice,
    Verification,
    VerifiedPhone,
)
from django_voicepassword.provider.protocol import parse_send
from django_voicepassword.security import callback_tokens, codes, masking
from django_voicepassword.statistics.lost_calls import MATCHED_BY_TIME
from django_voicepassword.testing import outbox as sent
from tests.statistics.rows_provider import ROWS, Provider

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("outbox")]
PHONE, OTHER = "79261374895", "79261380011"
ADDRESS, SHARED = "198.51.100.77", "203.0.113.5"
MOSCOW = ZoneInfo("Europe/Moscow")
User = get_user_model()


@pytest.fixture(autouse=True)
def _limits(configure: Callable[..., None]) -> None:
    ROWS.clear()
    configure(RESEND_AFTER=0, LIMITS={"phone": ["30/h"]})


def sync_with_rows(configure: Callable[..., None]) -> None:
    """From now on the provider's days have the rows of ``ROWS``."""
    configure(TRANSPORT=f"{Provider.__module__}.Provider")


def add_row(id: str, at: datetime, phone: str = PHONE) -> None:
    date = at.astimezone(MOSCOW).strftime("%d.%m.%Y %H:%M:%S")
    row = {"id": id, "number": phone, "date": date, "duration": "00:04", "price": "0.35"}
    ROWS.append({**row, "service": "Voice Password", "state": "Успешно"})


def log_in(phone: str = PHONE, address: str = ADDRESS) -> Client:
    """Log in on a new device, after a wrong guess."""
    client = Client(REMOTE_ADDR=address, headers={"idempotency-key": f"{phone}-{address}-key"})
    started = client.post("/api/verifications/", {"phone": phone}).json()
    code = sent[-1].code
    for guess in (f"{(int(code) + 1) % 10000:04}", code):
        answer = client.post("/api/login/", {"verification": started["id"], "code": guess})
    assert answer.status_code == 200, answer.content
    return client


def report(call: CallRequest, state: str) -> Any:
    """The provider's callback."""
    token = callback_tokens.make_callback_token(call.pk)
    body = {"id": call.provider_id, "number": PHONE, "state": state, "service": PHONE}
    address = reverse("voicepassword:callback", args=[token])
    return Client().post(address, json.dumps(body), "application/json")


def live() -> Any:
    """A person with rows in every table: their user."""
    log_in()
    log_in(address=SHARED)
    log_in(OTHER, address=SHARED)
    user = VerifiedPhone.objects.get(phone=PHONE).user
    call = CallRequest.objects.filter(phone=PHONE).earliest("pk")
    CallRequest.objects.filter(pk=call.pk).update(provider_id="1000", error_code=f"x {PHONE[:7]}**")
    call.refresh_from_db()
    report(call, "NO ANSWER")
    RefusedAttempt.objects.create(phone=PHONE, address=ADDRESS, reason="phone")
    verifications.start(PHONE)
    trips = [("network", "198.51.100.0/24"), ("block", PHONE[:-4]), ("network", "203.0.113.0/24")]
    for kind, subject in trips:
        FraudTrip.objects.create(
            kind=kind,
            subject=subject,
            cause="sends",
            mode="audit",
            failures=9,
            threshold=5,
            active_key=f"{kind}:sends:{subject}",
        )
    for key in (f"phone_guesses:{PHONE}", f"long_block_network:{PHONE[:-4]}:198.51.100.0/24"):
        LimitCounter.objects.get_or_create(key=key, defaults={"updated_at": timezone.now()})
    for model, id, name in (
        (CallRequest, str(call.pk), f"call {PHONE[-4:]}"),
        (LimitCounter, None, ADDRESS),
        (FraudTrip, "1", "network 198.51.100.0/24"),
        (User, str(user.pk), PHONE),
    ):
        LogEntry.objects.create(
            user=user,
            content_type=ContentType.objects.get_for_model(model),
            object_id=id,
            object_repr=name,
            action_flag=CHANGE,
        )
    return user


#: What may contain a part of a number by chance: fractions of a second, as SQLite and Python write
#: them, moments in milliseconds (13 digits, as counters keep them), and random digests and UUIDs.
BY_CHANCE = re.compile(
    r"(?P<time>\d\d:\d\d:\d\d)\.\d+"
    r"|(?P<datetime>datetime\.datetime\((?:\d+, ){5}\d+), \d+"
    r"|\b(?:\d{13}|[0-9a-f]{32}|[0-9a-f]{64}|[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12})\b"
)


def without_chance(content: str) -> str:
    return BY_CHANCE.sub(lambda found: found["time"] or found["datetime"] or "", content)


def everything() -> dict[str, str]:
    """All tables of the database as text, also those that no model has."""
    found = {}
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            cursor.execute(f"SELECT * FROM {connection.ops.quote_name(table)}")
            found[table] = "\n".join(map(str, cursor.fetchall()))
    return found


def traces(*texts: str) -> dict[str, list[str]]:
    """Which of the texts each table contains. Only a whole digest is found within a digest."""
    found = {}
    for table, content in everything().items():
        steady = without_chance(content)
        found[table] = [t for t in texts if t in (content if len(t) == 64 else steady)]
    return {table: texts for table, texts in found.items() if texts}


def parts_of(phone: str) -> list[str]:
    """The number and what it can be recovered from: its beginning and its end, in both orders."""
    parts = [phone, phone[1:], phone[:-4], phone[-6:]]
    return [*parts, *(part[::-1] for part in parts)]


def digests() -> list[str]:
    """What is stored of the number and of secrets: all that an erasure has to remove."""
    own = Verification.objects.filter(phone=PHONE)
    found = [*own.values_list("idempotency_digest", flat=True)]
    for call in CallRequest.objects.filter(phone=PHONE):
        found += [call.code_digest, *(call.idempotency or {}).values()]
    found += TrustedDevice.objects.filter(phone=PHONE).values_list("token_hash", flat=True)
    return [text for text in found if isinstance(text, str) and len(text) == 64]


def erase(**options: Any) -> tuple[str, str]:
    out, errors = StringIO(), StringIO()
    options = {"no_input": True, **(options or {"phone": PHONE})}
    call_command("voicepassword_person", erase=True, stdout=out, stderr=errors, **options)
    return out.getvalue(), errors.getvalue()


@pytest.mark.parametrize("by", ["phone", "user"])
def test_after_an_erasure_no_table_has_a_trace(by: str) -> None:
    user = live()
    secrets = digests()
    assert len(secrets) > 5
    assert traces(PHONE).keys() >= {
        CallRequest._meta.db_table,
        Verification._meta.db_table,
        VerifiedPhone._meta.db_table,
        TrustedDevice._meta.db_table,
        RefusedAttempt._meta.db_table,
        LimitCounter._meta.db_table,
        LogEntry._meta.db_table,
    }
    assert traces(*secrets)
    shared = traces(SHARED, OTHER)
    calls = CallRequest.objects.count()
    erase(**({"phone": "8 926 137-48-95"} if by == "phone" else {"user": str(user.pk)}))
    assert traces(*parts_of(PHONE)) == {}
    assert traces(*secrets) == {}
    assert traces(ADDRESS, "198.51.100.0") == {}
    # What other people share stays, and so do the figures.
    assert traces(SHARED, OTHER).keys() >= shared.keys() - {LogEntry._meta.db_table}
    assert VerifiedPhone.objects.get().phone == OTHER
    assert CallRequest.objects.count() == calls
    assert not CallRequest.objects.filter(state__in=["queued", "placing"]).exists()


def test_the_address_of_others_stays_on_their_rows_alone() -> None:
    live()
    erase()
    assert set(Verification.objects.exclude(ip=None).values_list("phone", "ip")) == {
        (OTHER, SHARED)
    }
    assert set(FraudTrip.objects.values_list("subject", "active_key")) == {
        ("", None),
        ("203.0.113.0/24", "network:sends:203.0.113.0/24"),
    }


def test_a_block_that_others_have_numbers_in_stays() -> None:
    live()
    log_in(f"{PHONE[:-4]}0001")
    erase()
    assert FraudTrip.objects.filter(subject=PHONE[:-4], active_key__isnull=False).exists()
    assert LimitCounter.objects.filter(key__startswith=f"block:{PHONE[:-4]}").exists()
    assert traces(PHONE, PHONE[1:], PHONE[-6:]) == {}


def figures(day: Any) -> dict[str, Any]:
    kept = DailyStatistics.objects.filter(date=day).values().get()
    return {name: value for name, value in kept.items() if name not in ("id", "synced_at")}


def test_the_books_add_up_and_a_sync_brings_nobody_back(configure: Callable[..., None]) -> None:
    live()
    sync_with_rows(configure)
    now = timezone.now()
    add_row("1000", now - timedelta(minutes=8))
    # Of another site with the same account.
    add_row("2000", now - timedelta(minutes=9))
    add_row("2001", now - timedelta(minutes=9), OTHER)
    today = statistics.provider_today()
    statistics.sync_day(today)
    before = figures(today)
    assert (before["rows"], before["imported"]) == (3, 2)
    erase()
    assert traces(*parts_of(PHONE)) == {}
    for _ in range(2):
        statistics.sync_day(today)
        assert figures(today) == before
    assert traces(*parts_of(PHONE)) == {}
    # A row that the provider adds later, and a day that was never synced.
    add_row("3000", now - timedelta(minutes=10))
    statistics.sync_day(today)
    assert figures(today)["imported"] == before["imported"] + 1
    assert figures(today)["total_price"] == before["total_price"] + Decimal("0.35")
    ROWS.clear()
    add_row("4000", now - timedelta(days=5))
    statistics.sync_day(today - timedelta(days=5))
    assert CallRequest.objects.get(provider_id="4000").phone == masking.ERASED
    assert traces(*parts_of(PHONE)) == {}


def test_numbers_of_later_calls_are_imported(configure: Callable[..., None]) -> None:
    live()
    erase()
    sync_with_rows(configure)
    LimitCounter.objects.filter(key="erased:").update(
        updated_at=timezone.now() - timedelta(hours=1)
    )
    add_row("5000", timezone.now() - timedelta(minutes=6), OTHER)
    statistics.sync_day(statistics.provider_today())
    assert CallRequest.objects.get(provider_id="5000").phone == OTHER


def test_a_call_without_an_id_is_still_found_by_its_time(configure: Callable[..., None]) -> None:
    verification = verifications.start(PHONE)
    call = verification.calls.get()
    at = timezone.now() - timedelta(minutes=20)
    CallRequest.objects.filter(pk=call.pk).update(
        state="unknown", provider_id="", created_at=at, claimed_at=at
    )
    erase()
    sync_with_rows(configure)
    day = statistics.provider_today(at)
    add_row("2000", at + timedelta(hours=-1), OTHER)
    add_row("1000", at + timedelta(seconds=3))
    statistics.sync_day(day)
    call.refresh_from_db()
    assert (call.provider_id, call.error_code, call.phone) == (
        "1000",
        MATCHED_BY_TIME,
        masking.ERASED,
    )
    assert (figures(day)["matched"], figures(day)["missing"]) == (1, 0)
    assert traces(*parts_of(PHONE)) == {}


def test_a_late_callback_and_a_late_poll_bring_nothing_back() -> None:
    live()
    verifications.start(PHONE)
    call = CallRequest.objects.filter(phone=PHONE).latest("pk")
    CallRequest.objects.filter(pk=call.pk).update(provider_id="77", state="placed")
    call.refresh_from_db()
    erase()
    assert report(call, "ANSWERED").status_code == 200
    call.refresh_from_db()
    assert (call.state, call.phone) == ("answered", masking.ERASED)
    assert CallStatus.objects.filter(call=call).latest("pk").payload == {}
    assert traces(*parts_of(PHONE)) == {}


@pytest.mark.parametrize("reply", [b'"id": "9"', b'"id": "9", "code": "1234"'])
def test_a_reply_that_arrives_after_the_erasure_brings_no_digest_back(reply: bytes) -> None:
    verification = verifications.start(PHONE)
    call = verification.calls.select_related("verification").get()
    digest = codes.digest(verification.id, PHONE, "1234")
    claimed = "" if b"code" in reply else digest
    CallRequest.objects.filter(pk=call.pk).update(state="placing", code_digest=claimed)
    call.refresh_from_db()
    erase()
    replies.keep_reply(call, parse_send(b'{"result": "ok", "price": "0.35", ' + reply + b"}"))
    call.refresh_from_db()
    assert (call.state, call.provider_id, call.code_digest) == ("placed", "9", "")
    assert traces(digest, *parts_of(PHONE)) == {}


def test_an_open_verification_is_closed_and_its_proof_worth_nothing() -> None:
    approved = verifications.check(verifications.start(PHONE).id, sent[-1].code)
    proof = verifications.make_proof(approved)
    opened = verifications.start(PHONE)
    erase()
    assert verifications.get(opened.id).status == Verification.Status.CANCELED
    with pytest.raises(InvalidProof):
        verifications.read_proof(proof)


def test_the_next_login_by_the_number_is_that_of_a_new_person() -> None:
    user = live()
    erase()
    log_in()
    assert VerifiedPhone.objects.get(phone=PHONE).user != user


def test_a_purge_leaves_erased_rows_alone(configure: Callable[..., None]) -> None:
    live()
    erase()
    configure(RETENTION_DAYS=1, RETENTION="mask")
    retention.purge(timezone.now() + timedelta(days=9))
    assert not CallRequest.objects.filter(phone__startswith="0000000*").exists()


def test_long_histories_are_erased_in_batches(
    monkeypatch: pytest.MonkeyPatch, django_assert_max_num_queries: Any
) -> None:
    monkeypatch.setattr(erasure, "BATCH", 10)
    for _ in range(25):
        CallRequest.objects.create(
            phone=PHONE, channel="voice", state="busy", claimed_at=timezone.now()
        )
    done: list[int] = []
    assert persons.erase(persons.of_phone(PHONE), progress=done.append).rows == 25
    assert done == [10, 20, 25]
    assert CallRequest.objects.filter(phone=masking.ERASED).count() == 25


@pytest.mark.parametrize("name", ["last_name", "username"])
def test_the_number_in_the_users_field(configure: Callable[..., None], name: str) -> None:
    configure(USER_PHONE_FIELD=name)
    user = User.objects.create(username="someone")
    users.assign(user, PHONE)
    if name == "username":
        with pytest.raises(CommandError, match="delete the user"):
            erase()
        assert VerifiedPhone.objects.exists()
        user.delete()
    erase()
    assert traces(*parts_of(PHONE)) == {}


def test_a_number_in_another_field_of_the_user_is_told() -> None:
    user = User.objects.create(username=f"+{PHONE}", email="a@example.org")
    users.assign(user, PHONE)
    _, errors = erase(user=str(user.pk))
    assert "“username” still holds a number" in errors
    assert PHONE not in errors


def test_rows_of_a_user_for_a_number_that_moved_on() -> None:
    log_in()
    former = VerifiedPhone.objects.get().user
    next_holder = User.objects.create(username="next")
    users.assign(next_holder, PHONE)
    log_in(address=SHARED)
    erase(user=str(former.pk))
    assert VerifiedPhone.objects.get().user == next_holder
    left = Verification.objects.filter(phone=PHONE)
    assert [row.user for row in left] == [next_holder]


def test_days_that_cannot_be_synced_are_named(configure: Callable[..., None]) -> None:
    configure(TRANSPORT="http", API_URL="http://127.0.0.1:9/", API_KEY="key", TIMEOUT=(0.1, 0.1))
    verification = Verification.objects.create(
        phone=PHONE, expires_at=timezone.now() + timedelta(minutes=5)
    )
    out, errors = erase()
    assert errors.count("could not be synced") == 2
    assert "Erased: 1 row." in out
    verification.refresh_from_db()
    assert verification.phone == masking.ERASED


def test_an_export_has_no_secrets_and_is_noted(caplog: pytest.LogCaptureFixture) -> None:
    live()
    out = StringIO()
    with caplog.at_level(logging.INFO, "django_voicepassword.audit"):
        call_command("voicepassword_person", phone=PHONE, export=True, stdout=out)
    assert OTHER not in out.getvalue()
    assert not any(secret in out.getvalue() for secret in digests())
    assert "exported all data of +7 *** ***-**-95" in caplog.text
    assert PHONE not in caplog.text


def test_all_data_is_exported() -> None:
    user = live()
    data = json.loads("".join(persons.export(persons.of_user(user.pk))))
    assert data["phones"] == [PHONE]
    assert {len(data[name]) for name in ("verified_phones", "refused_attempts")} == {1}
    assert len(data["verifications"]) == Verification.objects.filter(phone=PHONE).count()
    assert len(data["calls"]) == CallRequest.objects.filter(phone=PHONE).count()
    assert data["calls"][0]["reports"][-1]["state"] == "no_answer"
    assert {row["ip"] for row in data["verifications"]} >= {ADDRESS, SHARED}
    assert len(data["devices"]) == 2
    assert any(row["key"] == f"phone:{PHONE}" for row in data["limits"])


def test_an_export_tells_the_consent_text() -> None:
    verifications.start(PHONE, consent="We call you.")
    verifications.start(PHONE)
    data = json.loads("".join(persons.export(persons.of_phone(PHONE))))
    shown = [row["consent"] for row in data["verifications"]]
    assert sorted(shown, key=str) == [None, "We call you."]


def test_nothing_is_erased_without_a_yes(monkeypatch: pytest.MonkeyPatch) -> None:
    live()
    monkeypatch.setattr("builtins.input", lambda prompt: "no")
    with pytest.raises(CommandError, match="Nothing was erased"):
        erase(phone=PHONE, no_input=False)
    monkeypatch.setattr("builtins.input", lambda prompt: "yes")
    out, _ = erase(phone=PHONE, no_input=False)
    assert "+7 *** ***-**-95" in out
    assert not VerifiedPhone.objects.filter(phone=PHONE).exists()


def test_bad_arguments_are_told() -> None:
    for options in ({"phone": "12"}, {"user": "999"}, {"user": "x"}):
        with pytest.raises(CommandError):
            erase(**options)


def test_a_person_with_many_addresses_is_erased() -> None:
    ends = timezone.now() + timedelta(minutes=5)
    addresses = [f"10.{number // 200}.{number % 200}.1" for number in range(600)]
    Verification.objects.bulk_create(
        Verification(phone=PHONE, ip=address, status="canceled", expires_at=ends)
        for address in addresses
    )
    LimitCounter.objects.bulk_create(
        LimitCounter(key=f"ip:{address}", updated_at=ends) for address in addresses
    )
    erase()
    assert not LimitCounter.objects.filter(key__startswith="ip:").exists()
    assert traces("10.1.", *parts_of(PHONE)) == {}
