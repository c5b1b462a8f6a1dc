"""Attackers. A robot has many addresses and never solves a challenge."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta

from django.db.models import Count, Q

from benchmarks.attacks.clock import clock
from benchmarks.attacks.provider import PRICE
from benchmarks.attacks.world import HOUR, World
from django_voicepassword import verifications
from django_voicepassword.conf import settings
from django_voicepassword.exceptions import VerificationError, WrongCode
from django_voicepassword.limits.guard import state
from django_voicepassword.limits.guard.thresholds import SUSPICIOUS_PART
from django_voicepassword.models import CallRequest, Verification
from django_voicepassword.phones import Phone

#: After so many refused starts in a row only every n-th is tried: ``thinning``.
REFUSED_IN_A_ROW = 100
ADDRESSES = 10_000


class Robot:
    """Starts and guesses, and counts what came of it."""

    def __init__(self, world: World, addresses: int = ADDRESSES) -> None:
        self.world, self.rng, self.figures = world, world.rng, world.figures
        self.addresses = [world.address() for _ in range(addresses)]
        self.rung: set[str] = set()

    def start(self, phone: Phone, device: str = "", address: str = "") -> Verification | None:
        """Ring a number; None where the app refused."""
        address = address or self.rng.choice(self.addresses)
        self.figures.tried += 1
        try:
            verification = verifications.start(phone, request=self.world.request(address, device))
        except VerificationError as error:
            self.figures.refused[getattr(error, "limit", "") or error.code] += 1
            return None
        self.rung.add(phone)
        self.figures.calls += 1
        self.figures.strangers = len(self.rung)
        self.figures.cost += float(PRICE)
        return verification

    def guess(self, verification: Verification, most: int, device: str = "") -> int:
        """Guess up to ``most`` times; return how many guesses were compared."""
        request = self.world.request(self.rng.choice(self.addresses), device)
        digits = verification.code_length
        for number, code in enumerate(self.rng.sample(range(10**digits), most)):
            try:
                verifications.check(verification.id, f"{code:0{digits}}", request=request)
            except WrongCode:
                self.figures.guesses[digits] += 1
            except VerificationError:
                return number
            else:
                self.figures.guesses[digits] += 1
                return number + 1
        return most


class Swarm(Robot):
    """Wants ``wanted`` calls in ``seconds`` from now on, then guesses ``guesses`` times each.

    ``thinning``: while it has been refused a hundred times in a row, only every n-th start is
    really tried; the others count as tried in vain. Whenever one succeeds, all are tried again.
    """

    def __init__(
        self,
        world: World,
        wanted: int,
        seconds: float,
        number: Callable[[], Phone] | None = None,
        guesses: int = 0,
        addresses: int = ADDRESSES,
        thinning: int = 1,
    ) -> None:
        super().__init__(world, addresses)
        self.number = number or world.number
        self.guesses, self.thinning = guesses, thinning
        self.left, self.pause = wanted, seconds / wanted
        self.refused_in_a_row = 0
        world.at(world.begins, self._next)

    def _next(self) -> None:
        weight = self.thinning if self.refused_in_a_row >= REFUSED_IN_A_ROW else 1
        weight = min(weight, self.left)
        self.left -= weight
        self.figures.wanted += weight
        verification = self.start(self.number())
        if verification is None:
            self.refused_in_a_row += 1
        else:
            self.refused_in_a_row = 0
            if self.guesses:
                self.guess(verification, self.guesses)
        if self.left:
            self.world.after(self.pause * weight, self._next)


class Quiet(Robot):
    """Knows every setting and every figure, and stays just under each threshold of the guard.

    Every few seconds it rings one more stranger if the site could take some more failures, and
    guesses once more if the site could take some more wrong guesses in the hour. Where it is
    refused all the same, it waits until the trip is over.
    """

    #: How far it stays under a threshold: honest people fail too.
    MARGIN = 4
    #: Seconds that it waits after a refusal.
    REST = 2 * HOUR

    def __init__(self, world: World, pause: float) -> None:
        super().__init__(world)
        self.pause = pause
        self.guessed: list[float] = []
        world.at(world.begins, self._next)

    def _next(self) -> None:
        phone = self.world.number()
        if self._fits(phone):
            self.figures.wanted += 1
            verification = self.start(phone)
            if verification is None:
                self.world.after(self.REST, self._next)
                return
            self._guess_quietly(verification)
        self.world.after(self.pause, self._next)

    def _fits(self, phone: Phone) -> bool:
        """Whether one more failure trips neither the site nor the operator's prefix."""
        recent = CallRequest.objects.filter(
            created_at__gt=clock.moment - timedelta(hours=1), lane=CallRequest.Lane.UNPROVEN
        )
        usual = state.load().usual.unproven
        for sends in (recent, recent.filter(phone__startswith=phone[:4])):
            total = sends.aggregate(all=Count("id"), open=Count("id", filter=Q(is_open=True)))
            conversion = (total["all"] - total["open"]) / (total["all"] + self.MARGIN)
            is_converting = conversion >= usual * SUSPICIOUS_PART
            if total["open"] + self.MARGIN >= settings.FRAUD_FLOOR and not is_converting:
                return False
        return True

    def _guess_quietly(self, verification: Verification) -> None:
        self.guessed = [one for one in self.guessed if one > self.world.second - HOUR]
        room = settings.FRAUD_FLOOR - self.MARGIN - len(self.guessed) - self._typos()
        compared = self.guess(verification, max(min(room, 5), 0))
        self.guessed += [self.world.second] * compared

    def _typos(self) -> int:
        """About how many wrong guesses of honest people an hour has."""
        return 2


class Cookies(Robot):
    """Uses the cookies of others: each step asks for a call with each of them, and guesses on."""

    def __init__(
        self, world: World, phones: Sequence[Phone], devices: Sequence[str], pause: float, name: str
    ) -> None:
        super().__init__(world, 500)
        self.phones, self.devices, self.pause, self.name = phones, devices, pause, name
        self.calls = dict.fromkeys(phones, 0)
        self.compared = {phone: [0, 0] for phone in phones}
        world.at(world.begins, self._next)

    def _next(self) -> None:
        for phone in self.phones:
            for device in self.devices:
                self.figures.wanted += 1
                verification = self.start(phone, device)
                if verification is not None:
                    self.calls[phone] += 1
                    compared = self.guess(verification, 5, device)
                    self.compared[phone][verification.code_length > 4] += compared
        self.world.after(self.pause, self._next)

    def note(self) -> None:
        """Write what each number suffered, on average, into the figures."""
        count = len(self.phones)
        self.figures.extra[f"{self.name}: calls a number"] = sum(self.calls.values()) / count
        for index, length in enumerate(("short", "long")):
            compared = sum(pair[index] for pair in self.compared.values())
            self.figures.extra[f"{self.name}: {length} guesses a number"] = compared / count
