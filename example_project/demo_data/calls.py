"""The life of one call, from the queue to the daily statistics, with the lines of history that the
app writes of it.

Everything is as it stands ``now``: what would come later is not there yet.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import accumulate
from zoneinfo import ZoneInfo

from demo_data.people import Person
from demo_data.reports import (
    ENDED,
    PRICES,
    SERVICES,
    YOUNG,
    Line,
    Told,
    own_clock,
    refused,
    sent,
    synced,
)
from demo_data.rhythm import UTC, BadLuck
from django_voicepassword.calls.errors import NO_FINAL_STATE, NO_REPLY, UNREACHABLE
from django_voicepassword.conf import settings
from django_voicepassword.models import CallRequest, CallStatus, Verification
from django_voicepassword.statistics.lost_calls import MATCHED_BY_TIME

State, Difference = CallRequest.State, CallRequest.Difference

#: Channel -> how its calls end, and how many of a hundred.
ENDS = {
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
_ENDS = {channel: (list(ends), list(accumulate(ends.values()))) for channel, ends in ENDS.items()}
#: By these the person got a code: a flash call shows it whatever becomes of it.
REACHED = {
    "flashcall": {State.NO_ANSWER, State.CANCELED, State.BUSY, State.ANSWERED},
    "voice": {State.ANSWERED},
    "sms": {State.DELIVERED},
}
#: What the provider refuses, and how much of the calls.
REFUSALS = {"number_in_spam_list": 0.008, "number_not_valid": 0.004, "number_not_permitted": 0.0015}
#: How much of the calls loses its answer, never ends, is not listed, or is listed otherwise than it
#: was told.
LOST, SILENT, MISSING, DIFFERENT = 0.003, 0.002, 0.0015, 0.006
#: In an outage: what loses its answer, what fails, and what cannot be sent at all.
OUTAGE_LOST, OUTAGE_FAILED, OUTAGE_UNREACHABLE = 0.35, 0.25, 0.12
#: Of the calls without an answer, these rang all the same.
RANG_ALL_THE_SAME = 0.5
NO_CALLBACK = 0.06
NEVER = datetime.max.replace(tzinfo=UTC)


@dataclass(slots=True)
class Made:
    """A call with its history. ``reached``: the person got a code by it."""

    call: CallRequest
    lines: list[Line] = field(default_factory=list)
    reached: bool = False


class Provider:
    """Takes calls and tells of them. Its ids begin behind ``last_id``."""

    def __init__(
        self, chance: random.Random, now: datetime, zone: ZoneInfo, luck: BadLuck, last_id: int
    ) -> None:
        self._chance = chance
        self._now = now
        self._zone = zone
        self._luck = luck
        self._id = last_id

    def call(
        self,
        verification: Verification,
        person: Person,
        channel: str,
        at: datetime,
        rings: float = 0,
    ) -> Made:
        """A call of ours, asked for ``at`` a moment. ``rings``: for so many seconds; 0: as chance
        has it.
        """
        call = CallRequest(
            verification_id=verification.pk, phone=person.phone, channel=channel, created_at=at
        )
        claimed = at + timedelta(seconds=self._chance.uniform(0.02, 0.4))
        error = self._refusal(at)
        # What cannot be reached is tried until the verification ends.
        takes = (
            self._chance.uniform(200, 290)
            if error == UNREACHABLE
            else self._chance.lognormvariate(-1, 0.5)
        )
        replied = claimed + timedelta(seconds=takes)
        if claimed > self._now or (error and replied > self._now):
            return Made(call)
        call.claimed_at = claimed
        return (
            self._refuse(call, error, replied)
            if error
            else self._send(call, person, claimed, replied, rings)
        )

    def imported(self, person: Person, at: datetime) -> Made:
        """A call of another system that uses the account: all that is known of it is a line of the
        daily statistics.
        """
        channel = self._chance.choices(list(ENDS), [5, 4, 1])[0]
        call = CallRequest(phone=person.phone, channel=channel, origin=CallRequest.Origin.IMPORTED)
        told = self._tell(call, at, self._usual_end(channel))
        call.created_at = call.placed_at = call.finished_at = told.date
        call.provider_id = told.id
        made = Made(call)
        self._list(made, told, synced(told.date + YOUNG))
        return made

    def _refusal(self, at: datetime) -> str:
        if at in self._luck.no_money:
            return "not_enough_money"
        if at in self._luck.outage and self._chance.random() < OUTAGE_UNREACHABLE:
            return UNREACHABLE
        drawn = self._chance.random()
        for error, share in REFUSALS.items():
            if drawn < share:
                return error
            drawn -= share
        return ""

    def _end(self, person: Person, channel: str, at: datetime) -> tuple[str, bool]:
        """How it ends, and whether the person got a code."""
        if at in self._luck.outage and self._chance.random() < OUTAGE_FAILED:
            return State.FAILED, False
        if channel == "flashcall" and self._chance.random() > person.luck:
            return self._chance.choice([State.FAILED, State.BUSY]), False
        end = self._usual_end(channel)
        return end, end in REACHED[channel]

    def _usual_end(self, channel: str) -> str:
        states, weights = _ENDS[channel]
        return self._chance.choices(states, cum_weights=weights)[0]

    def _tell(self, call: CallRequest, moment: datetime, end: str) -> Told:
        self._id += 1
        seconds = 0
        if end == State.ANSWERED:
            seconds = (
                self._chance.randint(1, 6)
                if call.channel == "flashcall"
                else self._chance.randint(6, 25)
            )
        date = own_clock(moment, self._zone)
        return Told(
            str(self._id), call.phone, call.channel, date, end, seconds, PRICES[call.channel]
        )

    def _send(
        self, call: CallRequest, person: Person, claimed: datetime, replied: datetime, rings: float
    ) -> Made:
        call.state = State.PLACING
        call.code_digest = f"{self._chance.getrandbits(256):064x}"
        end, reached = self._end(person, call.channel, call.created_at)
        told = self._tell(call, claimed, end)
        is_lost = self._chance.random() < (
            OUTAGE_LOST if call.created_at in self._luck.outage else LOST
        )
        return (
            self._lose(call, told, reached)
            if is_lost
            else self._place(call, told, reached, replied, rings)
        )

    def _refuse(self, call: CallRequest, error: str, moment: datetime) -> Made:
        call.state, call.error_code, call.finished_at = State.REFUSED, error, moment
        return Made(call, [refused(error, moment)])

    def _lose(self, call: CallRequest, told: Told, reached: bool) -> Made:
        made = Made(call)
        # The read timeout, and the connection before it.
        moment = told.date + timedelta(seconds=16)
        if moment > self._now:
            return made
        call.state, call.error_code, call.placed_at = State.UNKNOWN, NO_REPLY, moment
        if self._chance.random() < RANG_ALL_THE_SAME:
            made.reached = reached
            if self._list(made, told, synced(told.date + ENDED)):
                call.provider_id, call.error_code = told.id, MATCHED_BY_TIME
        return made

    def _place(
        self, call: CallRequest, told: Told, reached: bool, replied: datetime, rings: float
    ) -> Made:
        if replied > self._now:
            return Made(call)
        made = Made(call, reached=reached)
        call.state, call.provider_id, call.price, call.placed_at = (
            State.PLACED,
            told.id,
            told.price,
            replied,
        )
        made.lines.append(sent(told, replied))
        for line in self._reports(told, replied, rings):
            if line.received_at > self._now:
                return made
            made.lines.append(line)
            self._keep(call, line)
        last = made.lines[-1].received_at
        if not call.is_final:
            call.state, call.error_code, call.finished_at = State.UNKNOWN, NO_FINAL_STATE, last
        self._list(made, told, synced(max(told.date + ENDED, last)))
        return made

    def _reports(self, told: Told, placed: datetime, rings: float) -> Iterator[Line]:
        """What callbacks and polls tell, in its order."""
        if told.channel == "sms":
            yield from self._texts(told, placed)
            return
        ended = placed + timedelta(seconds=rings or self._chance.lognormvariate(2.2, 0.45))
        heard = ended + timedelta(seconds=self._chance.uniform(0.2, 1.2))
        drawn = self._chance.random()
        if drawn < SILENT:
            ended = heard = NEVER
        elif drawn < NO_CALLBACK:
            heard = NEVER
        for delay in settings.POLL_DELAYS:
            # Beat comes every fifteen seconds.
            poll = placed + timedelta(seconds=delay + self._chance.uniform(0, 15))
            if heard < poll:
                yield told.callback(heard)
                return
            if ended < poll:
                yield told.poll(poll)
                return
            yield told.at(State.DIALING).poll(poll)

    def _texts(self, told: Told, placed: datetime) -> Iterator[Line]:
        moment = placed
        for state in (State.SMS_QUEUED, State.SMS_SENT, told.state):
            moment += timedelta(seconds=self._chance.lognormvariate(0.9, 0.6))
            yield told.at(state).callback(moment)

    def _keep(self, call: CallRequest, line: Line) -> None:
        call.state, call.duration, call.occurred_at = line.state, line.duration, line.occurred_at
        if line.source == CallStatus.Source.POLL:
            call.polls += 1
            call.service = SERVICES[call.channel]
        if call.is_final:
            call.finished_at = line.received_at

    def _list(self, made: Made, told: Told, sync: datetime) -> bool:
        """The daily statistics have it: their figures win."""
        call = made.call
        is_ours = call.origin == CallRequest.Origin.APP
        if sync > self._now or (is_ours and self._chance.random() < MISSING):
            return False
        if is_ours and call.is_final and self._chance.random() < DIFFERENT:
            told, call.difference = self._differ(told)
        made.lines.append(told.daily(sync))
        call.state, call.price, call.duration, call.occurred_at = (
            told.state,
            told.price,
            told.seconds,
            told.date,
        )
        call.service, call.listed_at = SERVICES[call.channel], sync
        call.finished_at = call.finished_at or sync
        return True

    def _differ(self, told: Told) -> tuple[Told, int]:
        """The same call as the provider's books have it, and the kinds of difference."""
        drawn = self._chance.random()
        if drawn < 0.25:
            return replace(told, price=told.price + Decimal("0.05")), Difference.PRICE
        others = [state for state in ENDS[told.channel] if state != told.state]
        other = self._chance.choice(others)
        if drawn < 0.7:
            return replace(told, state=other), Difference.STATE
        longer = replace(told, seconds=told.seconds + self._chance.randint(1, 3))
        return (longer, Difference.DURATION) if drawn < 0.95 else (replace(longer, state=other), 5)
