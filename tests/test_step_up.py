"""The step-up: what a suspected send costs a person more. DESIGN, sections 9.3 and 9.4."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.http import HttpRequest
from django.test import RequestFactory
from django.utils import timezone
from freezegun import freeze_time

from django_voicepassword import signals, verifications
from django_voicepassword.accounts import devices
from django_voicepassword.calls import placing
from django_voicepassword.exceptions import (
    ChallengeRequired,
    ChannelUnavailable,
    InvalidPhone,
    NumberRefused,
    ProviderRefused,
    RateLimited,
    RequestRefused,
    TooManyAttempts,
    VerificationError,
    WrongCode,
)
from django_voicepassword.limits import guard
from django_voicepassword.models import (
    CallRequest,
    FraudTrip,
    LimitCounter,
    RefusedAttempt,
    Verification,
)
from django_voicepassword.provider.protocol import SendReply
from django_voicepassword.security import trusted_devices
from django_voicepassword.testing import MemoryClient, Sent
from django_voicepassword.verifications import challenge
from django_voicepassword.verifications.description import describe

pytestmark = pytest.mark.django_db
PHONE, OTHER_PHONE = "79990000001", "79990000002"
TEST_PHONE = "79990000003"
TRANSPORT = f"{__name__}.OddProvider"
Send = Callable[[], Verification]


def trip(cause: str = "sends", kind: str = "site", subject: str = "") -> FraudTrip:
    """Have the guard suspect an attack. Without arguments it covers every unproven send."""
    return FraudTrip.objects.create(
        kind=kind,
        subject=subject,
        cause=cause,
        mode="enforce",
        active_key=f"{kind}:{cause}:{subject}",
        failures=60,
        threshold=50,
        conversion=0.05,
        usual=0.6,
    )


def ask(answer: str = "", device: str = "", address: str = "127.0.0.1") -> HttpRequest:
    """A request, with an answer to the challenge and the token of a device."""
    headers = {trusted_devices.HEADER: device}
    request = RequestFactory().post("/", headers=headers, REMOTE_ADDR=address)
    challenge.attach(request, answer)
    return request


def wrong(code: str) -> str:
    return str((int(code) + 1) % 10 ** len(code)).zfill(len(code))


def guess_wrongly(verification: Verification, code: str, **arguments: Any) -> int:
    """Type a wrong code; return the attempts that are left."""
    with pytest.raises(WrongCode) as caught:
        verifications.check(verification.id, wrong(code), **arguments)
    return caught.value.attempts_left


def later(seconds: float) -> Any:
    return freeze_time(timezone.now() + timedelta(seconds=seconds), tick=True)


def used(phone: str = PHONE) -> dict[str, int]:
    """The wrong guesses that count for a number: limit -> how many."""
    counters = LimitCounter.objects.filter(key__endswith=f"guesses:{phone}")
    counted = {
        key.partition(":")[0]: sum(
            count for entries in json.loads(events).values() for _, count in entries
        )
        for key, events in counters.values_list("key", "events")
    }
    # A counter without events was only locked.
    return {limit: count for limit, count in counted.items() if count}


def prove(phone: str = PHONE) -> str:
    """Prove a number on a device; return the device's token."""
    return devices.remember(ask(), phone)


#: What the challenge was asked for: (the answer that it was shown, the savepoints that were open).
asked: list[tuple[str, int]] = []


def solve(request: HttpRequest) -> bool:
    """CHALLENGE of these tests: "right" is the answer."""
    answer = getattr(request, challenge.ATTRIBUTE)
    asked.append((answer, len(connection.savepoint_ids)))
    return bool(answer == "right")


@pytest.fixture(autouse=True)
def with_resends(configure: Callable[..., None]) -> None:
    configure(RESEND_AFTER=0)


@pytest.fixture
def with_challenge(configure: Callable[..., None]) -> None:
    asked.clear()
    configure(CHALLENGE=f"{__name__}.solve")


class OddProvider(MemoryClient):
    """Replies to a call for a long code with ``digits`` digits, or with ``error``."""

    digits: int | None = None
    error: Exception | None = None

    def flash_call(
        self,
        number: str,
        code: str | None = None,
        capacity: int | None = None,
        callback_url: str | None = None,
    ) -> SendReply:
        if code is None and self.error is not None:
            raise self.error
        digits = capacity if self.digits is None else self.digits
        return super().flash_call(number, code, digits, callback_url)


