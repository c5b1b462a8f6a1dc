"""What each answer of the provider does to the rows, the budgets and the signals;
``test_delivery.py`` has it over HTTP.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.urls import reverse
from freezegun import freeze_time

from django_voicepassword import limits, signals, verifications
from django_voicepassword.calls import matching, placing, recording
from django_voicepassword.exceptions import (
    AccountRefused,
    NumberRefused,
    ProviderRefused,
    Unreachable,
    UnreadableReply,
)
from django_voicepassword.models import CallRequest, CallStatus, LimitCounter, Verification
from django_voicepassword.provider.protocol import InvalidRequest, Report, SendReply, parse_report
from django_voicepassword.security import callback_tokens, codes

pytestmark = pytest.mark.django_db
NOON = datetime(2026, 5, 1, 12, tzinfo=timezone.utc)
NUMBER = "79990000001"
OK = SendReply(id="77", number=NUMBER, price=Decimal("0.35"))


class Provider:
    """A client of the project's own: it answers as it is told to, and notes what it was asked."""

    answer: SendReply | BaseException = OK
    asked: list[tuple[str, tuple[Any, ...], dict[str, Any]]] = []

    def __getattr__(self, name: str) -> Callable[..., SendReply]:
        def ask(*args: Any, **kwargs: Any) -> SendReply:
            self.asked.append((name, args, kwargs))
            if isinstance(self.answer, BaseException):
                raise self.answer
            return self.answer

        return ask


@pytest.fixture(autouse=True)
def provider(configure: Callable[..., None]) -> type[Provider]:
    Provider.answer, Provider.asked = OK, []
    configure(
        TRANSPORT="tests.test_delivery_rows.Provider",
        DISPATCH="celery",
        LIMITS={"phone": ["9/d"], "ip": [], "prefix": ["9/d"]},
        DAILY_BUDGET=Decimal(10),
        RESEND_AFTER=60,
    )
    return Provider


@pytest.fixture
def moves() -> Iterator[list[tuple[Any, ...]]]:
    """What the host project is told."""
    told: list[tuple[Any, ...]] = []

    def place(signal: Any, sender: type, call: CallRequest) -> None:
        told.append((call.pk, "placed"))

    def move(
        signal: Any, sender: type, call: CallRequest, old_state: str, new_state: str, source: str
    ) -> None:
        told.append((call.pk, str(old_state), str(new_state), str(source)))

    signals.call_placed.connect(place, sender=CallRequest)
    signals.call_state_changed.connect(move, sender=CallRequest)
    yield told
    signals.call_placed.disconnect(place, sender=CallRequest)
    signals.call_state_changed.disconnect(move, sender=CallRequest)


@pytest.fixture
def place(django_capture_on_commit_callbacks: Callable[..., Any]) -> Callable[..., float | None]:
    """Place a call so many seconds after noon, and commit."""

    def place(call: CallRequest, seconds: float = 1, **given: Any) -> float | None:
        with (
            freeze_time(NOON + timedelta(seconds=seconds)),
            django_capture_on_commit_callbacks(execute=True),
        ):
            return placing.place(call.pk, **given)

    return place


def start(number: str = NUMBER, **given: Any) -> CallRequest:
    with freeze_time(NOON):
        return verifications.start(number, **given).calls.get()


def fresh(call: CallRequest) -> CallRequest:
    return CallRequest.objects.select_related("verification").get(pk=call.pk)


def alone(**values: Any) -> CallRequest:
    """A call of no verification."""
    return CallRequest.objects.create(
        **{"phone": NUMBER, "channel": "flashcall", "created_at": NOON, **values}
    )


def counted() -> dict[str, Any]:
    """How many events of each key, or which amount."""
    rows = LimitCounter.objects.exclude(key__startswith="price:")
    return {
        row.key: row.amount if row.key.startswith("budget:") else row.events.count(",1]")
        for row in rows
    }


BUDGET, PHONE, PREFIX = "budget:2026-05-01", f"phone:{NUMBER}", "prefix:7999000"


