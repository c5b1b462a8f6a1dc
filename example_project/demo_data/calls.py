"""The life of one call from the queue to the daily statistics, and the history that it leaves.

Everything is in its state at ``now``: later events do not exist yet.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import accumulate
from zoneinfo import ZoneInfo

from demo_data.reports import (
    IMPORTED_AFTER,
    LISTED_AFTER,
    PRICES,
    SERVICES,
    Line,
    ProviderCall,
    next_sync,
    provider_time,
    refusal_line,
    reply_line,
)
from demo_data.subscribers import Subscriber
from demo_data.traffic_profile import UTC, Incidents
from django_voicepassword.calls.errors import NO_FINAL_STATE, NO_REPLY, UNREACHABLE
from django_voicepassword.conf import settings
from django_voicepassword.models import CallRequest, CallStatus, Verification
from django_voicepassword.statistics.lost_calls import MATCHED_BY_TIME

State, Difference = CallRequest.State, CallRequest.Difference

#: Channel -> final state -> percent of the calls.
FINAL_STATES = {
    "flashcall": {
        State.NO_ANSWER: 62,
        State.CANCELED: 20,
        State.BUSY: 8,
        State.ANSWERED: 6,
        State.FAILED: 4,
    },
    "voice": {
        State.ANSWERED: 78,
        State.NO_ANSWER: 12,
        State.BUSY: 5,
        State.CANCELED: 3,
        State.FAILED: 2,
    },
    "sms": {State.DELIVERED: 94, State.NOT_DELIVERED: 5, State.FAILED: 1},
}
_CUMULATED = {
    channel: (list(states), list(accumulate(states.values())))
    for channel, states in FINAL_STATES.items()
}
#: Final states of calls that brought the code. A flash call shows it whether or not it is answered.
REACHED = {
    "flashcall": {State.NO_ANSWER, State.CANCELED, State.BUSY, State.ANSWERED},
    "voice": {State.ANSWERED},
    "sms": {State.DELIVERED},
}
#: Error code -> share of calls that the provider refuses with it.
REFUSALS = {"number_in_spam_list": 0.008, "number_not_valid": 0.004, "number_not_permitted": 0.0015}
#: The shares of calls whose answer is lost, that never end, that the statistics do not list, and
#: that they list with other values than the reports.
LOST, SILENT, MISSING, DIFFERENT = 0.003, 0.002, 0.0015, 0.006
#: In an outage: the shares of lost answers, of failed calls, and of requests that cannot be sent.
OUTAGE_LOST, OUTAGE_FAILED, OUTAGE_UNREACHABLE = 0.35, 0.25, 0.12
#: The share of calls with a lost answer that rang nevertheless.
RANG_WITHOUT_ANSWER = 0.5
#: The share of calls without a callback, which includes SILENT.
NO_CALLBACK = 0.06
NEVER = datetime.max.replace(tzinfo=UTC)


@dataclass(slots=True)
class GeneratedCall:
    """A call with its history. ``reached``: it brought the code to the person."""

    call: CallRequest
    lines: list[Line] = field(default_factory=list)
    reached: bool = False


class Provider:
    """Accepts calls and reports about them. ``last_id``: the newest id that is taken."""

    def __init__(
        self, rng: random.Random, now: datetime, zone: ZoneInfo, incidents: Incidents, last_id: int
    ) -> None:
        self._rng = rng
        self._now = now
        self._zone = zone
        self._incidents = incidents
        self._id = last_id

    def call(
        self,
        verification: Verification,
        subscriber: Subscriber,
        channel: str,
        at: datetime,
        rings: float = 0,
    ) -> GeneratedCall:
        """Generate a call of the app, queued ``at`` a moment.

        ``rings``: for so many seconds; 0: for a random time.
        """
        call = CallRequest(
            verification_id=verification.pk, phone=subscriber.phone, channel=channel, created_at=at
        )
        claimed = at + timedelta(seconds=self._rng.uniform(0.02, 0.4))
        error = self._refusal(at)
        # An unreachable provider is retried until the verification expires.
        takes = (
            self._rng.uniform(200, 290)
            if error == UNREACHABLE
            else self._rng.lognormvariate(-1, 0.5)
        )
        replied = claimed + timedelta(seconds=takes)
        if claimed > self._now or (error and replied > self._now):
            return GeneratedCall(call)
        call.claimed_at = claimed
        return (
            self._refuse(call, error, replied)
            if error
            else self._send(call, subscriber, claimed, replied, rings)
        )

    def imported(self, subscriber: Subscriber, at: datetime) -> GeneratedCall:
        """Generate a call of another system on the account; only the daily statistics list it."""
        channel = self._rng.choices(list(FINAL_STATES), [5, 4, 1])[0]
        call = CallRequest(
            phone=subscriber.phone, channel=channel, origin=CallRequest.Origin.IMPORTED
        )
        provider_call = self._tell(call, at, self._usual_end(channel))
        call.created_at = call.placed_at = call.finished_at = provider_call.date
        call.provider_id = provider_call.id
        generated = GeneratedCall(call)
        self._list(generated, provider_call, next_sync(provider_call.date + IMPORTED_AFTER))
        return generated

    def _refusal(self, at: datetime) -> str:
        if at in self._incidents.no_money:
            return "not_enough_money"
        if at in self._incidents.outage and self._rng.random() < OUTAGE_UNREACHABLE:
            return UNREACHABLE
        drawn = self._rng.random()
        for error, share in REFUSALS.items():
            if drawn < share:
                return error
            drawn -= share
        return ""

    def _end(self, subscriber: Subscriber, channel: str, at: datetime) -> tuple[str, bool]:
        """Return the final state, and whether the person got the code."""
        if at in self._incidents.outage and self._rng.random() < OUTAGE_FAILED:
            return State.FAILED, False
        if channel == "flashcall" and self._rng.random() > subscriber.flash_call_rate:
            return self._rng.choice([State.FAILED, State.BUSY]), False
        end = self._usual_end(channel)
        return end, end in REACHED[channel]

    def _usual_end(self, channel: str) -> str:
        states, weights = _CUMULATED[channel]
        return self._rng.choices(states, cum_weights=weights)[0]

    def _tell(self, call: CallRequest, moment: datetime, end: str) -> ProviderCall:
        self._id += 1
        seconds = 0
        if end == State.ANSWERED:
            seconds = (
                self._rng.randint(1, 6) if call.channel == "flashcall" else self._rng.randint(6, 25)
            )
        date = provider_time(moment, self._zone)
        return ProviderCall(
            str(self._id), call.phone, call.channel, date, end, seconds, PRICES[call.channel]
        )

    def _send(
        self,
        call: CallRequest,
        subscriber: Subscriber,
        claimed: datetime,
        replied: datetime,
        rings: float,
    ) -> GeneratedCall:
        call.state = State.PLACING
        call.code_digest = f"{self._rng.getrandbits(256):064x}"
        end, reached = self._end(subscriber, call.channel, call.created_at)
        provider_call = self._tell(call, claimed, end)
        is_lost = self._rng.random() < (
            OUTAGE_LOST if call.created_at in self._incidents.outage else LOST
        )
        return (
            self._lose(call, provider_call, reached)
            if is_lost
            else self._place(call, provider_call, reached, replied, rings)
        )

    def _refuse(self, call: CallRequest, error: str, moment: datetime) -> GeneratedCall:
        call.state, call.error_code, call.finished_at = State.REFUSED, error, moment
        return GeneratedCall(call, [refusal_line(error, moment)])

    def _lose(self, call: CallRequest, provider_call: ProviderCall, reached: bool) -> GeneratedCall:
        generated = GeneratedCall(call)
        # The connection and the read timeout.
        moment = provider_call.date + timedelta(seconds=16)
        if moment > self._now:
            return generated
        call.state, call.error_code, call.placed_at = State.UNKNOWN, NO_REPLY, moment
        if self._rng.random() < RANG_WITHOUT_ANSWER:
            generated.reached = reached
            if self._list(generated, provider_call, next_sync(provider_call.date + LISTED_AFTER)):
                call.provider_id, call.error_code = provider_call.id, MATCHED_BY_TIME
        return generated

    def _place(
        self,
        call: CallRequest,
        provider_call: ProviderCall,
        reached: bool,
        replied: datetime,
        rings: float,
    ) -> GeneratedCall:
        if replied > self._now:
            return GeneratedCall(call)
        generated = GeneratedCall(call, reached=reached)
        call.state, call.provider_id, call.price, call.placed_at = (
            State.PLACED,
            provider_call.id,
            provider_call.price,
            replied,
        )
        generated.lines.append(reply_line(provider_call, replied))
        for line in self._reports(provider_call, replied, rings):
            if line.received_at > self._now:
                return generated
            generated.lines.append(line)
            self._keep(call, line)
        last = generated.lines[-1].received_at
        if not call.is_final:
            call.state, call.error_code, call.finished_at = State.UNKNOWN, NO_FINAL_STATE, last
        self._list(
            generated, provider_call, next_sync(max(provider_call.date + LISTED_AFTER, last))
        )
        return generated

    def _reports(
        self, provider_call: ProviderCall, placed: datetime, rings: float
    ) -> Iterator[Line]:
        """Yield the reports of callbacks and polls in their order."""
        if provider_call.channel == "sms":
            yield from self._texts(provider_call, placed)
            return
        ended = placed + timedelta(seconds=rings or self._rng.lognormvariate(2.2, 0.45))
        heard = ended + timedelta(seconds=self._rng.uniform(0.2, 1.2))
        drawn = self._rng.random()
        if drawn < SILENT:
            ended = heard = NEVER
        elif drawn < NO_CALLBACK:
            heard = NEVER
        for delay in settings.POLL_DELAYS:
            # Beat starts the polls every fifteen seconds.
            poll = placed + timedelta(seconds=delay + self._rng.uniform(0, 15))
            if heard < poll:
                yield provider_call.callback(heard)
                return
            if ended < poll:
                yield provider_call.poll(poll)
                return
            yield provider_call.at(State.DIALING).poll(poll)

    def _texts(self, provider_call: ProviderCall, placed: datetime) -> Iterator[Line]:
        moment = placed
        for state in (State.SMS_QUEUED, State.SMS_SENT, provider_call.state):
            moment += timedelta(seconds=self._rng.lognormvariate(0.9, 0.6))
            yield provider_call.at(state).callback(moment)

    def _keep(self, call: CallRequest, line: Line) -> None:
        call.state, call.duration, call.occurred_at = line.state, line.duration, line.occurred_at
        if line.source == CallStatus.Source.POLL:
            call.polls += 1
            call.service = SERVICES[call.channel]
        if call.is_final:
            call.finished_at = line.received_at

    def _list(self, generated: GeneratedCall, provider_call: ProviderCall, sync: datetime) -> bool:
        """Add the row of the daily statistics: its values replace those of the reports."""
        call = generated.call
        is_ours = call.origin == CallRequest.Origin.APP
        if sync > self._now or (is_ours and self._rng.random() < MISSING):
            return False
        if is_ours and call.is_final and self._rng.random() < DIFFERENT:
            provider_call, call.difference = self._differ(provider_call)
        generated.lines.append(provider_call.daily(sync))
        call.state, call.price, call.duration, call.occurred_at = (
            provider_call.state,
            provider_call.price,
            provider_call.seconds,
            provider_call.date,
        )
        call.service, call.listed_at = SERVICES[call.channel], sync
        call.finished_at = call.finished_at or sync
        return True

    def _differ(self, provider_call: ProviderCall) -> tuple[ProviderCall, int]:
        """Return the call with other values in the statistics, and the kinds of difference."""
        drawn = self._rng.random()
        if drawn < 0.25:
            return replace(
                provider_call, price=provider_call.price + Decimal("0.05")
            ), Difference.PRICE
        others = [
            state for state in FINAL_STATES[provider_call.channel] if state != provider_call.state
        ]
        other = self._rng.choice(others)
        if drawn < 0.7:
            return replace(provider_call, state=other), Difference.STATE
        longer = replace(provider_call, seconds=provider_call.seconds + self._rng.randint(1, 3))
        return (longer, Difference.DURATION) if drawn < 0.95 else (replace(longer, state=other), 5)