@pytest.fixture
def odd(configure: Callable[..., None]) -> Iterator[type[OddProvider]]:
    configure(TRANSPORT=TRANSPORT)
    yield OddProvider
    OddProvider.digits, OddProvider.error = None, None


def place_newest() -> None:
    """Do what happens after the commit, which this test never makes."""
    placing.place(CallRequest.objects.latest("id").pk)


# Long codes


@pytest.mark.parametrize("source", ["client", "service"])
@pytest.mark.parametrize("channel", ["flashcall", "voice", None])
def test_a_suspected_send_is_a_flash_call_with_a_long_code(
    outbox: list[Sent], configure: Callable[..., None], source: str, channel: str | None
) -> None:
    configure(CODE_SOURCE=source)
    trip()
    verification = verifications.start(PHONE, channel=channel)
    assert verification.code_length == 6
    described = describe(verifications.get(verification.id))
    assert (described.code_length, described.channel) == (6, "flashcall")
    assert (described.next_channels, described.attempts_left) == (["flashcall"], 3)
    [sent] = outbox
    assert (sent.channel, len(sent.code)) == ("flashcall", 6)
    assert verifications.check(verification.id, sent.code).status == "approved"


def test_a_long_code_has_three_guesses_which_count_apart(outbox: list[Sent]) -> None:
    trip()
    verification = verifications.start(PHONE)
    # A short guess cannot be right, and costs nothing.
    with pytest.raises(WrongCode):
        verifications.check(verification.id, "1234")
    lefts = [guess_wrongly(verification, outbox[0].code) for _ in range(3)]
    assert lefts == [2, 1, 0]
    with pytest.raises(TooManyAttempts):
        verifications.check(verification.id, outbox[0].code)
    with pytest.raises(TooManyAttempts):
        verifications.resend(verification.id)
    assert used() == {"long_guesses": 3}


def test_no_more_guesses_of_a_long_code_are_counted() -> None:
    trip()
    verification = verifications.start(PHONE)
    now = timezone.now()
    assert [Verification.count_guess(verification.id, now) for _ in range(4)] == [True] * 3 + [
        False
    ]


def test_wrong_guesses_of_long_codes_are_limited_for_the_number(
    outbox: list[Sent], configure: Callable[..., None]
) -> None:
    configure(LIMITS={"long_guesses": ["1/d"]})
    trip()
    verification = verifications.start(PHONE)
    guess_wrongly(verification, outbox[0].code)
    with pytest.raises(RateLimited) as caught:
        verifications.check(verification.id, outbox[0].code)
    assert caught.value.limit == "long_guesses"
    assert not caught.value.offers_longer_code
    assert verifications.get(verification.id).attempts_left == 2


def test_no_robot_and_no_sms_say_a_long_code(outbox: list[Sent]) -> None:
    trip()
    verification = verifications.start(PHONE)
    for channel in ("voice", "sms"):
        with pytest.raises(ChannelUnavailable):
            verifications.resend(verification.id, channel=channel)
    verifications.resend(verification.id)
    assert [sent.channel for sent in outbox] == ["flashcall", "flashcall"]
    # The newest code counts, and the one before it, as with all codes of the provider.
    assert verifications.check(verification.id, outbox[0].code).status == "approved"


@pytest.mark.parametrize("channel", ["voice", "sms", None])
def test_a_resend_makes_the_code_long_and_the_short_one_counts_no_more(
    outbox: list[Sent], channel: str | None
) -> None:
    verification = verifications.start(PHONE)
    for _ in range(4):
        guess_wrongly(verification, outbox[0].code)
    trip()
    verification = verifications.resend(verification.id, channel=channel)
    assert (verification.code_length, verification.attempts_left) == (6, 3)
    # The guard counts all of them.
    assert verification.attempts == 4
    assert outbox[1].channel == "flashcall"
    short, long = outbox[0].code, outbox[1].code
    with pytest.raises(WrongCode):
        verifications.check(verification.id, short)
    # Not even where the short code has the length of the long one.
    Verification.objects.update(code_length=4)
    with pytest.raises(WrongCode):
        verifications.check(verification.id, short)
    Verification.objects.update(code_length=6)
    assert verifications.check(verification.id, long).status == "approved"