def test_what_is_kept_of_a_call_that_was_taken(place: Callable[..., Any], moves: list[Any]) -> None:
    call = start()
    assert place(call) is None
    call = fresh(call)
    later = NOON + timedelta(seconds=1)
    assert (call.state, call.provider_id, call.price, call.error_code) == (
        "placed",
        "77",
        Decimal("0.35"),
        "",
    )
    assert (call.claimed_at, call.placed_at, call.finished_at) == (later, later, None)
    assert call.next_poll_at == later + timedelta(seconds=15)
    assert call.verification is not None
    assert call.code_digest == codes.digest(
        call.verification.id, NUMBER, codes.make(call.verification.id)
    )
    status = call.statuses.get()
    assert (status.state, status.raw_state, status.source, status.received_at) == (
        "placed",
        "ok",
        "send",
        later,
    )
    assert (status.price, status.payload) == (
        Decimal("0.35"),
        {"result": "ok", "id": "77", "price": "0.35"},
    )
    assert moves == [(call.pk, "placed"), (call.pk, "placing", "placed", "send")]
    assert counted() == {BUDGET: Decimal("0.35"), PHONE: 1, PREFIX: 1}


def test_an_answer_without_price_and_settings_without_polling(
    provider: type[Provider], place: Callable[..., Any], configure: Callable[..., None]
) -> None:
    configure(
        TRANSPORT="tests.test_delivery_rows.Provider",
        DISPATCH="celery",
        DAILY_BUDGET=Decimal(10),
        POLL_DELAYS=[],
    )
    provider.answer = SendReply(id="")
    call = start()
    place(call)
    call = fresh(call)
    assert (call.state, call.provider_id, call.price, call.next_poll_at) == (
        "placed",
        "",
        None,
        None,
    )
    assert call.statuses.get().payload == {"result": "ok", "id": "", "price": None}
    assert counted()[BUDGET] == Decimal("0.35")


