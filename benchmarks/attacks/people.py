"""Honest people: when they log in, from where, how fast they type, and when they give up."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from datetime import timedelta
from random import Random

from benchmarks.attacks.clock import clock
from benchmarks.attacks.figures import People
from benchmarks.attacks.world import HOUR, World
from django_voicepassword import verifications
from django_voicepassword.exceptions import (
    ChallengeRequired,
    RateLimited,
    VerificationError,
    WrongCode,
)
from django_voicepassword.limits.guard import history
from django_voicepassword.limits.rates import to_milliseconds
from django_voicepassword.models import TrustedDevice, Verification
from django_voicepassword.phones import Phone
from django_voicepassword.security import trusted_devices

#: How many of a day's logins begin in each hour, relatively.
HOURS = [1.5, 1, 0.7, 0.6, 0.6, 0.8, 1.5, 2.5, 4, 5, 5.5, 5.5, 5.5, 5.5, 5.5, 5.5, 5.5, 5.5, 5.8, 6,
         6, 5.5, 4.5, 3]  # fmt: skip
KNOWN = 0.6
CONVERSION = 0.85
GIVE_UP = 0.03
#: Of those who type the code: how many type a wrong one first.
TYPOS = 0.04
#: Of those who do not get the code: how many have it sent again.
RESENDS = 0.5
#: Of those on a new device: how many are in a mobile network, behind shared addresses.
MOBILE = 0.35
#: Mobile networks, each a /24 with so many addresses in use.
NETWORKS, ADDRESSES = 20, 60


class Crowd:
    """The honest people of a site: ``a_day`` logins, ``rate`` tells how many times the usual."""

    def __init__(self, world: World, a_day: int, known: float = KNOWN, sampled: int = 1) -> None:
        self.world, self.a_day, self.known = world, a_day, known
        #: One of so many logins from known devices is simulated.
        self.sampled = sampled
        self.rng = Random(world.rng.random())
        self.rate: Callable[[float], float] = lambda second: 1.0
        #: Whether a call reaches its person at all.
        self.is_reached: Callable[[Phone], bool] = lambda phone: True
        #: Another address for those on a new device: second -> address, or "" for the usual one.
        self.other_address: Callable[[], str] = lambda: ""

    def arrive(self, since: float, until: float) -> None:
        """Let people come from ``since`` on; whole hours."""
        second = since
        while second < until:
            self.world.at(second, self._hour, second)
            second += HOUR

    def remember_month(self) -> None:
        """Write the guard's history as it is after 30 quiet days of this crowd."""
        logins, hours = self.a_day * 30, 30 * 24
        others, known = logins * (1 - self.known), logins * self.known / self.sampled
        approved = round(others * CONVERSION)
        sums = history.Hours(
            hours=hours,
            sends=round(others * (1 + (1 - CONVERSION) * RESENDS)),
            approved=approved,
            wrong=round(approved * TYPOS),
            guessed=approved,
            proven=round(known),
            proven_approved=round(known * CONVERSION),
        )
        yesterday = to_milliseconds(clock.moment - timedelta(days=1))
        history._add([(yesterday, sums)], 0, clock.moment)

    def _hour(self, second: float) -> None:
        hour = int(second // HOUR) % 24
        mean = self.a_day * HOURS[hour] / sum(HOURS) * self.rate(second)
        arrivals = max(round(self.rng.gauss(mean, mean**0.5)), 0)
        known = []
        for _ in range(arrivals):
            phone = self.world.number()
            begins = second + self.rng.random() * HOUR
            if self.rng.random() < self.known:
                if self.rng.random() * self.sampled >= 1:
                    continue
                device = secrets.token_hex(16)
                token_hash = trusted_devices.hash_token(device)
                known.append(
                    TrustedDevice(
                        phone=phone,
                        token_hash=token_hash,
                        created_at=clock.moment,
                        last_used_at=clock.moment,
                    )
                )
                self.world.at(begins, self.log_in, phone, device)
            else:
                self.world.at(begins, self.log_in, phone)
        TrustedDevice.objects.bulk_create(known)

    def _figures(self, device: str) -> People:
        if not self.world.is_measured:
            return People()
        return self.world.figures.known if device else self.world.figures.others

    def address(self) -> str:
        if self.rng.random() < MOBILE:
            network = self.rng.randrange(NETWORKS)
            return f"178.176.{network}.{self.rng.randrange(1, ADDRESSES + 1)}"
        return self.world.address()

    def log_in(
        self, phone: Phone, device: str = "", address: str = "", figures: People | None = None
    ) -> Person:
        """Somebody asks for a code now; what follows is put into the queue."""
        figures = figures or self._figures(device)
        where = address or (device and self.address()) or self.other_address() or self.address()
        person = Person(self, phone, where, device, figures)
        figures.logins += 1
        person.ask()
        return person


class Person:
    """One login of one honest person."""

    def __init__(
        self, crowd: Crowd, phone: Phone, address: str, device: str, figures: People
    ) -> None:
        self.crowd, self.world, self.rng = crowd, crowd.world, crowd.rng
        self.phone, self.address, self.device = phone, address, device
        self.figures = figures
        self.is_solved = False
        self.converts = self.rng.random() < CONVERSION
        self.verification: Verification | None = None
        self.is_in = False
        #: What refused it in the end; "challenge" where it gave up at one.
        self.outcome = ""

    def ask(self) -> None:
        """Start, or have the code sent again."""
        request = self.world.request(self.address, self.device, self.is_solved)
        try:
            if self.verification is None:
                self.verification = verifications.start(self.phone, request=request)
                is_first = True
            else:
                self.verification = verifications.resend(self.verification.id, request=request)
                is_first = False
        except ChallengeRequired:
            self._meet_challenge()
        except VerificationError as error:
            self._end(getattr(error, "limit", "") or error.code)
        else:
            self.figures.long_codes += self.verification.has_long_code and is_first
            self._wait_for_code(is_first)

    def _meet_challenge(self) -> None:
        if self.is_solved:
            self._end("challenge again")
        elif self.rng.random() < GIVE_UP:
            self.figures.gave_up += 1
            self.outcome = "challenge"
        else:
            self.is_solved = True
            self.world.after(self.rng.uniform(5, 20), self.ask)

    def _wait_for_code(self, is_first: bool) -> None:
        if self.converts and self.crowd.is_reached(self.phone):
            seconds = min(max(self.rng.lognormvariate(2.9, 0.5), 5), 200)
            self.world.after(seconds, self._type, self.rng.random() < TYPOS)
        elif is_first and self.rng.random() < RESENDS:
            self.world.after(self.rng.uniform(62, 90), self.ask)

    def _type(self, is_typo: bool) -> None:
        assert self.verification is not None
        code = self.world.worker.codes[self.verification.id]
        if is_typo:
            code = f"{(int(code) + 1) % 10 ** len(code):0{len(code)}}"
        request = self.world.request(self.address, self.device)
        try:
            verifications.check(self.verification.id, code, request=request)
        except WrongCode:
            self.world.after(self.rng.uniform(4, 15), self._type, False)
        except RateLimited as error:
            if error.limit in ("guard", "phone_guesses") and not self.verification.has_long_code:
                # The page offers a new call with a longer code at once.
                self.world.after(self.rng.uniform(3, 15), self.ask)
            else:
                self._end(error.limit)
        except VerificationError as error:
            self._end(error.code)
        else:
            self.figures.approved += 1
            self.is_in = True

    def _end(self, reason: str) -> None:
        self.figures.refused[reason] += 1
        self.outcome = reason