def test_a_long_code_stays_long_after_the_trip(outbox: list[Sent]) -> None:
    suspicion = trip()
    verification = verifications.start(PHONE)
    guess_wrongly(verification, outbox[0].code)
    suspicion.delete()
    verification = verifications.resend(verification.id)
    assert (verification.code_length, verification.attempts_left) == (6, 2)
    assert [len(sent.code) for sent in outbox] == [6, 6]


def test_a_send_that_would_be_refused_anyway_does_not_change_the_code(
    outbox: list[Sent], configure: Callable[..., None]
) -> None:
    configure(RESEND_AFTER=60)
    verification = verifications.start(PHONE)
    trip()
    with pytest.raises(RateLimited) as caught:
        verifications.resend(verification.id)
    assert caught.value.limit == "resend_after"
    assert verifications.check(verification.id, outbox[0].code).status == "approved"


@pytest.mark.parametrize("keys", [{"LONG_CODE": None}, {"CHANNELS": ["voice", "sms"]}])
def test_without_long_codes_a_suspected_send_is_refused(
    outbox: list[Sent], configure: Callable[..., None], keys: dict[str, Any]
) -> None:
    configure(**keys)
    trip()
    with pytest.raises(RateLimited) as caught:
        verifications.start(PHONE)
    assert caught.value.limit == "guard"
    assert caught.value.retry_after > 0
    assert not outbox
    assert not Verification.objects.exists()


@pytest.mark.parametrize(
    ("kind", "subject"), [("block", "7999000"), ("prefix", "7999"), ("network", "192.0.2.0/24")]
)
def test_only_what_a_trip_covers_is_harder(outbox: list[Sent], kind: str, subject: str) -> None:
    trip("sends", kind, subject)
    verifications.start(PHONE, request=ask(address="192.0.2.7"))
    verifications.start("79130000001", request=ask(address="198.51.100.7"))
    assert [len(sent.code) for sent in outbox] == [6, 4]


@pytest.mark.parametrize("mode", ["audit", "off"])
def test_audit_and_off_refuse_nobody(
    outbox: list[Sent], configure: Callable[..., None], with_challenge: None, mode: str
) -> None:
    configure(FRAUD_GUARD=mode)
    trip()
    trip("guesses")
    verification = verifications.start(PHONE, channel="voice", request=ask())
    assert (outbox[0].channel, len(outbox[0].code)) == ("voice", 4)
    guess_wrongly(verification, outbox[0].code)
    assert verifications.check(verification.id, outbox[0].code).status == "approved"


def test_a_proven_device_is_not_suspected(outbox: list[Sent], with_challenge: None) -> None:
    token = prove()
    trip()
    trip("guesses")
    verification = verifications.start(PHONE, request=ask(device=token))
    assert len(outbox[0].code) == 4
    guess_wrongly(verification, outbox[0].code, request=ask(device=token))
    verifications.check(verification.id, outbox[0].code, request=ask(device=token))
    assert asked == []


def test_a_test_number_never_has_a_long_code(
    outbox: list[Sent], configure: Callable[..., None], with_challenge: None
) -> None:
    configure(TEST_NUMBERS={TEST_PHONE: "1234"}, LIMITS={"phone_guesses": ["1/d"]})
    trip()
    trip("guesses")
    verification = verifications.start(TEST_PHONE, request=ask())
    assert verification.code_length == 4
    guess_wrongly(verification, "1234")
    with pytest.raises(RateLimited) as caught:
        verifications.check(verification.id, "1234")
    assert not caught.value.offers_longer_code
    again = verifications.start(TEST_PHONE, request=ask())
    assert again.code_length == 4
    assert verifications.resend(again.id, request=ask()).code_length == 4
    assert not outbox


def test_a_covered_subject_has_few_long_codes_and_each_network_a_tenth(
    outbox: list[Sent], configure: Callable[..., None]
) -> None:
    configure(LIMITS={"ip": []})
    trip()
    # Each is in a block of its own.
    numbers = iter(range(79990000001, 79999990001, 10_000))

    def start(address: str) -> Verification:
        return verifications.start(str(next(numbers)), request=ask(address=address))

    approved = start("192.0.2.1")
    for host in range(2, 6):
        start(f"192.0.2.{host}")
    with pytest.raises(RateLimited) as caught:
        start("192.0.2.9")
    assert caught.value.limit == "guard"
    assert 0 < caught.value.retry_after <= 3600
    verifications.check(approved.id, outbox[0].code)
    start("192.0.2.9")
    for network in range(45):
        start(f"198.51.{network}.1")
    with pytest.raises(RateLimited, match="guard"):
        start("198.51.100.1")
    assert {len(sent.code) for sent in outbox} == {6}


