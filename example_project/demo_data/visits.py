"""What one person does: asks for a code, types it, or tries the next channel, or gives up."""

from __future__ import annotations

import random
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.contrib.auth import get_user_model
from django.contrib.auth.hashers import make_password

from demo_data.calls import Made, Provider
from demo_data.people import Crowd, Person
from django_voicepassword.accounts import confirmation
from django_voicepassword.calls.errors import UNREACHABLE
from django_voicepassword.conf import settings
from django_voicepassword.models import CallRequest, Verification

Status = Verification.Status

#: How many of those who log in only confirm an important step; how many of all come once, for a
#: purpose of the project.
CONFIRMS, ORDERS = 0.1, 0.3
#: Channel -> who got a code by it and types it; and how much slower than that of a flash call.
TYPED = {"flashcall": (0.87, 1.0), "voice": (0.9, 1.4), "sms": (0.9, 1.6)}
#: A number of which the provider wants no more calls.
HOPELESS = {"number_not_valid", "number_not_permitted"}
#: Refusals for which nothing stays counted.
GIVEN_BACK = {"not_enough_money", UNREACHABLE}
#: Seconds to the code: the usual, its spread as of a log-normal distribution, and what is possible.
USUAL, SPREAD, FASTEST, SLOWEST = 15, 0.5, 6, 90
#: Begins with a voice call; tries another channel; and takes the SMS for the second one.
VOICE_FIRST, TRIES_ON, SMS_NEXT = 0.04, 0.6, 0.35
#: Of those who do not come to an end: guess until no guess is left, or say so.
EXHAUSTED, CANCELED = 0.06, 0.1
PATIENCE = timedelta(seconds=40)


@dataclass(slots=True)
class Visit:
    """One verification with its calls; without one: a call of another system. ``user_of``: whose
    account it is for.
    """

    calls: list[Made]
    verification: Verification | None = None
    user_of: Person | None = None


class Visits:
    """Makes visits, as they stand ``now``."""

    def __init__(
        self, chance: random.Random, now: datetime, crowd: Crowd, provider: Provider
    ) -> None:
        self._chance = chance
        self._now = now
        self._crowd = crowd
        self._provider = provider

    def imported(self, at: datetime) -> Visit:
        return Visit([self._provider.imported(self._crowd.stranger(), at)])

    def visit(self, at: datetime, ends: datetime, most: int, rings: float = 0) -> Visit:
        """Somebody comes ``at`` a moment. After the first call none begins after ``ends``; there
        are ``most`` at most.
        """
        person, purpose = self._who()
        verification = self._begin(person, purpose, at)
        calls: list[Made] = []
        for channel, moment in self._channels(verification, calls):
            if calls and (len(calls) == most or moment >= min(ends, self._now)):
                break
            calls.append(self._provider.call(verification, person, channel, moment, rings))
            self._count_send(verification, calls[-1].call)
            if self._is_over(verification, calls[-1]):
                break
        self._close(verification, calls[-1].call.created_at)
        return Visit(calls, verification, self._account_of(verification, person))

    def _begin(self, person: Person, purpose: str, at: datetime) -> Verification:
        ends = at + timedelta(seconds=settings.CODE_TTL)
        ip = self._crowd.address()
        return Verification(
            phone=person.phone, purpose=purpose, created_at=at, expires_at=ends, ip=ip
        )

    def _who(self) -> tuple[Person, str]:
        if self._chance.random() < ORDERS:
            return self._crowd.stranger(), "order"
        person = self._crowd.regular()
        is_step = person.has_account and self._chance.random() < CONFIRMS
        return person, confirmation.PURPOSE if is_step else "login"

    def _channels(
        self, verification: Verification, calls: list[Made]
    ) -> Iterator[tuple[str, datetime]]:
        """The channels that are tried, and when; an SMS only after a call that the provider took."""
        channel = "voice" if self._chance.random() < VOICE_FIRST else "flashcall"
        at = verification.created_at
        while at < verification.expires_at:
            yield channel, at
            call = calls[-1].call
            if len(calls) == settings.MAX_SENDS or channel == "sms":
                return
            if call.state == CallRequest.State.REFUSED and call.finished_at is not None:
                at = call.finished_at + timedelta(seconds=self._chance.uniform(5, 20))
            else:
                at += timedelta(seconds=settings.RESEND_AFTER + self._chance.expovariate(0.1))
            can_text = any(made.call.provider_id for made in calls)
            is_text = channel == "voice" or self._chance.random() < SMS_NEXT
            channel = "sms" if can_text and is_text else "voice"

    def _count_send(self, verification: Verification, call: CallRequest) -> None:
        """As delivery does: a refusal lets the next send follow at once, and is given back where it
        is not the number's.
        """
        if call.error_code not in GIVEN_BACK:
            verification.sends += 1
        verification.last_sent_at = (
            None if call.state == CallRequest.State.REFUSED else call.created_at
        )

    def _is_over(self, verification: Verification, made: Made) -> bool:
        """The code of this call is typed, or nothing more is tried."""
        share, slower = TYPED[made.call.channel]
        placed = made.call.placed_at
        if placed is not None and made.reached and self._chance.random() < share:
            seconds = USUAL * slower * self._chance.lognormvariate(0, SPREAD)
            typed = placed + timedelta(seconds=min(max(seconds, FASTEST), SLOWEST))
            if typed < verification.expires_at:
                verification.approved_at = typed
                return True
        return made.call.error_code in HOPELESS or self._chance.random() > TRIES_ON

    def _close(self, verification: Verification, last: datetime) -> None:
        """How it stands now, the last call of it being of ``last``."""
        typed, verification.approved_at = verification.approved_at, None
        drawn = self._chance.random()
        if typed is not None and typed <= self._now:
            verification.status, verification.approved_at = Status.APPROVED, typed
            verification.attempts = 1 if drawn < 0.9 else 2 if drawn < 0.98 else 3
        elif typed is None and drawn < EXHAUSTED + CANCELED and last + PATIENCE < self._now:
            is_exhausted = drawn < EXHAUSTED
            verification.status = Status.MAX_ATTEMPTS if is_exhausted else Status.CANCELED
            verification.attempts = settings.MAX_ATTEMPTS if is_exhausted else 0
        elif typed is None and drawn > 0.85:
            verification.attempts = 1
        if verification.status == Status.PENDING and verification.expires_at <= self._now:
            verification.status = Status.EXPIRED

    def _account_of(self, verification: Verification, person: Person) -> Person | None:
        """Whom the verification is of; a first login makes the account."""
        if verification.purpose == confirmation.PURPOSE:
            return person
        moment = verification.approved_at
        if verification.purpose != "login" or moment is None:
            return None
        if not person.has_account:
            name = f"user_{secrets.token_hex(6)}"
            password = make_password(None)
            person.user = get_user_model()(
                username=name, password=password, date_joined=moment, last_login=moment
            )
        return person
