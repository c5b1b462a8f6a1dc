"""The rows, budgets and signals after each answer and each report of the provider.

A fake client answers; ``test_calls_over_http.py`` tests the same over HTTP.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.db.models import Sum
from django.urls import reverse
from django.urls.base import set_script_prefix
from freezegun import freeze_time

from django_voicepassword import limits, signals, verifications
from django_voicepassword.calls import matching, placing, recording, replies
from django_voicepassword.exceptions import (
    AccountRefused,
    BudgetExhausted,
    NumberRefused,
    ProviderRefused,
    Unreachable,
    UnreadableReply,
)
from django_voicepassword.limits import circuit
from django_voicepassword.models import CallRequest, CallStatus, LimitCounter, Verification
from django_voicepassword.provider.protocol import InvalidRequest, Report, SendReply, parse_report
from django_voicepassword.security import callback_tokens, codes
from django_voicepassword.verifications.description import describe

pytestmark = pytest.mark.django_db
NOON = datetime(2026, 5, 1, 12, tzinfo=timezone.utc)
NUMBER = "79990000001"
OK = SendReply(id="77", number=NUMBER, price=Decimal("0.35"))


class Provider:
    """A client factory that returns or raises ``answer`` and records its requests."""

    answer: SendReply | BaseException = OK
    requests: list[tuple[str, tuple[Any, ...], dict[str, Any]]] = []

    def __getattr__(self, name: str) -> Callable[..., SendReply]:
        def request(*args: Any, **kwargs: Any) -> SendReply:
            self.requests.append((name, args, kwargs))
            if isinstance(self.answer, BaseException):
                raise self.answer
            return self.answer

        return request


@pytest.fixture(autouse=True)
def provider(configure: Callable[..., None]) -> type[Provider]:
    Provider.answer, Provider.requests = OK, []
    configure(
        TRANSPORT="tests.test_call_rows.Provider",
        DISPATCH="celery",
        LIMITS={"phone": ["9/d"], "ip": [], "prefix": ["9/d"]},
        DAILY_BUDGET=Decimal(10),
        RESEND_AFTER=60,
    )
    return Provider


@pytest.fixture
def moves() -> Iterator[list[tuple[Any, ...]]]:
    """The signals that the host project receives: (call, "placed") or (call, old, new, source)."""
    received: list[tuple[Any, ...]] = []

    def receive_placed(signal: Any, sender: type, call: CallRequest) -> None:
        received.append((call.pk, "placed"))

    def receive_move(
        signal: Any, sender: type, call: CallRequest, old_state: str, new_state: str, source: str
    ) -> None:
        received.append((call.pk, str(old_state), str(new_state), str(source)))

    signals.call_placed.connect(receive_placed, sender=CallRequest)
    signals.call_state_changed.connect(receive_move, sender=CallRequest)
    yield received
    signals.call_placed.disconnect(receive_placed, sender=CallRequest)
    signals.call_state_changed.disconnect(receive_move, sender=CallRequest)


@pytest.fixture
def place(django_capture_on_commit_callbacks: Callable[..., Any]) -> Callable[..., float | None]:
    """``place(call, seconds)`` places a call so many seconds after noon, and commits."""

    def place(call: CallRequest, seconds: float = 1, **options: Any) -> float | None:
        with (
            freeze_time(NOON + timedelta(seconds=seconds)),
            django_capture_on_commit_callbacks(execute=True),
        ):
            return placing.place(call.pk, **options)

    return place


def start(number: str = NUMBER, **options: Any) -> CallRequest:
    """Start a verification at noon and return its call, which is queued."""
    with freeze_time(NOON):
        return verifications.start(number, **options).calls.get()


def fresh(call: CallRequest) -> CallRequest:
    """Return the call as the database has it now."""
    return CallRequest.objects.select_related("verification").get(pk=call.pk)


def make_call(**values: Any) -> CallRequest:
    """Create a call without a verification, or with the one in ``values``."""
    return CallRequest.objects.create(
        **{"phone": NUMBER, "channel": "flashcall", "created_at": NOON, **values}
    )


def counters() -> dict[str, Any]:
    """Return the number of events of each limit, and the money of the day."""
    rows = LimitCounter.objects.exclude(key__regex="^(price|budget|budget_unproven|block|guard):")
    used = {row.key.partition("#")[0]: 0 for row in rows}
    for row in rows:
        used[row.key.partition("#")[0]] += row.events.count(",1]")
    return {**used, BUDGET: limits.spent(NOON)}


BUDGET, PHONE, PREFIX = "budget", f"phone:{NUMBER}", "prefix:7999000"


def test_an_accepted_call_is_stored_charged_and_signalled(
    place: Callable[..., Any], moves: list[Any]
) -> None:
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
    assert counters() == {BUDGET: Decimal("0.35"), PHONE: 1, PREFIX: 1}


def test_an_answer_without_a_price_keeps_the_reserved_price_and_nothing_is_polled_without_delays(
    provider: type[Provider], place: Callable[..., Any], configure: Callable[..., None]
) -> None:
    configure(
        TRANSPORT="tests.test_call_rows.Provider",
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
    assert counters()[BUDGET] == Decimal("0.35")


def test_a_reply_that_comes_after_a_callback_keeps_the_reported_state(
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
    ("keys", "channel", "request_sent"),
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
def test_each_channel_and_setting_makes_its_request_to_the_provider(
    provider: type[Provider],
    place: Callable[..., Any],
    configure: Callable[..., None],
    keys: dict[str, Any],
    channel: str,
    request_sent: tuple[str, dict[str, Any]],
    base: str | None,
) -> None:
    configure(
        TRANSPORT="tests.test_call_rows.Provider",
        DISPATCH="celery",
        CALLBACK_BASE_URL=base,
        **keys,
    )
    call = start(channel=channel)
    place(call)
    name, arguments = request_sent
    if arguments.get("code"):
        assert call.verification_id is not None
        arguments = {**arguments, "code": codes.make(call.verification_id)}
    path = reverse("voicepassword:callback", args=[callback_tokens.make_callback_token(call.pk)])
    address = None if base is None else f"https://example.org{path}"
    assert provider.requests == [(name, (NUMBER,), {**arguments, "callback_url": address})]


@pytest.fixture
def _script_prefix() -> Iterator[None]:
    yield
    set_script_prefix("/")


@pytest.mark.usefixtures("_script_prefix")
@pytest.mark.parametrize("base", ["https://example.org/app", "https://example.org/app/"])
def test_a_worker_and_a_request_make_the_same_callback_url(
    configure: Callable[..., None], base: str
) -> None:
    configure(CALLBACK_BASE_URL=base)
    call = make_call()
    token = callback_tokens.make_callback_token(call.pk)
    # A worker has no request, unless FORCE_SCRIPT_NAME is set.
    for prefix in ("/", "/app/"):
        set_script_prefix(prefix)
        assert placing.callback_url(call.pk) == f"https://example.org/app/auth/callback/{token}/"


@pytest.mark.usefixtures("_script_prefix")
@pytest.mark.parametrize("base", ["https://example.org", "http://app"])
def test_a_request_knows_a_mount_path_that_the_base_of_the_callbacks_omits(
    configure: Callable[..., None], base: str
) -> None:
    configure(CALLBACK_BASE_URL=base)
    set_script_prefix("/app/")
    url = placing.callback_url(make_call().pk)
    assert url is not None
    assert url.startswith(f"{base}/app/auth/callback/")


def test_no_callback_is_requested_if_the_urls_are_not_included(
    settings: Any, configure: Callable[..., None], caplog: pytest.LogCaptureFixture
) -> None:
    configure(CALLBACK_BASE_URL="https://example.org")
    settings.ROOT_URLCONF = "django.contrib.auth.urls"
    assert placing.callback_url(make_call().pk) is None
    assert "no callback is asked for" in caplog.text


def test_a_call_without_a_verification_gets_a_code_from_the_provider(
    provider: type[Provider], place: Callable[..., Any]
) -> None:
    call = make_call(reserved_price=Decimal("0.30"))
    place(call)
    assert provider.requests == [("flash_call", (NUMBER,), {"capacity": 4, "callback_url": None})]
    assert (fresh(call).state, fresh(call).error_code, fresh(call).code_digest) == (
        "placed",
        "",
        "",
    )


@pytest.mark.parametrize(("code", "error_code"), [("4821", ""), (None, "code_missing")])
def test_the_providers_code_is_digested_and_a_missing_one_is_an_error(
    provider: type[Provider],
    place: Callable[..., Any],
    configure: Callable[..., None],
    code: str | None,
    error_code: str,
) -> None:
    configure(TRANSPORT="tests.test_call_rows.Provider", DISPATCH="celery", CODE_SOURCE="service")
    provider.answer = SendReply(id="77", code=code)
    call = start()
    place(call)
    call = fresh(call)
    assert call.verification is not None
    expected = codes.digest(call.verification.id, NUMBER, code) if code else ""
    assert (call.state, call.error_code, call.code_digest) == ("placed", error_code, expected)


def test_a_code_of_another_length_than_was_asked_for_is_accepted(
    provider: type[Provider], place: Callable[..., Any], configure: Callable[..., None]
) -> None:
    configure(TRANSPORT="tests.test_call_rows.Provider", DISPATCH="celery", CODE_SOURCE="service")
    provider.answer = SendReply(id="77", code="482193")
    call = start()
    place(call)
    verification = fresh(call).verification
    assert verification is not None
    assert describe(verification).code_length == 6
    with freeze_time(NOON):
        assert verifications.check(verification.id, "482193").status == "approved"


def test_an_sms_repeats_the_newest_call_that_the_provider_accepted(
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
        make_call(
            verification=first.verification,
            provider_id=id,
            channel=channel,
            state=state,
            code_digest=digest,
            claimed_at=NOON,
        )
    make_call(provider_id="7", channel="voice", state="placed", claimed_at=NOON)
    sms = make_call(verification=first.verification, channel="sms")
    place(sms)
    assert provider.requests == [("sms", ("5",), {})]
    assert (fresh(sms).state, fresh(sms).code_digest) == ("placed", "digest of 5")


@pytest.mark.parametrize("with_verification", [True, False])
def test_an_sms_without_an_earlier_call_is_refused(
    provider: type[Provider], place: Callable[..., Any], with_verification: bool
) -> None:
    verification = start().verification if with_verification else None
    sms = make_call(verification=verification, channel="sms")
    make_call(
        verification=verification, provider_id="6", channel="sms", state="placed", claimed_at=NOON
    )
    assert place(sms) is None
    assert (fresh(sms).state, fresh(sms).error_code, provider.requests) == (
        "refused",
        "no_earlier_call",
        [],
    )


def test_an_invalid_transport_raises_and_refuses_the_call(
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
    assert counters() == {BUDGET: 0, PHONE: 0, PREFIX: 0}


@pytest.mark.parametrize(
    ("error", "error_code", "is_free"),
    [
        (AccountRefused("User_Disabled"), "User_Disabled", True),
        (NumberRefused("Number_Not_Valid"), "Number_Not_Valid", False),
        (ProviderRefused("x" * 250), "x" * 200, False),
        (InvalidRequest("ani must be a number"), "misconfigured", True),
    ],
)
def test_a_refused_call_is_stored_and_its_money_given_back(
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
    # The money is always given back. The send stays counted if the number was at fault, but the
    # next send need not wait.
    assert (verification.sends, verification.last_sent_at) == (0 if is_free else 1, None)
    circuit.note_balance(Decimal(100))
    assert counters() == {BUDGET: 0, PHONE: 0 if is_free else 1, PREFIX: 0 if is_free else 1}
    assert not limits.is_raised("balance_low")


def test_a_refused_call_without_a_verification_gives_its_price_back(
    provider: type[Provider], place: Callable[..., Any], configure: Callable[..., None]
) -> None:
    money = limits.Money(Decimal("0.30"))
    limits.in_transaction(lambda: limits.reserve([], NOON, money).commit(), "default")
    for error in (AccountRefused("User_Disabled"), NumberRefused("Number_Not_Valid")):
        provider.answer = error
        place(make_call(reserved_price=Decimal("0.10")))
        circuit.note_balance(Decimal(100))
        place(make_call())
        circuit.note_balance(Decimal(100))
    assert counters() == {BUDGET: Decimal("0.10")}


@pytest.mark.parametrize(
    ("error_code", "alarms"), [(" Not_Enough_Money ", 1), ("User_Disabled", 0)]
)
def test_an_empty_account_raises_the_balance_alarm(
    provider: type[Provider],
    place: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
    error_code: str,
    alarms: int,
) -> None:
    alarms_raised: list[bool] = []
    monkeypatch.setattr(
        "django_voicepassword.limits.circuit.raise_balance_alarm",
        lambda: alarms_raised.append(True),
    )
    provider.answer = AccountRefused(error_code)
    place(start())
    assert len(alarms_raised) == alarms


@pytest.mark.parametrize(
    ("error", "error_code"),
    [
        (Unreachable("silence", may_have_rung=True), "no_reply"),
        (UnreadableReply("not JSON"), "unreadable_reply"),
        (SystemExit(), "interrupted"),
        (RuntimeError("ours"), "interrupted"),
    ],
)
def test_a_call_that_may_have_rung_is_unknown_and_stays_counted(
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
    assert counters() == {BUDGET: Decimal("0.35"), PHONE: 1, PREFIX: 1}
    assert call.verification is not None
    assert (call.verification.sends, call.verification.last_sent_at) == (1, NOON)


NOT_SENT = Unreachable("refused", may_have_rung=False)


@pytest.mark.parametrize(
    ("seconds", "wait"),
    [(0, 2.0), (1.5, 2.0), (2.5, 2.5), (59, 59.0), (60, 60.0), (61, 60.0), (239.9, 60.0)],
)
def test_a_refused_connection_is_retried_later(
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
    assert (moves, counters()[BUDGET]) == ([], Decimal("0.35"))


@pytest.mark.parametrize(("seconds", "options"), [(240, {}), (250, {}), (0, {"last_try": True})])
def test_a_try_after_the_verification_expires_is_not_made(
    provider: type[Provider],
    place: Callable[..., Any],
    moves: list[Any],
    seconds: float,
    options: dict[str, Any],
) -> None:
    provider.answer = NOT_SENT
    call = start()
    assert place(call, seconds, **options) is None
    assert (fresh(call).state, fresh(call).error_code) == ("refused", "unreachable")
    assert moves == [(call.pk, "placing", "refused", "send")]
    assert counters() == {BUDGET: 0, PHONE: 0, PREFIX: 0}


@pytest.mark.parametrize(("seconds", "wait"), [(239, 60.0), (240, None)])
def test_a_call_without_a_verification_is_retried_for_the_lifetime_of_a_code(
    provider: type[Provider], place: Callable[..., Any], seconds: float, wait: float | None
) -> None:
    provider.answer = NOT_SENT
    assert place(make_call(), seconds) == wait


def test_an_expired_call_and_a_call_claimed_by_another_worker_are_not_placed(
    provider: type[Provider], place: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    late = start()
    assert place(late, 300) is None
    assert (fresh(late).state, fresh(late).error_code) == ("refused", "verification_closed")
    assert counters() == {BUDGET: 0, PHONE: 0, PREFIX: 0}
    busy = start()
    monkeypatch.setattr(CallRequest, "claim", lambda self, digest, now: False)
    assert place(busy) is None
    assert fresh(busy).state == "queued"
    assert not placing.give_up(busy.pk, "broker_unavailable")
    assert provider.requests == []


def ask_again(call: CallRequest, seconds: float = 61) -> CallRequest:
    """Ask for the code of a call once more, by the robot; return the new call."""
    with freeze_time(NOON + timedelta(seconds=seconds)):
        verification = verifications.resend(str(call.verification_id), channel="voice")
    return verification.calls.latest("id")


def test_a_call_that_no_worker_took_does_not_ring_beside_the_newer_one(
    provider: type[Provider], place: Callable[..., Any]
) -> None:
    first = start()
    newer = ask_again(first)
    counted = counters()
    assert place(first, 62) is None
    assert (fresh(first).state, fresh(first).error_code) == ("refused", "replaced")
    verification = Verification.objects.get()
    assert (verification.sends, verification.last_sent_at) == (2, newer.created_at)
    assert provider.requests == []
    assert place(newer, 62) is None
    assert fresh(newer).state == "placed"
    assert [name for name, _, _ in provider.requests] == ["voice_call"]
    assert counters()[PHONE] == counted[PHONE] - 1 == 1


@pytest.mark.parametrize(("give_back", "sends"), [(True, 1), (False, 2)])
def test_the_refusal_of_an_older_call_opens_no_send_beside_the_newer_one(
    place: Callable[..., Any], give_back: bool, sends: int
) -> None:
    first = start()
    first.claim("", NOON)
    newer = ask_again(first)
    assert place(newer, 62) is None
    replies.refuse(first, "no_route", give_back)
    verification = Verification.objects.get()
    assert (verification.sends, verification.last_sent_at) == (sends, newer.created_at)


def test_a_call_is_placed_although_a_newer_one_was_refused(
    provider: type[Provider], place: Callable[..., Any]
) -> None:
    first = start()
    assert placing.give_up(ask_again(first).pk, "broker_unavailable")
    assert place(first, 62) is None
    assert fresh(first).state == "placed"


def test_giving_up_a_queued_call_refuses_it_and_gives_everything_back(moves: list[Any]) -> None:
    call = start(purpose="order")
    assert placing.give_up(call.pk, "broker_unavailable")
    assert (fresh(call).state, fresh(call).error_code) == ("refused", "broker_unavailable")
    assert counters() == {BUDGET: 0, PHONE: 0, PREFIX: 0}
    assert not placing.give_up(call.pk, "broker_unavailable")


@pytest.mark.parametrize(
    ("reserved", "price", "budget", "expected"),
    [
        ("0.35", "0.35", "0.35", "0.35"),
        ("0.35", "0.50", "0.50", "0.50"),
        ("0.50", "0.10", "0.10", "0.10"),
        ("0.35", None, "0.35", None),
        (None, "0.50", "0.35", None),
    ],
)
def test_the_price_in_the_reply_corrects_the_reserved_price(
    provider: type[Provider],
    place: Callable[..., Any],
    reserved: str | None,
    price: str | None,
    budget: str,
    expected: str | None,
) -> None:
    call = start()
    limits.adjust_budget(NOON, Decimal(reserved or "0.35") - Decimal("0.35"))
    CallRequest.objects.filter(pk=call.pk).update(reserved_price=reserved and Decimal(reserved))
    provider.answer = SendReply(id="77", price=price and Decimal(price))  # type: ignore[arg-type]
    place(call)
    assert counters()[BUDGET] == Decimal(budget)
    known = (
        LimitCounter.objects.filter(key="price:flashcall:7999")
        .values_list("amount", "updated_at")
        .first()
    )
    assert known == (None if expected is None else (Decimal(expected), NOON + timedelta(seconds=1)))


def count_money() -> Decimal:
    return CallRequest.objects.aggregate(total=Sum("price"))["total"] or Decimal(0)


def test_a_price_that_rises_stops_the_calls_that_wait_in_the_queue(
    provider: type[Provider], place: Callable[..., Any], configure: Callable[..., None]
) -> None:
    configure(LIMITS={"phone": [], "ip": []}, DAILY_BUDGET=Decimal(4), PROVEN_SHARE=0)
    provider.answer = SendReply(id="77", price=Decimal("1.50"))
    calls = [start(f"799900{number:05}") for number in range(11)]
    with pytest.raises(BudgetExhausted):
        start("79990099999")
    for call in calls:
        place(call)
    assert len(provider.requests) == 2
    assert counters()[BUDGET] == count_money() == Decimal(3)
    refused = fresh(calls[-1])
    assert (refused.state, refused.error_code) == ("refused", "budget_exhausted")
    assert refused.verification is not None
    assert refused.verification.sends == 0
    assert "phone:79990099999" not in counters()
    # What is expected now is known to whoever starts next.
    with pytest.raises(BudgetExhausted):
        start("79990099998")


def test_calls_that_cost_more_than_was_reserved_stop_calls_to_other_operators(
    provider: type[Provider], place: Callable[..., Any], configure: Callable[..., None]
) -> None:
    configure(LIMITS={"phone": [], "ip": []}, DAILY_BUDGET=Decimal("0.70"), PROVEN_SHARE=0)
    calls = [start("79990000001"), start("79160000001")]
    provider.answer = SendReply(id="77", price=Decimal(15))
    for call in calls:
        place(call)
    assert [fresh(call).state for call in calls] == ["placed", "refused"]
    assert counters()[BUDGET] == Decimal(15)


def test_a_call_that_is_placed_at_a_higher_price_gives_that_price_back(
    provider: type[Provider], place: Callable[..., Any]
) -> None:
    first, second = start(), start("79990000002")
    provider.answer = SendReply(id="77", price=Decimal(3))
    place(first)
    provider.answer = AccountRefused("user_disabled")
    place(second)
    assert fresh(second).reserved_price == Decimal(3)
    assert counters()[BUDGET] == Decimal(3)


def run_all(callbacks: Iterable[Callable[[], None]]) -> None:
    for callback in callbacks:
        callback()


def test_inline_a_price_that_rises_is_an_exhausted_budget(
    provider: type[Provider],
    configure: Callable[..., None],
    django_capture_on_commit_callbacks: Callable[..., Any],
) -> None:
    configure(LIMITS={"phone": [], "ip": []}, DAILY_BUDGET=Decimal(16), DISPATCH="inline")
    with (
        freeze_time(NOON),
        django_capture_on_commit_callbacks() as after_commit,
    ):
        verifications.start(NUMBER)
    limits.note_price("flashcall", NUMBER, Decimal(17), NOON)
    with freeze_time(NOON), pytest.raises(BudgetExhausted) as caught:
        run_all(after_commit)
    assert caught.value.retry_after == 9 * 3600
    assert provider.requests == []


def make_placed_call(
    channel: str = "flashcall", state: str = "placed", provider_id: str = "77", **values: Any
) -> CallRequest:
    """Create a call that the provider accepted at noon."""
    return make_call(
        channel=channel,
        state=state,
        provider_id=provider_id,
        claimed_at=NOON,
        next_poll_at=NOON,
        **values,
    )


def test_a_report_moves_a_call_and_is_stored(
    moves: list[Any], django_capture_on_commit_callbacks: Callable[..., Any]
) -> None:
    call = make_placed_call(provider_id="")
    payload = {
        "id": "78",
        "number": NUMBER,
        "state": "BUSY",
        "duration": "5",
        "price": "0.50",
        "date": "2026-05-01 15:00:01",
        "service": "Flash Call",
    }
    with freeze_time(NOON + timedelta(seconds=9)), django_capture_on_commit_callbacks(execute=True):
        status = recording.record(call.pk, parse_report(payload), "poll")
    assert status is not None
    assert status == call.statuses.get()
    for row in (status, call.statuses.get()):
        assert (row.state, row.raw_state, row.source, row.duration, row.price) == (
            "busy",
            "BUSY",
            "poll",
            5,
            Decimal("0.50"),
        )
        assert (row.occurred_at, row.received_at) == (
            NOON + timedelta(seconds=1),
            NOON + timedelta(seconds=9),
        )
        assert row.payload == {**payload, "number": "+7 *** ***-**-01"}
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


def test_a_report_of_an_intermediate_state_leaves_other_fields_alone() -> None:
    call = make_placed_call(
        service="Flash Call", price=Decimal("0.35"), duration=3, occurred_at=NOON
    )
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
    ("channel", "payload"),
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
def test_a_report_that_does_not_fit_its_call_is_stored_and_moves_nothing(
    channel: str,
    payload: dict[str, str],
    moves: list[Any],
    django_capture_on_commit_callbacks: Callable[..., Any],
) -> None:
    call = make_placed_call(channel)
    with django_capture_on_commit_callbacks(execute=True):
        status = recording.record(call.pk, parse_report(payload), "poll")
    assert status is not None
    assert (fresh(call).state, call.statuses.count(), moves) == ("placed", 1, [])
    assert status.raw_state == payload.get("state", "")
    assert status.state == parse_report(payload).state or status.state == CallStatus.OTHER


@pytest.mark.parametrize(
    ("channel", "word"),
    [("flashcall", "FAIL"), ("sms", "FAIL"), ("sms", "DELIVERED"), ("voice", "BUSY")],
)
def test_a_report_that_fits_its_call_moves_it(channel: str, word: str) -> None:
    call = make_placed_call(channel)
    recording.record(call.pk, parse_report({"state": word, "id": "77"}), "poll")
    assert fresh(call).is_final


def test_a_number_in_the_place_of_an_id_is_masked_and_an_unknown_call_is_ignored() -> None:
    call = make_placed_call()
    status = recording.record(call.pk, parse_report({"id": NUMBER, "state": "BUSY"}), "poll")
    assert status is not None
    assert NUMBER not in str(status.payload)
    assert recording.record(123456, Report(state="busy"), "callback") is None


def test_a_report_overtaken_by_another_is_applied_to_the_new_state(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    call = make_placed_call()
    lock = CallRequest.lock
    overtaken: list[bool] = []

    def be_overtaken(self: CallRequest) -> bool:
        if not overtaken:
            overtaken.append(True)
            CallRequest.objects.filter(pk=self.pk).update(state="dialing")
        return lock(self)

    monkeypatch.setattr(CallRequest, "lock", be_overtaken)
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
    ("state", "sms_rows", "payload", "target"),
    [
        # State of the call; (state, id) of each SMS, oldest first; the report; its target: "call"
        # or the index of the SMS.
        ("placed", [], {"state": "DELIVERED"}, "call"),
        ("placed", [("queued", "")], {"state": "DELIVERED"}, "call"),
        ("placed", [("refused", "")], {"state": "DELIVERED"}, "call"),
        ("placed", [("placed", "78")], {"state": "DELIVERED"}, 0),
        ("placed", [("placed", "78")], {"state": "BUSY"}, "call"),
        ("placed", [("placed", "78")], {"state": "BUSY", "id": "78"}, "call"),
        # Several SMS: the one with the id of the report, else the newest open one, else the newest.
        ("placed", [("placed", "78"), ("placed", "79")], {"state": "DELIVERED"}, 1),
        ("placed", [("placed", "78"), ("delivered", "79")], {"state": "DELIVERED"}, 0),
        ("placed", [("delivered", "78"), ("delivered", "79")], {"state": "DELIVERED"}, 1),
        ("placed", [("delivered", "78"), ("placed", "79")], {"state": "DELIVERED", "id": "78"}, 0),
        ("placed", [("delivered", "78"), ("placed", "79")], {"state": "DELIVERED", "id": "80"}, 1),
        # FAIL is a word for calls and for SMS.
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
def test_a_callback_finds_the_call_or_sms_that_it_is_about(
    verification: Verification,
    state: str,
    sms_rows: list[tuple[str, str]],
    payload: dict[str, str],
    target: int | str,
) -> None:
    call = make_placed_call(state=state, verification=verification)
    rows = [
        make_placed_call("sms", sms_state, id, verification=verification)
        for sms_state, id in sms_rows
    ]
    # Neither an SMS of another person nor another call is a target.
    make_placed_call("sms", "placed", "78")
    make_placed_call("voice", "placed", "79", verification=verification)
    expected = call if target == "call" else rows[int(target)]
    assert matching.find_target_call(call, parse_report(payload)) == expected
    # The answer to a poll is always about the polled call.
    status = recording.record(call.pk, parse_report(payload), "poll")
    assert status is not None
    assert status.call == call


def test_a_callback_of_an_sms_or_without_a_verification_is_about_its_own_call(
    verification: Verification,
) -> None:
    sms = make_placed_call("sms", verification=verification)
    make_placed_call("sms", provider_id="78", verification=verification)
    call = make_placed_call(state="busy")
    for target in (sms, call):
        for word in ("FAIL", "DELIVERED"):
            report = parse_report({"state": word, "id": "78"})
            assert matching.find_target_call(target, report) == target


USUAL_CALLBACK = {
    "id": "77",
    "number": NUMBER,
    "state": "BUSY",
    "duration": "5",
    "price": "0.50",
    "date": "2026-05-01 15:00:01",
    "service": "Flash Call",
}


@pytest.mark.parametrize("is_heard", [False, True])
def test_the_usual_callback_writes_the_same_with_and_without_receivers(
    is_heard: bool, request: pytest.FixtureRequest
) -> None:
    if is_heard:
        request.getfixturevalue("moves")
    call = make_placed_call()
    with freeze_time(NOON + timedelta(seconds=9)):
        status = recording.record(call.pk, parse_report(USUAL_CALLBACK), "callback")
    call = fresh(call)
    assert (call.state, call.provider_id, call.service, call.price) == (
        "busy",
        "77",
        "Flash Call",
        Decimal("0.50"),
    )
    assert (call.duration, call.occurred_at) == (5, NOON + timedelta(seconds=1))
    assert (call.finished_at, call.next_poll_at) == (NOON + timedelta(seconds=9), None)
    stored = call.statuses.get()
    assert stored == status
    assert (stored.state, stored.raw_state, stored.source) == ("busy", "BUSY", "callback")
    assert (stored.duration, stored.price, stored.occurred_at) == (
        5,
        Decimal("0.50"),
        NOON + timedelta(seconds=1),
    )
    assert (stored.received_at, stored.payload) == (
        NOON + timedelta(seconds=9),
        {**USUAL_CALLBACK, "number": "+7 *** ***-**-01"},
    )


@pytest.mark.parametrize("source", ["callback", "poll"])
@pytest.mark.parametrize("replied", ["0.35", None])
def test_a_report_that_tells_another_price_corrects_the_budget(
    place: Callable[..., Any], provider: type[Provider], source: str, replied: str | None
) -> None:
    provider.answer = SendReply(id="77", price=replied and Decimal(replied))  # type: ignore[arg-type]
    call = start()
    place(call)
    for state in ("Дозвон", "BUSY"):
        payload = {**USUAL_CALLBACK, "state": state, "price": "3"}
        with freeze_time(NOON + timedelta(seconds=9)):
            recording.record(call.pk, parse_report(payload), source)
    assert (fresh(call).state, fresh(call).price) == ("busy", Decimal(3))
    assert counters()[BUDGET] == Decimal(3)
    assert limits.expected_price("flashcall", NUMBER, NOON) == Decimal(3)


def test_the_usual_callback_takes_two_writes_with_a_budget_too(
    place: Callable[..., Any], django_assert_num_queries: Any
) -> None:
    call = start()
    place(call)
    with django_assert_num_queries(4):
        recording.record(call.pk, parse_report({**USUAL_CALLBACK, "price": "0.35"}), "callback")
    assert fresh(call).state == "busy"


def test_the_usual_callback_takes_two_writes(django_assert_num_queries: Any) -> None:
    call = make_placed_call(occurred_at=NOON)
    payload = {name: USUAL_CALLBACK[name] for name in ("id", "number", "state")}
    # SAVEPOINT, UPDATE of the call, INSERT of the status, RELEASE SAVEPOINT.
    with django_assert_num_queries(4):
        recording.record(call.pk, parse_report(payload), "callback")
    assert (fresh(call).state, fresh(call).occurred_at) == ("busy", NOON)


@pytest.mark.parametrize(
    ("row", "payload", "state"),
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
def test_an_unusual_callback_is_stored_too(
    row: dict[str, str], payload: dict[str, str], state: str
) -> None:
    call = make_placed_call(**row)
    make_placed_call(provider_id="79")
    with freeze_time(NOON):
        status = recording.record(call.pk, parse_report({**USUAL_CALLBACK, **payload}), "callback")
    assert (fresh(call).state, call.statuses.get()) == (state, status)
    assert CallStatus.objects.count() == 1