# A block of numbers, which trips in the very reservation of a send


def ring_ten() -> None:
    """Ring ten numbers of one block: FRAUD_FLOOR is 50, and of a block it is a fifth."""
    for number in range(10):
        verifications.start(f"7999000{number:04}")


@pytest.fixture
def told() -> Iterator[list[dict[str, Any]]]:
    """What ``fraud_suspected`` said."""
    received: list[dict[str, Any]] = []

    def receive(signal: Any, sender: type, **values: Any) -> None:
        received.append(values)

    signals.fraud_suspected.connect(receive)
    yield received
    signals.fraud_suspected.disconnect(receive)


def test_a_block_trips_at_once(
    outbox: list[Sent],
    told: list[dict[str, Any]],
    django_capture_on_commit_callbacks: Any,
) -> None:
    ring_ten()
    with django_capture_on_commit_callbacks(execute=True):
        verifications.start("79990000100", channel="voice")
        verifications.start("79990000101")
    verifications.start("79990010000")
    assert [len(sent.code) for sent in outbox] == [4] * 10 + [6, 6, 4]
    [tripped] = FraudTrip.objects.all()
    assert (tripped.kind, tripped.subject, tripped.failures) == ("block", "7999000", 10)
    [said] = told
    assert (said["kind"], said["subject"], said["mode"]) == ("block", "7999000", "enforce")


def test_a_block_that_trips_asks_for_the_challenge(
    outbox: list[Sent], with_challenge: None
) -> None:
    ring_ten()
    with pytest.raises(ChallengeRequired):
        verifications.start("79990000100", request=ask())
    verifications.start("79990000100", request=ask("right"))
    assert [len(sent.code) for sent in outbox] == [4] * 11


def test_a_resend_trips_its_block_too(outbox: list[Sent]) -> None:
    verification = verifications.start("79990000100")
    ring_ten()
    assert verifications.resend(verification.id).code_length == 6


def test_a_block_that_trips_in_audit_refuses_nobody(
    outbox: list[Sent], configure: Callable[..., None]
) -> None:
    configure(FRAUD_GUARD="audit", LONG_CODE=None)
    ring_ten()
    verifications.start("79990000100")
    verifications.start("79990000101")
    assert {len(sent.code) for sent in outbox} == {4}
    assert FraudTrip.objects.get().mode == "audit"


def test_a_send_at_rest_takes_one_statement_for_the_step_up(
    outbox: list[Sent], django_assert_max_num_queries: Any
) -> None:
    # Else the next start runs the guard's watch.
    guard.watch(timezone.now())
    with django_assert_max_num_queries(16):
        verification = verifications.start(PHONE, request=ask())
    with django_assert_max_num_queries(20):
        verifications.resend(verification.id, request=ask())


# A provider that makes no long codes


def test_a_shorter_code_in_the_reply_counts_once_and_ends_long_codes(
    outbox: list[Sent], odd: type[OddProvider], caplog: pytest.LogCaptureFixture
) -> None:
    trip()
    odd.digits = 4
    verification = verifications.start(PHONE)
    place_newest()
    assert verifications.get(verification.id).code_length == 4
    # Its guesses are those of a short code.
    guess_wrongly(verification, outbox[0].code)
    assert used() == {"phone_guesses": 1}
    assert verifications.check(verification.id, outbox[0].code).status == "approved"
    for _ in range(2):
        with pytest.raises(RateLimited) as caught:
            verifications.start(OTHER_PHONE)
        assert caught.value.limit == "guard"
    assert errors_of(caplog) == 1
    odd.digits = None
    FraudTrip.objects.all().delete()
    with later(3601):
        trip()
        verifications.start(OTHER_PHONE)
        place_newest()
    assert [len(sent.code) for sent in outbox] == [4, 6]


