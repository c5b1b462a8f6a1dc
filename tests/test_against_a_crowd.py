"""Seven attacks with the app's own verbs: what each costs the site, its strangers and its people.

In small: ``python -m benchmarks attacks`` has their figures. ``tests/README.md`` names the guard
without which each of these tests fails.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from decimal import Decimal
from itertools import count

import pytest
from django.http import HttpRequest
from django.test import RequestFactory
from django.utils import timezone

from django_voicepassword import verifications
from django_voicepassword.accounts import devices
from django_voicepassword.exceptions import (
    BudgetExhausted,
    ChallengeRequired,
    RateLimited,
    VerificationError,
    WrongCode,
)
from django_voicepassword.limits import guard
from django_voicepassword.models import CallRequest, Verification
from django_voicepassword.security import trusted_devices
from django_voicepassword.testing import Sent
from django_voicepassword.verifications import challenge

pytestmark = [pytest.mark.django_db, pytest.mark.any_version]
VICTIM = "79990000001"
FLOOR = 20


@pytest.fixture(autouse=True)
def numbers(configure: Callable[..., None]) -> Iterator[str]:
    """Numbers of strangers: each of another block, and of few operators."""
    configure(FRAUD_FLOOR=FLOOR, RESEND_AFTER=0)
    return (f"79{20 + number % 3}{number:03}0000" for number in count())


def ask(address: str = "198.51.100.1", device: str = "", answer: str = "") -> HttpRequest:
    headers = {trusted_devices.HEADER: device}
    request = RequestFactory().post("/", headers=headers, REMOTE_ADDR=address)
    challenge.attach(request, answer)
    return request


def addresses() -> Iterator[str]:
    """Addresses that no limit and no network brings together."""
    return (f"203.{number % 250}.{number // 250}.1" for number in count())


def known_device(phone: str = VICTIM) -> str:
    return devices.remember(ask(), phone)


def wrong(code: str) -> str:
    return str((int(code) + 1) % 10 ** len(code)).zfill(len(code))


def start(phone: str, **request: str) -> Verification | VerificationError:
    try:
        return verifications.start(phone, request=ask(**request))
    except VerificationError as error:
        return error


def guess(verification: Verification, outbox: list[Sent], address: str) -> int:
    """Type five wrong codes; return how many were compared with a code of four digits."""
    compared = 0
    for _ in range(5):
        try:
            verifications.check(verification.id, wrong(outbox[-1].code), request=ask(address))
        except WrongCode:
            compared += len(outbox[-1].code) == 4
        except VerificationError:
            break
    return compared


def is_solved(request: HttpRequest) -> bool:
    return bool(getattr(request, challenge.ATTRIBUTE) == "solved")


def test_spray_a_few_guesses_at_each_of_many_numbers(
    outbox: list[Sent], numbers: Iterator[str]
) -> None:
    mine = verifications.start(VICTIM)
    right = outbox[-1].code
    compared = 0
    for _, phone, address in zip(range(3 * FLOOR), numbers, addresses(), strict=False):
        verification = start(phone, address=address)
        if isinstance(verification, Verification):
            compared += guess(verification, outbox, address)
        guard.watch(timezone.now())
    # Only the guesses until the watch saw them were at codes of four digits.
    assert compared < 2 * FLOOR
    assert CallRequest.objects.latest("id").capacity == 6
    # Open codes of four digits are compared no more, nor is the attempt spent.
    with pytest.raises(RateLimited, match="guard"):
        verifications.check(mine.id, right)
    assert verifications.get(mine.id).attempts == 0


def test_bomb_calls_to_strangers_from_many_addresses(
    outbox: list[Sent], numbers: Iterator[str]
) -> None:
    device = known_device()
    for _, phone, address in zip(range(5 * FLOOR), numbers, addresses(), strict=False):
        start(phone, address=address)
        guard.watch(timezone.now())
    # Those before the trip, and as many with a long code.
    assert len(outbox) <= 2 * FLOOR
    assert isinstance(start(VICTIM, device=device), Verification)


def test_a_site_that_strangers_have_used_up_is_open_to_known_devices(
    outbox: list[Sent], numbers: Iterator[str], configure: Callable[..., None]
) -> None:
    configure(LIMITS={"site": ["9/h"], "ip": ["5/h"]}, FRAUD_FLOOR=1000)
    device = known_device()
    for phone, address in zip(numbers, addresses(), strict=False):
        if isinstance(start(phone, address=address), RateLimited):
            break
    assert len(outbox) == 9
    assert isinstance(start(VICTIM), RateLimited)
    assert isinstance(start(VICTIM, device=device), Verification)


def test_the_money_of_a_day_that_strangers_have_spent_is_there_for_known_devices(
    outbox: list[Sent], numbers: Iterator[str], configure: Callable[..., None]
) -> None:
    configure(DAILY_BUDGET=Decimal("3.50"), DISPATCH="celery", FRAUD_FLOOR=1000, PROVEN_SHARE=0.3)
    device = known_device()
    for phone, address in zip(numbers, addresses(), strict=False):
        if isinstance(start(phone, address=address), BudgetExhausted):
            break
    assert CallRequest.objects.count() == 7
    assert isinstance(start(VICTIM), BudgetExhausted)
    assert isinstance(start(VICTIM, device=device), Verification)


def test_a_block_of_numbers_is_rung_a_few_times_and_stays_open_to_its_people(
    outbox: list[Sent], configure: Callable[..., None]
) -> None:
    configure(FRAUD_FLOOR=50, LIMITS={"prefix": ["29/h"]}, CHALLENGE=f"{__name__}.is_solved")
    for number, address in zip(range(100), addresses(), strict=False):
        start(f"7999000{number + 1000}", address=address)
    # A fifth of FRAUD_FLOOR.
    assert len(outbox) == 10
    assert isinstance(start(VICTIM), ChallengeRequired)
    assert isinstance(start(VICTIM, answer="solved"), Verification)
    assert isinstance(start("79990010001"), Verification)


def test_a_victim_whose_guesses_and_sends_are_used_up_gets_in_on_a_new_device(
    outbox: list[Sent], configure: Callable[..., None]
) -> None:
    configure(
        FRAUD_FLOOR=1000,
        RESEND_AFTER=0,
        LIMITS={"phone": ["4/d"], "phone_guesses": ["15/d"]},
        CHALLENGE=f"{__name__}.is_solved",
    )
    for _, address in zip(range(4), addresses(), strict=False):
        guess(verifications.start(VICTIM, request=ask(address)), outbox, address)
    assert isinstance(start(VICTIM), ChallengeRequired)
    verification = verifications.start(VICTIM, request=ask(answer="solved"))
    assert verification.code_length == 6
    assert verifications.check(verification.id, outbox[-1].code, request=ask()).status == "approved"


def test_a_crowd_behind_one_address_gets_in(outbox: list[Sent], numbers: Iterator[str]) -> None:
    """The defaults: 20 open sends an hour for each address."""
    for _, phone in zip(range(30), numbers, strict=False):
        verification = verifications.start(phone, request=ask())
        verifications.check(verification.id, outbox[-1].code, request=ask())
    assert Verification.objects.filter(status="approved").count() == 30
