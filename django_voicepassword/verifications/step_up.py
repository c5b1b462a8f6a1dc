"""The step-up: what a person must do more before a send that looks like an attack.

Suspicion makes a send harder, not impossible: first a challenge, where there is CHALLENGE; else a
long code, where the provider makes one. Only then is the send refused.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TypeVar

from django.http import HttpRequest

from django_voicepassword import limits, phones
from django_voicepassword.exceptions import ChallengeRequired, RateLimited
from django_voicepassword.limits import (
    circuit,
    client_ip,
    guard,
    long_codes,
    prices,
    reservations,
    selects,
)
from django_voicepassword.limits.guard import Standing
from django_voicepassword.limits.terms import BlockTripped
from django_voicepassword.models import CallRequest, Verification
from django_voicepassword.verifications import challenge, channels

#: The limits that let a person pass who has solved a challenge.
PASSED_BY_CHALLENGE = frozenset({"phone", "device", "ip", "prefix", "site"})
#: The limits that refuse a short code, and offer a longer one in its place.
ENDED_BY_LONG_CODE = frozenset({"guard", "phone_guesses"})
#: The seconds to wait where the guard refuses: a trip lasts until an hour was calm.
GUARD_WAIT = 3600
#: How often a send is counted again because it is made harder: for its block, then for its limits.
MOST_TRIES = 4
Result = TypeVar("Result")


@dataclass(frozen=True)
class Situation:
    """What decides how hard a send to ``phone`` is made.

    ``short_refusal`` is why a short code would not be compared, if this person typed it now; None
    where it would. ``is_account_refused``: the provider has refused the account, perhaps long ago.
    """

    phone: str = field(repr=False)
    request: HttpRequest | None = field(repr=False)
    now: datetime
    lane: str
    address: str
    codes: long_codes.Codes
    standing: Standing
    short_refusal: RateLimited | None
    is_account_refused: bool


@dataclass(frozen=True)
class Plan:
    """How a send is made.

    ``long_length`` is the number of digits of its code where it is a long one, else None.
    """

    situation: Situation
    channel: str
    terms: limits.Terms
    long_length: int | None = None

    @property
    def is_long(self) -> bool:
        return self.long_length is not None

    @property
    def code_length(self) -> int:
        """The number of digits of its code."""
        return self.long_length or channels.code_length(self.channel)


def look(phone: str, request: HttpRequest | None, now: datetime) -> Situation:
    """Read what decides how hard a send is made. Nothing is counted or asked.

    Call it before the transaction of the send. On SQLite a transaction that begins with a read
    cannot wait for a writer.
    """
    lane = limits.lane_of(request, phone)
    address = client_ip.counted_address(request)
    is_proven = lane == CallRequest.Lane.PROVEN
    keys = [*long_codes.keys(phone, is_proven), circuit.KEY]
    standing = Standing() if is_proven else guard.read(phone, address, now, keys)
    counters = selects.counters(keys) if standing.counters is None else standing.counters
    codes = long_codes.tell(phone, now, is_proven, counters)
    if is_proven:
        is_guarded = bool(codes.device_wait) and guard.is_tripped_by_guesses()
    else:
        is_guarded = standing.is_enforced and standing.is_by_guesses
    short_refusal = None
    if is_guarded:
        short_refusal = RateLimited("guard", GUARD_WAIT)
    elif codes.short_wait:
        short_refusal = RateLimited("phone_guesses", codes.short_wait)
    is_refused = circuit.KEY in counters
    return Situation(phone, request, now, lane, address, codes, standing, short_refusal, is_refused)


def make_plan(situation: Situation, channel: str, is_long: bool = False) -> Plan:
    """Decide how a send by ``channel`` is made. A long code comes by flash call instead.

    ``is_long``: the verification has a long code already, which stays long.

    Raises ChallengeRequired where the guard suspects the send and no challenge was solved, and
    RateLimited (limits ``guard`` and ``phone_guesses``) where a long code is needed and there is
    none.
    """
    standing, refusal = situation.standing, situation.short_refusal
    trips = standing.trips if standing.is_enforced else ()
    is_solved = bool(trips) and challenge.is_on()
    if trips and not is_solved:
        refusal = RateLimited("guard", GUARD_WAIT)
    long_length = situation.codes.long_length if is_long or refusal is not None else None
    if refusal is not None and long_length is None:
        raise refusal
    if is_solved:
        # After what would refuse the send all the same: nobody solves a challenge for nothing.
        _ask_for_challenge(situation)
    if long_length is not None:
        channel = channels.LONG_CODE_CHANNEL
    terms = limits.Terms(
        lane=situation.lane,
        address=situation.address,
        price=prices.price_of_send(channel, situation.phone, situation.now),
        is_solved=is_solved,
        is_long=long_length is not None,
        # A person who solved the challenge is no robot: those codes are not bounded.
        trips=() if is_solved else trips,
        usual=standing.usual,
    )
    return Plan(situation, channel, terms, long_length)


def send(plan: Plan, count_and_insert: Callable[[Plan], Result]) -> Result:
    """Call ``count_and_insert``, which is a transaction, and again where the send is made harder.

    Raises what ``make_plan`` raises, and ChallengeRequired where a limit refuses whoever has not
    solved a challenge.
    """
    for _ in range(MOST_TRIES - 1):
        try:
            return count_and_insert(plan)
        except BlockTripped as tripped:
            plan = _with_block(plan, tripped)
        except RateLimited as error:
            plan = _with_challenge(plan, error)
    return count_and_insert(plan)


def _with_block(plan: Plan, tripped: BlockTripped) -> Plan:
    """Return the plan of a send whose block of numbers has tripped right now."""
    situation, standing = plan.situation, plan.situation.standing
    trip = guard.trip_block(
        situation.phone, tripped, standing.has_control, standing.usual or 0.0, situation.now
    )
    trips = standing.trips if trip is None else (*standing.trips, trip)
    standing = replace(standing, trips=trips, usual=None)
    return make_plan(replace(situation, standing=standing), plan.channel, plan.is_long)


def _with_challenge(plan: Plan, error: RateLimited) -> Plan:
    """Return the plan of a send whose challenge was solved. Raises ``error`` where none helps."""
    is_passed = error.limit in PASSED_BY_CHALLENGE and challenge.is_on()
    if plan.terms.is_solved or not is_passed:
        raise error
    situation, terms = plan.situation, replace(plan.terms, is_solved=True)
    if not challenge.is_solved(situation.request):
        # Where solved sends are used up as well, nobody is asked to solve one more for nothing.
        reservations.look_for_room(situation.phone, terms, situation.now)
    _ask_for_challenge(situation)
    return replace(plan, terms=terms)


def _ask_for_challenge(situation: Situation) -> None:
    if not challenge.is_solved(situation.request):
        raise ChallengeRequired


def refuse_short_code(
    verification: Verification, request: HttpRequest | None, now: datetime
) -> None:
    """Raise RateLimited (limit ``guard``) for a guess of a short code of the unproven lane.

    Call it while wrong guesses have tripped the site. A trusted device whose guesses are used up is
    unproven.
    """
    phone = verification.phone
    if verification.has_long_code or phones.fixed_code(phone) is not None:
        return
    is_proven = limits.lane_of(request, phone) == CallRequest.Lane.PROVEN
    if not is_proven or long_codes.read(phone, now, is_proven).device_wait:
        raise RateLimited("guard", GUARD_WAIT)


def offer_longer_code(verification: Verification, error: RateLimited, now: datetime) -> None:
    """Let the person ask for a long code at once where a short one takes no guesses any more.

    ``error`` is what the guess of a short code raised; it then says so.
    """
    is_refused = error.limit in ENDED_BY_LONG_CODE and not verification.has_long_code
    if not is_refused or phones.fixed_code(verification.phone) is not None:
        return
    is_possible = long_codes.read(verification.phone, now).long_length is not None
    if is_possible and verification.is_open and verification.resend_at is not None:
        Verification.allow_next_send(verification.id)
        error.offers_longer_code = True