def errors_of(caplog: pytest.LogCaptureFixture) -> int:
    """How often the log says that there are no long codes."""
    said = [record for record in caplog.records if "makes no long codes" in record.message]
    assert all(record.levelno == logging.ERROR for record in said)
    return len(said)


@pytest.mark.parametrize(
    ("error", "ends"),
    [
        (RequestRefused("unknown_request"), True),
        (RequestRefused("code_not_valid"), True),
        (ProviderRefused("capacity is too great"), True),
        # Such a number gets no short code either.
        (NumberRefused("number_in_spam_list"), False),
    ],
)
def test_a_capacity_that_the_provider_refuses_ends_long_codes(
    odd: type[OddProvider], caplog: pytest.LogCaptureFixture, error: Exception, ends: bool
) -> None:
    trip()
    odd.error = error
    verifications.start(PHONE)
    place_newest()
    assert CallRequest.objects.get().state == "refused"
    assert errors_of(caplog) == int(ends)
    if ends:
        with pytest.raises(RateLimited, match="guard"):
            verifications.start(OTHER_PHONE)
    else:
        verifications.start(OTHER_PHONE)


def test_a_code_becomes_short_again_where_no_long_one_is_needed_and_there_is_none(
    outbox: list[Sent], odd: type[OddProvider]
) -> None:
    suspicion = trip()
    odd.error = RequestRefused("unknown_request")
    verification = verifications.start(PHONE)
    place_newest()
    with pytest.raises(RateLimited, match="guard"):
        verifications.resend(verification.id)
    suspicion.delete()
    verification = verifications.resend(verification.id)
    place_newest()
    assert (verification.code_length, verification.attempts_left) == (4, 5)
    assert verifications.check(verification.id, outbox[-1].code).status == "approved"


# A number whose guesses are used up


@pytest.fixture
def guessed(outbox: list[Sent], configure: Callable[..., None]) -> Verification:
    """A verification of a number whose wrong guesses a stranger has used up."""
    configure(LIMITS={"phone_guesses": ["2/d"], "phone": []})
    verification = verifications.start(PHONE)
    stranger = verifications.start(PHONE)
    for _ in range(2):
        guess_wrongly(stranger, outbox[1].code)
    return verification


def test_the_holder_of_a_guessed_number_gets_in_by_a_long_code(
    outbox: list[Sent], guessed: Verification
) -> None:
    verification = verifications.start(PHONE)
    assert len(outbox[-1].code) == 6
    guess_wrongly(verification, outbox[-1].code)
    assert verifications.check(verification.id, outbox[-1].code).status == "approved"
    verifications.start(OTHER_PHONE)
    assert len(outbox[-1].code) == 4
    with later(86401):
        verifications.start(PHONE)
    assert len(outbox[-1].code) == 4


def test_a_short_code_of_a_guessed_number_is_refused_and_a_long_one_offered_at_once(
    outbox: list[Sent], configure: Callable[..., None], guessed: Verification
) -> None:
    configure(RESEND_AFTER=60)
    with pytest.raises(RateLimited) as caught:
        verifications.check(guessed.id, outbox[0].code)
    assert (caught.value.limit, caught.value.offers_longer_code) == ("phone_guesses", True)
    refused = verifications.get(guessed.id)
    assert refused.attempts == 0
    resend_at = describe(refused).resend_at
    assert resend_at is not None
    assert resend_at <= timezone.now()
    assert verifications.resend(guessed.id).code_length == 6
    assert verifications.check(guessed.id, outbox[-1].code).status == "approved"


def test_without_long_codes_nothing_rings_for_a_guessed_number(
    outbox: list[Sent], configure: Callable[..., None], guessed: Verification
) -> None:
    configure(LONG_CODE=None)
    rung = len(outbox)
    sends: list[Send] = [
        lambda: verifications.start(PHONE),
        lambda: verifications.resend(guessed.id),
    ]
    for send in sends:
        with pytest.raises(RateLimited) as caught:
            send()
        assert caught.value.limit == "phone_guesses"
        assert 86000 < caught.value.retry_after <= 86400
    with pytest.raises(RateLimited) as caught:
        verifications.check(guessed.id, outbox[0].code)
    assert not caught.value.offers_longer_code
    assert len(outbox) == rung