def test_a_reply_that_comes_after_a_callback_keeps_its_state(
    provider: type[Provider],
    place: Callable[..., Any],
    moves: list[Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    call = start()

    def be_slow(self: Provider, *args: Any, **kwargs: Any) -> SendReply:
        recording.record(call.pk, parse_report({"state": "BUSY"}), "callback")
        return OK

    monkeypatch.setattr(Provider, "flash_call", be_slow, raising=False)
    place(call)
    assert (fresh(call).state, fresh(call).provider_id, fresh(call).price) == (
        "busy",
        "77",
        Decimal("0.35"),
    )
    assert moves == [(call.pk, "placing", "busy", "callback"), (call.pk, "placed")]


@pytest.mark.parametrize(
    ("keys", "channel", "asked"),
    [
        ({}, "flashcall", ("flash_call", {"code": "CODE"})),
        ({}, "voice", ("voice_call", {"code": "CODE", "repeat": False, "ani": None})),
        (
            {"VOICE_REPEAT": True, "ANI": "74959999999"},
            "voice",
            ("voice_call", {"code": "CODE", "repeat": True, "ani": "74959999999"}),
        ),
        (
            {"CODE_SOURCE": "service", "CODE_LENGTH": 6},
            "flashcall",
            ("flash_call", {"capacity": 6}),
        ),
        (
            {"CODE_SOURCE": "service"},
            "voice",
            ("voice_call", {"code": None, "repeat": False, "ani": None}),
        ),
    ],
)
@pytest.mark.parametrize("base", [None, "https://example.org", "https://example.org/"])
def test_what_the_provider_is_asked(
    provider: type[Provider],
    place: Callable[..., Any],
    configure: Callable[..., None],
    keys: dict[str, Any],
    channel: str,
    asked: tuple[str, dict[str, Any]],
    base: str | None,
) -> None:
    configure(
        TRANSPORT="tests.test_delivery_rows.Provider",
        DISPATCH="celery",
        CALLBACK_BASE_URL=base,
        **keys,
    )
    call = start(channel=channel)
    place(call)
    name, given = asked
    if given.get("code"):
        assert call.verification_id is not None
        given = {**given, "code": codes.make(call.verification_id)}
    path = reverse("voicepassword:callback", args=[callback_tokens.make_callback_token(call.pk)])
    address = None if base is None else f"https://example.org{path}"
    assert provider.asked == [(name, (NUMBER,), {**given, "callback_url": address})]


def test_without_our_urls_no_callback_is_asked_for(
    settings: Any, configure: Callable[..., None], caplog: pytest.LogCaptureFixture
) -> None:
    configure(CALLBACK_BASE_URL="https://example.org")
    settings.ROOT_URLCONF = "django.contrib.auth.urls"
    assert placing.callback_url(alone()) is None
    assert "no callback is asked for" in caplog.text


def test_a_call_of_no_verification_carries_a_code_of_the_provider(
    provider: type[Provider], place: Callable[..., Any]
) -> None:
    call = alone(reserved_price=Decimal("0.30"))
    place(call)
    assert provider.asked == [("flash_call", (NUMBER,), {"capacity": 4, "callback_url": None})]
    assert (fresh(call).state, fresh(call).error_code, fresh(call).code_digest) == (
        "placed",
        "",
        "",
    )


@pytest.mark.parametrize(("code", "error_code"), [("4821", ""), (None, "code_missing")])
def test_a_code_of_the_provider(
    provider: type[Provider],
    place: Callable[..., Any],
    configure: Callable[..., None],
    code: str | None,
    error_code: str,
) -> None:
    configure(
        TRANSPORT="tests.test_delivery_rows.Provider", DISPATCH="celery", CODE_SOURCE="service"
    )
    provider.answer = SendReply(id="77", code=code)
    call = start()
    place(call)
    call = fresh(call)
    assert call.verification is not None
    expected = codes.digest(call.verification.id, NUMBER, code) if code else ""
    assert (call.state, call.error_code, call.code_digest) == ("placed", error_code, expected)


def test_a_text_repeats_the_newest_call_that_the_provider_took(
    provider: type[Provider], place: Callable[..., Any], moves: list[Any]
) -> None:
    first = start()
    assert first.verification is not None
    for id, channel, state in (
        ("5", "voice", "answered"),
        ("6", "sms", "placed"),
        ("", "voice", "placing"),
    ):
        digest = f"digest of {id}"
        alone(
            verification=first.verification,
            provider_id=id,
            channel=channel,
            state=state,
            code_digest=digest,
            claimed_at=NOON,
        )
    alone(provider_id="7", channel="voice", state="placed", claimed_at=NOON)
    text = alone(verification=first.verification, channel="sms")
    place(text)
    assert provider.asked == [("sms", ("5",), {})]
    assert (fresh(text).state, fresh(text).code_digest) == ("placed", "digest of 5")


@pytest.mark.parametrize("with_verification", [True, False])
def test_a_text_that_follows_no_call_is_turned_down(
    provider: type[Provider], place: Callable[..., Any], with_verification: bool
) -> None:
    verification = start().verification if with_verification else None
    text = alone(verification=verification, channel="sms")
    alone(
        verification=verification, provider_id="6", channel="sms", state="placed", claimed_at=NOON
    )
    assert place(text) is None
    assert (fresh(text).state, fresh(text).error_code, provider.asked) == (
        "refused",
        "no_earlier_call",
        [],
    )


def test_a_client_that_cannot_be_made_is_told_and_turns_the_call_down(
    place: Callable[..., Any], configure: Callable[..., None], moves: list[Any]
) -> None:
    call = start()
    configure(
        TRANSPORT="nowhere.at_all",
        DAILY_BUDGET=Decimal(10),
        LIMITS={"phone": ["9/d"], "prefix": ["9/d"]},
    )
    with pytest.raises(ImproperlyConfigured):
        place(call)
    assert (fresh(call).state, fresh(call).error_code) == ("refused", "misconfigured")
    assert moves == [(call.pk, "placing", "refused", "send")]
    assert counted() == {BUDGET: 0, PHONE: 0, PREFIX: 0}


@pytest.mark.parametrize(
    ("error", "error_code", "is_free"),
    [
        (AccountRefused("User_Disabled"), "User_Disabled", True),
        (NumberRefused("Number_Not_Valid"), "Number_Not_Valid", False),
        (ProviderRefused("x" * 250), "x" * 200, False),
        (InvalidRequest("ani must be a number"), "misconfigured", True),
    ],
)
def test_what_was_refused_rang_nobody(
    provider: type[Provider],
    place: Callable[..., Any],
    moves: list[Any],
    error: Exception,
    error_code: str,
    is_free: bool,
) -> None:
    provider.answer = error
    call = start()
    assert place(call) is None
    call = fresh(call)
    later = NOON + timedelta(seconds=1)
    assert (call.state, call.error_code, call.finished_at, call.code_digest) == (
        "refused",
        error_code,
        later,
        "",
    )
    status = call.statuses.get()
    assert (status.state, status.raw_state, status.source, status.received_at) == (
        "refused",
        error_code[:64],
        "send",
        later,
    )
    assert status.payload == {"result": "error", "error_code": error_code}
    assert moves == [(call.pk, "placing", "refused", "send")]
    verification = call.verification
    assert verification is not None
    # Money comes back in any case; the send is counted where the number was at fault, and the next
    # need not wait.
    assert (verification.sends, verification.last_sent_at) == (0 if is_free else 1, None)
    assert counted() == {BUDGET: 0, PHONE: 0 if is_free else 1, PREFIX: 0 if is_free else 1}
    assert not limits.is_raised("balance_low")


def test_what_is_refused_of_no_verification_gives_its_price_back(
    provider: type[Provider], place: Callable[..., Any], configure: Callable[..., None]
) -> None:
    limits.reserve({}, NOON, Decimal("0.30")).commit()
    for error in (AccountRefused("User_Disabled"), NumberRefused("Number_Not_Valid")):
        provider.answer = error
        place(alone(reserved_price=Decimal("0.10")))
        place(alone())
    assert counted() == {BUDGET: Decimal("0.10")}


@pytest.mark.parametrize(
    ("error_code", "alarms"), [(" Not_Enough_Money ", 1), ("User_Disabled", 0)]
)
def test_an_empty_account_is_an_alarm(
    provider: type[Provider],
    place: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
    error_code: str,
    alarms: int,
) -> None:
    raised: list[bool] = []
    monkeypatch.setattr(
        "django_voicepassword.limits.alarms.raise_balance_alarm", lambda: raised.append(True)
    )
    provider.answer = AccountRefused(error_code)
    place(start())
    assert len(raised) == alarms


@pytest.mark.parametrize(
    ("error", "error_code"),
    [
        (Unreachable("silence", may_have_rung=True), "no_reply"),
        (UnreadableReply("not JSON"), "unreadable_reply"),
        (SystemExit(), "interrupted"),
        (RuntimeError("ours"), "interrupted"),
    ],
)
def test_what_may_have_rung_is_unknown_and_stays_counted(
    provider: type[Provider],
    place: Callable[..., Any],
    moves: list[Any],
    error: BaseException,
    error_code: str,
) -> None:
    provider.answer = error
    call = start()
    if error_code == "interrupted":
        with pytest.raises(type(error)):
            place(call)
    else:
        assert place(call) is None
    call = fresh(call)
    assert (call.state, call.error_code, call.placed_at) == (
        "unknown",
        error_code,
        NOON + timedelta(seconds=1),
    )
    assert call.code_digest
    assert moves == [(call.pk, "placing", "unknown", "send")]
    assert counted() == {BUDGET: Decimal("0.35"), PHONE: 1, PREFIX: 1}
    assert call.verification is not None
    assert (call.verification.sends, call.verification.last_sent_at) == (1, NOON)


NOT_SENT = Unreachable("refused", may_have_rung=False)


@pytest.mark.parametrize(
    ("seconds", "wait"),
    [(0, 2.0), (1.5, 2.0), (2.5, 2.5), (59, 59.0), (60, 60.0), (61, 60.0), (239.9, 60.0)],
)
def test_a_connection_that_is_refused_is_tried_again_later(
    provider: type[Provider],
    place: Callable[..., Any],
    moves: list[Any],
    seconds: float,
    wait: float,
) -> None:
    provider.answer = NOT_SENT
    call = start()
    assert place(call, seconds) == wait
    call = fresh(call)
    assert (call.state, call.claimed_at, call.code_digest, call.error_code) == (
        "queued",
        None,
        "",
        "",
    )
    assert (moves, counted()[BUDGET]) == ([], Decimal("0.35"))


@pytest.mark.parametrize(("seconds", "given"), [(240, {}), (250, {}), (0, {"last_try": True})])
def test_a_try_that_would_come_too_late_is_not_made(
    provider: type[Provider],
    place: Callable[..., Any],
    moves: list[Any],
    seconds: float,
    given: dict[str, Any],
) -> None:
    provider.answer = NOT_SENT
    call = start()
    assert place(call, seconds, **given) is None
    assert (fresh(call).state, fresh(call).error_code) == ("refused", "unreachable")
    assert moves == [(call.pk, "placing", "refused", "send")]
    assert counted() == {BUDGET: 0, PHONE: 0, PREFIX: 0}


@pytest.mark.parametrize(("seconds", "wait"), [(239, 60.0), (240, None)])
def test_a_call_of_no_verification_is_tried_as_long_as_a_code_lives(
    provider: type[Provider], place: Callable[..., Any], seconds: float, wait: float | None
) -> None:
    provider.answer = NOT_SENT
    assert place(alone(), seconds) == wait


def test_only_a_call_that_is_queued_and_wanted_is_placed(
    provider: type[Provider], place: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    late = start()
    assert place(late, 300) is None
    assert (fresh(late).state, fresh(late).error_code) == ("refused", "verification_closed")
    assert counted() == {BUDGET: 0, PHONE: 0, PREFIX: 0}
    busy = start()
    monkeypatch.setattr(CallRequest, "claim", lambda self, digest, now: False)
    assert place(busy) is None
    assert fresh(busy).state == "queued"
    assert not placing.give_up(busy.pk, "broker_unavailable")
    assert provider.asked == []


def test_what_never_reached_a_worker_is_given_up(moves: list[Any]) -> None:
    call = start(purpose="order")
    assert placing.give_up(call.pk, "broker_unavailable")
    assert (fresh(call).state, fresh(call).error_code) == ("refused", "broker_unavailable")
    assert counted() == {BUDGET: 0, PHONE: 0, PREFIX: 0}
    assert not placing.give_up(call.pk, "broker_unavailable")


@pytest.mark.parametrize(
    ("reserved", "price", "budget", "expected"),
    [
        ("0.35", "0.35", "0.35", None),
        ("0.35", "0.50", "0.50", "0.50"),
        ("0.50", "0.10", "0.10", "0.10"),
        ("0.35", None, "0.35", None),
        (None, "0.50", "0.35", None),
    ],
)
def test_the_price_that_is_told_corrects_what_was_reserved(
    provider: type[Provider],
    place: Callable[..., Any],
    reserved: str | None,
    price: str | None,
    budget: str,
    expected: str | None,
) -> None:
    call = start()
    amount = Decimal(reserved or "0.35")
    LimitCounter.objects.filter(key=BUDGET).update(amount=amount)
    CallRequest.objects.filter(pk=call.pk).update(reserved_price=reserved and Decimal(reserved))
    provider.answer = SendReply(id="77", price=price and Decimal(price))  # type: ignore[arg-type]
    place(call)
    assert counted()[BUDGET] == Decimal(budget)
    known = (
        LimitCounter.objects.filter(key="price:flashcall")
        .values_list("amount", "updated_at")
        .first()
    )
    assert known == (None if expected is None else (Decimal(expected), NOON + timedelta(seconds=1)))


def taken(
    channel: str = "flashcall", state: str = "placed", provider_id: str = "77", **values: Any
) -> CallRequest:
    return alone(
        channel=channel,
        state=state,
        provider_id=provider_id,
        claimed_at=NOON,
        next_poll_at=NOON,
        **values,
    )


def test_a_report_moves_a_call_and_is_kept(
    moves: list[Any], django_capture_on_commit_callbacks: Callable[..., Any]
) -> None:
    call = taken(provider_id="")
    written = {
        "id": "78",
        "number": NUMBER,
        "state": "BUSY",
        "duration": "5",
        "price": "0.50",
        "date": "2026-05-01 15:00:01",
        "service": "Flash Call",
    }
    with freeze_time(NOON + timedelta(seconds=9)), django_capture_on_commit_callbacks(execute=True):
        status = recording.record(call.pk, parse_report(written), "poll")
    assert status is not None
    assert status == call.statuses.get()
    for one in (status, call.statuses.get()):
        assert (one.state, one.raw_state, one.source, one.duration, one.price) == (
            "busy",
            "BUSY",
            "poll",
            5,
            Decimal("0.50"),
        )
        assert (one.occurred_at, one.received_at) == (
            NOON + timedelta(seconds=1),
            NOON + timedelta(seconds=9),
        )
        assert one.payload == {**written, "number": "***01"}
    call = fresh(call)
    assert (call.state, call.provider_id, call.service, call.price) == (
        "busy",
        "78",
        "Flash Call",
        Decimal("0.50"),
    )
    assert (call.duration, call.occurred_at) == (5, NOON + timedelta(seconds=1))
    assert (call.finished_at, call.next_poll_at) == (NOON + timedelta(seconds=9), None)
    assert moves == [(call.pk, "placed", "busy", "poll")]


def test_a_report_of_a_step_leaves_the_rest_as_it_was() -> None:
    call = taken(service="Flash Call", price=Decimal("0.35"), duration=3, occurred_at=NOON)
    assert recording.record(call.pk, parse_report({"state": "Дозвон"}), "poll") is not None
    call = fresh(call)
    assert (call.state, call.provider_id, call.service, call.price, call.duration) == (
        "dialing",
        "77",
        "Flash Call",
        Decimal("0.35"),
        3,
    )
    assert (call.occurred_at, call.finished_at, call.next_poll_at) == (NOON, None, NOON)


@pytest.mark.parametrize(
    ("channel", "written"),
    [
        ("flashcall", {"state": "TELEPORTED"}),
        ("flashcall", {"id": "77"}),
        ("flashcall", {"state": "BUSY", "id": "78"}),
        ("flashcall", {"state": "DELIVERED"}),
        ("flashcall", {"state": "FAIL", "service": "SMS"}),
        ("sms", {"state": "BUSY"}),
        ("sms", {"state": "FAIL", "service": "Flash Call"}),
    ],
)
def test_a_report_that_tells_nothing_of_a_call_is_kept_and_moves_nothing(
    channel: str,
    written: dict[str, str],
    moves: list[Any],
    django_capture_on_commit_callbacks: Callable[..., Any],
) -> None:
    call = taken(channel)
    with django_capture_on_commit_callbacks(execute=True):
        status = recording.record(call.pk, parse_report(written), "poll")
    assert status is not None
    assert (fresh(call).state, call.statuses.count(), moves) == ("placed", 1, [])
    assert status.raw_state == written.get("state", "")
    assert status.state == parse_report(written).state or status.state == CallStatus.OTHER


@pytest.mark.parametrize(
    ("channel", "word"),
    [("flashcall", "FAIL"), ("sms", "FAIL"), ("sms", "DELIVERED"), ("voice", "BUSY")],
)
def test_a_report_that_may_be_of_a_call_moves_it(channel: str, word: str) -> None:
    call = taken(channel)
    recording.record(call.pk, parse_report({"state": word, "id": "77"}), "poll")
    assert fresh(call).is_final


def test_a_number_in_the_place_of_an_id_is_masked_and_no_call_is_none() -> None:
    call = taken()
    kept = recording.record(call.pk, parse_report({"id": NUMBER, "state": "BUSY"}), "poll")
    assert kept is not None
    assert NUMBER not in str(kept.payload)
    assert recording.record(123456, Report(state="busy"), "callback") is None


def test_a_report_that_another_overtakes_is_judged_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    call = taken()
    move_forward = CallRequest.move_forward
    overtaken: list[bool] = []

    def be_overtaken(self: CallRequest, old_state: str, values: dict[str, Any]) -> bool:
        if not overtaken:
            overtaken.append(True)
            CallRequest.objects.filter(pk=self.pk).update(state="dialing")
        return move_forward(self, old_state, values)

    monkeypatch.setattr(CallRequest, "move_forward", be_overtaken)
    status = recording.record(call.pk, parse_report({"state": "BUSY"}), "callback")
    assert (fresh(call).state, call.statuses.get()) == ("busy", status)


@pytest.fixture
def verification() -> Verification:
    return Verification.objects.create(
        phone=NUMBER,
        purpose="login",
        created_at=NOON,
        expires_at=NOON + timedelta(seconds=300),
        id=uuid.uuid4(),
    )


@pytest.mark.parametrize(
    ("state", "texts", "written", "meant"),
    [
        # (state and id of each text, oldest first); which row is meant: "call" or the number of the
        # text.
        ("placed", [], {"state": "DELIVERED"}, "call"),
        ("placed", [("queued", "")], {"state": "DELIVERED"}, "call"),
        ("placed", [("refused", "")], {"state": "DELIVERED"}, "call"),
        ("placed", [("placed", "78")], {"state": "DELIVERED"}, 0),
        ("placed", [("placed", "78")], {"state": "BUSY"}, "call"),
        ("placed", [("placed", "78")], {"state": "BUSY", "id": "78"}, "call"),
        # Several texts: the one that is named, else the newest that is open, else the newest.
        ("placed", [("placed", "78"), ("placed", "79")], {"state": "DELIVERED"}, 1),
        ("placed", [("placed", "78"), ("delivered", "79")], {"state": "DELIVERED"}, 0),
        ("placed", [("delivered", "78"), ("delivered", "79")], {"state": "DELIVERED"}, 1),
        ("placed", [("delivered", "78"), ("placed", "79")], {"state": "DELIVERED", "id": "78"}, 0),
        ("placed", [("delivered", "78"), ("placed", "79")], {"state": "DELIVERED", "id": "80"}, 1),
        # FAIL may be of either.
        ("placed", [], {"state": "FAIL"}, "call"),
        ("placed", [("placed", "78")], {"state": "FAIL", "id": "78"}, 0),
        ("busy", [("delivered", "78")], {"state": "FAIL", "id": "78"}, 0),
        ("placed", [("placed", "77")], {"state": "FAIL", "id": "77"}, "call"),
        ("busy", [("placed", "77")], {"state": "FAIL", "id": "77"}, 0),
        ("busy", [("placed", "77")], {"state": "FAIL"}, 0),
        ("busy", [("delivered", "77")], {"state": "FAIL", "id": "77"}, "call"),
        ("busy", [("placed", "78")], {"state": "FAIL"}, "call"),
        ("busy", [("placed", "78")], {"state": "FAIL", "id": "77"}, "call"),
        ("busy", [("placed", "78")], {"state": "FAIL", "id": "80"}, "call"),
        ("busy", [("unknown", "")], {"state": "FAIL"}, 0),
        ("busy", [("placing", "")], {"state": "FAIL", "id": "77"}, 0),
        ("busy", [("placing", "")], {"state": "FAIL", "id": "80"}, "call"),
        ("failed", [("placing", "")], {"state": "FAIL", "id": "77"}, "call"),
        ("placed", [("placing", "")], {"state": "FAIL"}, "call"),
    ],
)
def test_which_row_a_callback_means(
    verification: Verification,
    state: str,
    texts: list[tuple[str, str]],
    written: dict[str, str],
    meant: int | str,
) -> None:
    call = taken(state=state, verification=verification)
    rows = [taken("sms", text, id, verification=verification) for text, id in texts]
    # Of somebody else.
    taken("sms", "placed", "78")
    taken("voice", "placed", "79", verification=verification)
    expected = call if meant == "call" else rows[int(meant)]
    assert matching.find_target_call(call, parse_report(written)) == expected
    # A poll asks for a call of its own.
    status = recording.record(call.pk, parse_report(written), "poll")
    assert status is not None
    assert status.call == call


def test_a_callback_of_a_text_or_of_no_verification_means_it(verification: Verification) -> None:
    text = taken("sms", verification=verification)
    taken("sms", provider_id="78", verification=verification)
    call = taken(state="busy")
    for one in (text, call):
        assert matching.find_target_call(one, parse_report({"state": "FAIL", "id": "78"})) == one
        assert (
            matching.find_target_call(one, parse_report({"state": "DELIVERED", "id": "78"})) == one
        )


CALLED_BACK = {
    "id": "77",
    "number": NUMBER,
    "state": "BUSY",
    "duration": "5",
    "price": "0.50",
    "date": "2026-05-01 15:00:01",
    "service": "Flash Call",
}


@pytest.mark.parametrize("is_heard", [False, True])
def test_the_usual_callback_writes_the_same_unread(
    is_heard: bool, request: pytest.FixtureRequest
) -> None:
    if is_heard:
        request.getfixturevalue("moves")
    call = taken()
    with freeze_time(NOON + timedelta(seconds=9)):
        status = recording.record(call.pk, parse_report(CALLED_BACK), "callback")
    call = fresh(call)
    assert (call.state, call.provider_id, call.service, call.price) == (
        "busy",
        "77",
        "Flash Call",
        Decimal("0.50"),
    )
    assert (call.duration, call.occurred_at) == (5, NOON + timedelta(seconds=1))
    assert (call.finished_at, call.next_poll_at) == (NOON + timedelta(seconds=9), None)
    kept = call.statuses.get()
    assert (kept, kept.state, kept.raw_state, kept.source) == (status, "busy", "BUSY", "callback")
    assert (kept.duration, kept.price, kept.occurred_at) == (
        5,
        Decimal("0.50"),
        NOON + timedelta(seconds=1),
    )
    assert (kept.received_at, kept.payload) == (
        NOON + timedelta(seconds=9),
        {**CALLED_BACK, "number": "***01"},
    )


def test_the_usual_callback_takes_two_writes(django_assert_num_queries: Any) -> None:
    call = taken(occurred_at=NOON)
    written = {name: CALLED_BACK[name] for name in ("id", "number", "state")}
    # With the savepoint of the test.
    with django_assert_num_queries(4):
        recording.record(call.pk, parse_report(written), "callback")
    assert (fresh(call).state, fresh(call).occurred_at) == ("busy", NOON)


@pytest.mark.parametrize(
    ("row", "written", "state"),
    [
        ({"state": "placing", "provider_id": ""}, {}, "busy"),
        ({"state": "answered"}, {}, "answered"),
        ({"state": "busy"}, {}, "busy"),
        ({"phone": "79990000002"}, {}, "busy"),
        ({"provider_id": "78"}, {}, "placed"),
        ({"channel": "sms"}, {}, "placed"),
        ({}, {"id": ""}, "busy"),
        ({}, {"number": ""}, "busy"),
        ({}, {"state": "Telepathy"}, "placed"),
        ({}, {"state": "DELIVERED"}, "placed"),
        ({}, {"state": "Дозвон"}, "dialing"),
        ({"state": "no_answer"}, {"state": "Дозвон"}, "no_answer"),
    ],
)
def test_an_unusual_callback_is_kept_too(
    row: dict[str, str], written: dict[str, str], state: str
) -> None:
    call = taken(**row)
    taken(provider_id="79")
    status = recording.record(call.pk, parse_report({**CALLED_BACK, **written}), "callback")
    assert (fresh(call).state, call.statuses.get()) == (state, status)
    assert CallStatus.objects.count() == 1
