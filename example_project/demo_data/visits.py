"""What one person does: requests a code, types it, tries the next channel, or gives up."""

from __future__ import annotations

import random
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.contrib.auth import get_user_model
from django.contrib.auth.hashers import make_password

from demo_data.calls import GeneratedCall, Provider
from demo_data.subscribers import Subscriber, Subscribers
from django_voicepassword.accounts import confirmation
from django_voicepassword.calls.errors import UNREACHABLE
from django_voicepassword.conf import settings
from django_voicepassword.models import CallRequest, Verification

Status = Verification.Status

#: The share of people with an account who confirm an important step instead of logging in.
CONFIRMS = 0.1
#: The share of visits for a purpose of the project, by people who come once.
ORDERS = 0.3
#: Channel -> share of received codes that are typed; time to type it, relative to a flash call.
TYPED = {"flashcall": (0.87, 1.0), "voice": (0.9, 1.4), "sms": (0.9, 1.6)}
#: Refusals after which another call to the number makes no sense.
HOPELESS = {"number_not_valid", "number_not_permitted"}
#: Refusals that are not the number's fault: the send is not counted.
NOT_COUNTED = {"not_enough_money", UNREACHABLE}
#: Seconds to type the code: median, sigma of the log-normal distribution, least and most.
USUAL, SPREAD, FASTEST, SLOWEST = 15, 0.5, 6, 90
#: The shares of visits that begin with a voice call, try another channel, and choose the SMS then.
VOICE_FIRST, TRIES_ON, SMS_NEXT = 0.04, 0.6, 0.35
#: Of the visits without success: the shares that use up all guesses, and that cancel.
EXHAUSTED, CANCELED = 0.06, 0.1
PATIENCE = timedelta(seconds=40)


@dataclass(slots=True)
class Visit:
    """A verification with its calls, or a call of another system, which has no verification.

    ``user_of``: the person whose account the verification belongs to.
    """

    calls: list[GeneratedCall]
    verification: Verification | None = None
    user_of: Subscriber | None = None


class Visits:
    """Generates visits in their state at ``now``."""

    def __init__(
        self, rng: random.Random, now: datetime, subscribers: Subscribers, provider: Provider
    ) -> None:
        self._rng = rng
        self._now = now
        self._subscribers = subscribers
        self._provider = provider

    def imported(self, at: datetime) -> Visit:
        return Visit([self._provider.imported(self._subscribers.stranger(), at)])

    def visit(self, at: datetime, ends: datetime, most: int, rings: float = 0) -> Visit:
        """Generate a visit that begins ``at`` a moment.

        It has at most ``most`` calls, and only the first one may begin after ``ends``.
        """
        subscriber, purpose = self._who()
        verification = self._begin(subscriber, purpose, at)
        calls: list[GeneratedCall] = []
        for channel, moment in self._channels(verification, calls):
            if calls and (len(calls) == most or moment >= min(ends, self._now)):
                break
            calls.append(self._provider.call(verification, subscriber, channel, moment, rings))
            self._count_send(verification, calls[-1].call)
            if self._is_over(verification, calls[-1]):
                break
        self._close(verification, calls[-1].call.created_at)
        return Visit(calls, verification, self._account_of(verification, subscriber))

    def _begin(self, subscriber: Subscriber, purpose: str, at: datetime) -> Verification:
        ends = at + timedelta(seconds=settings.CODE_TTL)
        ip = self._subscribers.address()
        return Verification(
            phone=subscriber.phone, purpose=purpose, created_at=at, expires_at=ends, ip=ip
        )

    def _who(self) -> tuple[Subscriber, str]:
        if self._rng.random() < ORDERS:
            return self._subscribers.stranger(), "order"
        subscriber = self._subscribers.regular()
        is_step = subscriber.has_account and self._rng.random() < CONFIRMS
        return subscriber, confirmation.PURPOSE if is_step else "login"

    def _channels(
        self, verification: Verification, calls: list[GeneratedCall]
    ) -> Iterator[tuple[str, datetime]]:
        """Yield the channels and times of the calls; an SMS only after an accepted call."""
        channel = "voice" if self._rng.random() < VOICE_FIRST else "flashcall"
        at = verification.created_at
        while at < verification.expires_at:
            yield channel, at
            call = calls[-1].call
            if len(calls) == settings.MAX_SENDS or channel == "sms":
                return
            if call.state == CallRequest.State.REFUSED and call.finished_at is not None:
                at = call.finished_at + timedelta(seconds=self._rng.uniform(5, 20))
            else:
                at += timedelta(seconds=settings.RESEND_AFTER + self._rng.expovariate(0.1))
            can_text = any(generated.call.provider_id for generated in calls)
            is_text = channel == "voice" or self._rng.random() < SMS_NEXT
            channel = "sms" if can_text and is_text else "voice"

    def _count_send(self, verification: Verification, call: CallRequest) -> None:
        """Count a send as the app does.

        After a refusal the next send may follow at once. Some refusals do not count.
        """
        if call.error_code not in NOT_COUNTED:
            verification.sends += 1
        verification.last_sent_at = (
            None if call.state == CallRequest.State.REFUSED else call.created_at
        )

    def _is_over(self, verification: Verification, generated: GeneratedCall) -> bool:
        """Return whether the code of this call is typed, or the person gives up."""
        share, slower = TYPED[generated.call.channel]
        placed = generated.call.placed_at
        if placed is not None and generated.reached and self._rng.random() < share:
            seconds = USUAL * slower * self._rng.lognormvariate(0, SPREAD)
            typed = placed + timedelta(seconds=min(max(seconds, FASTEST), SLOWEST))
            if typed < verification.expires_at:
                verification.approved_at = typed
                return True
        return generated.call.error_code in HOPELESS or self._rng.random() > TRIES_ON

    def _close(self, verification: Verification, last: datetime) -> None:
        """Set the status as of now. ``last``: the time of the last call."""
        typed, verification.approved_at = verification.approved_at, None
        drawn = self._rng.random()
        if typed is not None and typed <= self._now:
            verification.status, verification.approved_at = Status.APPROVED, typed
            verification.attempts = 1 if drawn < 0.9 else 2 if drawn < 0.98 else 3
            verification.closed_at = typed
        elif typed is None and drawn < EXHAUSTED + CANCELED and last + PATIENCE < self._now:
            is_exhausted = drawn < EXHAUSTED
            verification.status = Status.MAX_ATTEMPTS if is_exhausted else Status.CANCELED
            verification.attempts = settings.MAX_ATTEMPTS if is_exhausted else 0
            verification.closed_at = last + PATIENCE
        elif typed is None and drawn > 0.85:
            verification.attempts = 1
        if verification.status == Status.PENDING and verification.expires_at <= self._now:
            verification.status = Status.EXPIRED
            verification.closed_at = verification.expires_at

    def _account_of(self, verification: Verification, subscriber: Subscriber) -> Subscriber | None:
        """Return whose account the verification belongs to; a first login makes the account."""
        if verification.purpose == confirmation.PURPOSE:
            return subscriber
        moment = verification.approved_at
        if verification.purpose != "login" or moment is None:
            return None
        if not subscriber.has_account:
            name = f"user_{secrets.token_hex(6)}"
            password = make_password(None)
            subscriber.user = get_user_model()(
                username=name, password=password, date_joined=moment, last_login=moment
            )
        return subscriber