def test_nothing_rings_for_a_number_whose_long_guesses_are_used_up_as_well(
    outbox: list[Sent], configure: Callable[..., None], guessed: Verification
) -> None:
    configure(LIMITS={"phone_guesses": ["2/d"], "long_guesses": ["1/h"], "phone": []})
    verification = verifications.start(PHONE)
    guess_wrongly(verification, outbox[-1].code)
    rung = len(outbox)
    # Its code would not be compared.
    with pytest.raises(RateLimited, match="phone_guesses") as caught:
        verifications.start(PHONE)
    assert 3590 < caught.value.retry_after <= 3600
    with pytest.raises(RateLimited, match="phone_guesses") as caught:
        verifications.check(guessed.id, outbox[0].code)
    assert not caught.value.offers_longer_code
    assert len(outbox) == rung
    with later(3601):
        verifications.start(PHONE)
    assert len(outbox[-1].code) == 6


def test_a_device_rings_while_it_has_guesses_of_its_own(
    outbox: list[Sent], configure: Callable[..., None], guessed: Verification
) -> None:
    token = prove()
    limits = {"phone_guesses": ["2/d"], "long_guesses": ["0/d"], "phone": [], "device": []}
    configure(LIMITS={**limits, "device_guesses": ["1/d"]})
    verification = verifications.start(PHONE, request=ask(device=token))
    assert len(outbox[-1].code) == 4
    guess_wrongly(verification, outbox[-1].code, request=ask(device=token))
    with pytest.raises(RateLimited, match="phone_guesses"):
        verifications.start(PHONE, request=ask(device=token))


def test_a_device_goes_on_by_the_long_code_where_all_guesses_are_used_up(
    outbox: list[Sent], configure: Callable[..., None], guessed: Verification
) -> None:
    token = prove()
    verification = verifications.start(PHONE, request=ask(device=token))
    assert len(outbox[-1].code) == 4
    configure(LIMITS={"phone_guesses": ["2/d"], "device_guesses": ["1/d"], "phone": []})
    short = outbox[-1].code
    guess_wrongly(verification, short, request=ask(device=token))
    with pytest.raises(RateLimited, match="phone_guesses"):
        verifications.check(verification.id, short, request=ask(device=token))
    verifications.resend(verification.id, request=ask(device=token))
    assert len(outbox[-1].code) == 6
    guess_wrongly(verification, outbox[-1].code, request=ask(device=token))
    verifications.check(verification.id, outbox[-1].code, request=ask(device=token))


# A site that is tripped by wrong guesses


def test_short_codes_are_not_compared_while_the_site_is_guessed(
    outbox: list[Sent], configure: Callable[..., None]
) -> None:
    configure(RESEND_AFTER=60)
    token = prove()
    verification = verifications.start(PHONE)
    trip("guesses")
    for code in (outbox[0].code, wrong(outbox[0].code)):
        with pytest.raises(RateLimited) as caught:
            verifications.check(verification.id, code)
        assert (caught.value.limit, caught.value.offers_longer_code) == ("guard", True)
    assert verifications.get(verification.id).attempts == 0
    assert not used()
    # A device has guesses of its own, and is unproven once it has used them up.
    configure(LIMITS={"device_guesses": ["1/d"]})
    guess_wrongly(verification, outbox[0].code, request=ask(device=token))
    with pytest.raises(RateLimited, match="guard"):
        verifications.check(verification.id, outbox[0].code, request=ask(device=token))
    assert verifications.resend(verification.id, request=ask(device=token)).code_length == 6
    assert verifications.check(verification.id, outbox[1].code).status == "approved"


def test_a_resend_need_not_wait_while_short_codes_are_not_compared(
    outbox: list[Sent], configure: Callable[..., None]
) -> None:
    configure(RESEND_AFTER=60)
    verification = verifications.start(PHONE)
    trip("guesses")
    assert verifications.resend(verification.id).code_length == 6
    # A long code is compared, so the next send waits.
    with pytest.raises(RateLimited, match="resend_after"):
        verifications.resend(verification.id)


def test_a_form_that_is_submitted_twice_rings_once(configure: Callable[..., None]) -> None:
    configure(RESEND_AFTER=60)
    verification = verifications.start(PHONE)
    trip("guesses")
    verifications.resend(verification.id)
    # The other submit has looked before the code became long.
    assert not Verification.count_send(verification.id, timezone.now(), is_at_once=True)


def test_a_longer_code_is_not_offered_where_no_send_is_left(
    outbox: list[Sent], configure: Callable[..., None]
) -> None:
    configure(MAX_SENDS=1)
    verification = verifications.start(PHONE)
    trip("guesses")
    with pytest.raises(RateLimited) as caught:
        verifications.check(verification.id, outbox[0].code)
    assert not caught.value.offers_longer_code
    with pytest.raises(RateLimited, match="sends"):
        verifications.resend(verification.id)


# The challenge


def test_a_suspected_send_needs_the_challenge_and_then_has_the_usual_code(
    outbox: list[Sent], with_challenge: None
) -> None:
    trip()
    for answer in ("", "wrong"):
        with pytest.raises(ChallengeRequired):
            verifications.start(PHONE, request=ask(answer))
    with pytest.raises(ChallengeRequired):
        verifications.start(PHONE)
    assert not outbox
    assert not Verification.objects.exists()
    verification = verifications.start(PHONE, channel="voice", request=ask("right"))
    with pytest.raises(ChallengeRequired):
        verifications.resend(verification.id, request=ask())
    verifications.resend(verification.id, channel="voice", request=ask("right"))
    assert [(sent.channel, len(sent.code)) for sent in outbox] == [("voice", 4)] * 2


def test_the_challenge_is_asked_for_once_and_outside_of_transactions(
    outbox: list[Sent], with_challenge: None
) -> None:
    trip()
    verifications.start(PHONE, request=ask("right"))
    assert asked == [("right", len(connection.savepoint_ids))]
    asked.clear()
    FraudTrip.objects.all().delete()
    verifications.start(OTHER_PHONE, request=ask("right"))
    assert asked == []


def test_a_resend_that_must_wait_asks_for_no_challenge(
    outbox: list[Sent], configure: Callable[..., None], with_challenge: None
) -> None:
    configure(RESEND_AFTER=60)
    verification = verifications.start(PHONE)
    trip()
    with pytest.raises(RateLimited, match="resend_after"):
        verifications.resend(verification.id, request=ask("right"))
    assert asked == []


def test_behind_a_solved_challenge_a_guessed_site_has_long_codes(
    outbox: list[Sent], configure: Callable[..., None], with_challenge: None
) -> None:
    trip("guesses")
    with pytest.raises(ChallengeRequired):
        verifications.start(PHONE, request=ask())
    verifications.start(PHONE, request=ask("right"))
    assert len(outbox[0].code) == 6
    configure(LONG_CODE=None)
    asked.clear()
    for answer in ("", "right"):
        with pytest.raises(RateLimited, match="guard"):
            verifications.start(OTHER_PHONE, request=ask(answer))
    # Nobody solves a challenge for nothing.
    assert asked == []


def test_behind_a_solved_challenge_a_guessed_number_has_long_codes(
    outbox: list[Sent], with_challenge: None, guessed: Verification
) -> None:
    trip()
    verifications.start(PHONE, request=ask("right"))
    assert len(outbox[-1].code) == 6


@pytest.mark.parametrize("limit", ["phone", "ip", "prefix", "site"])
def test_a_limit_that_is_used_up_asks_for_the_challenge(
    outbox: list[Sent], configure: Callable[..., None], with_challenge: None, limit: str
) -> None:
    configure(LIMITS={limit: ["1/d"]})
    verification = verifications.start(PHONE, request=ask())
    sends: list[Send] = [
        lambda: verifications.start(PHONE, request=ask()),
        lambda: verifications.resend(verification.id, request=ask("wrong")),
    ]
    for send in sends:
        with pytest.raises(ChallengeRequired):
            send()
    assert len(outbox) == 1
    verifications.start(PHONE, request=ask("right"))
    verifications.resend(verification.id, request=ask("right"))
    assert len(outbox) == 3


@pytest.mark.parametrize("limit", ["phone", "ip", "prefix", "site"])
def test_a_solved_challenge_is_limited_too(
    outbox: list[Sent], configure: Callable[..., None], with_challenge: None, limit: str
) -> None:
    configure(LIMITS={"phone": [], limit: ["1/d"]})
    most = 3 if limit == "phone" else 10
    # The first one is not solved: nothing asks for it yet.
    for _ in range(1 + most):
        verifications.start(PHONE, request=ask("right"))
    # Nobody is asked for one more that would be for nothing.
    for answer in ("right", ""):
        with pytest.raises(RateLimited) as caught:
            verifications.start(PHONE, request=ask(answer))
        assert caught.value.limit == limit
    assert len(outbox) == 1 + most


def test_a_device_has_the_sends_of_a_solved_challenge_too(
    outbox: list[Sent], configure: Callable[..., None], with_challenge: None
) -> None:
    configure(LIMITS={"phone": ["1/d"], "device": ["1/d"]})
    token = prove()
    for _ in range(2):
        verifications.start(PHONE, request=ask(device=token))
    with pytest.raises(ChallengeRequired):
        verifications.start(PHONE, request=ask(device=token))
    # The same three as everybody: a former holder with a cookie gets no more than a stranger.
    for device in (token, "", token):
        verifications.start(PHONE, request=ask("right", device))
    # Not "phone", whose sentence says to use a known device.
    with pytest.raises(RateLimited, match="device"):
        verifications.start(PHONE, request=ask("right", token))
    assert len(outbox) == 5


def test_a_number_whose_sends_are_used_up_is_refused_without_a_challenge(
    configure: Callable[..., None],
) -> None:
    configure(LIMITS={"phone": ["1/d"]})
    verifications.start(PHONE)
    with pytest.raises(RateLimited, match="phone"):
        verifications.start(PHONE, request=ask("right"))


# BEFORE_SEND

hosted: list[tuple[str, int, int]] = []


def note_host(verification: Verification, channel: str, request: HttpRequest | None) -> None:
    """BEFORE_SEND: what it is told, and how many savepoints were open."""
    hosted.append((channel, verification.code_length, len(connection.savepoint_ids)))


def test_the_project_is_asked_once_the_limits_have_room_and_before_they_count(
    outbox: list[Sent], configure: Callable[..., None]
) -> None:
    hosted.clear()
    outside = len(connection.savepoint_ids)
    configure(BEFORE_SEND=f"{__name__}.note_host", LIMITS={"phone": ["2/d"]})
    verification = verifications.start(PHONE, channel="voice")
    verifications.resend(verification.id, channel="voice")
    assert hosted == [("voice", 4, outside)] * 2
    with pytest.raises(RateLimited):
        verifications.start(PHONE)
    with pytest.raises(RateLimited):
        verifications.resend(verification.id)
    assert len(hosted) == 2


def test_the_project_is_told_the_harder_way(
    outbox: list[Sent], configure: Callable[..., None]
) -> None:
    configure(BEFORE_SEND=f"{__name__}.note_host")
    ring_ten()
    hosted.clear()
    # This start trips the block.
    verifications.start("79990000100", channel="voice")
    assert [(channel, len(outbox[-1].code)) for channel, _, _ in hosted] == [("flashcall", 6)]


# Refused sends


def test_refused_sends_are_noted_and_told(
    configure: Callable[..., None], with_challenge: None
) -> None:
    told: list[tuple[type, str]] = []

    def receive(error: VerificationError, phone: str, **_: Any) -> None:
        told.append((type(error), phone))

    signals.send_refused.connect(receive)
    configure(CHANNELS=["voice"], MAX_SENDS=2)
    try:
        verification = verifications.start(PHONE)
        with pytest.raises(ChannelUnavailable):
            verifications.resend(verification.id, channel="sms")
        verifications.resend(verification.id)
        with pytest.raises(RateLimited):
            verifications.resend(verification.id)
        with pytest.raises(InvalidPhone):
            verifications.start("12")
        trip()
        with pytest.raises(ChallengeRequired):
            verifications.start(OTHER_PHONE, request=ask(address="192.0.2.7"))
    finally:
        signals.send_refused.disconnect(receive)
    assert told == [
        (ChannelUnavailable, PHONE),
        (RateLimited, PHONE),
        (InvalidPhone, ""),
        (ChallengeRequired, OTHER_PHONE),
    ]
    noted = RefusedAttempt.objects.order_by("id").values_list("phone", "address", "reason")
    assert list(noted) == [
        (PHONE, "", "channel_unavailable"),
        (PHONE, "", "sends"),
        (OTHER_PHONE, "192.0.2.7", "challenge_required"),
    ]
