"""The attacks, one function each: it prepares the world, runs it and returns nothing.

The shape is "even", spread over a day from midnight, or "burst", 50 starts a second from noon on.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from django.contrib.auth.models import User
from django.db.models import Sum

from benchmarks.attacks.clock import MIDNIGHT, clock
from benchmarks.attacks.figures import Figures, People
from benchmarks.attacks.people import KNOWN, Crowd, Person
from benchmarks.attacks.robots import ADDRESSES, Cookies, Quiet, Robot, Swarm
from benchmarks.attacks.world import DAY, HOUR, World
from django_voicepassword.models import CallRequest, FraudTrip, TrustedDevice, VerifiedPhone
from django_voicepassword.phones import Phone
from django_voicepassword.security import trusted_devices

EVEN, BURST = "even", "burst"
A_SECOND = 50
#: Hours of honest logins before the attack: as long as the guard's memory.
BEFORE = 1
LOGINS = 10_000
#: Honest logins a day where an attack is aimed at single people, and the others hardly matter.
FEW_LOGINS = 2_000


@dataclass(frozen=True)
class Job:
    """One attack under one set of settings."""

    attack: str
    shape: str
    mode: str
    seed: int
    days: int = 1
    #: Hours that a burst is watched, and hours that a launch lasts.
    watched: int = 6
    launched: int = 3
    thinning: int = 1
    #: One of so many robots is simulated, and counted so many times.
    sampled: int = 1
    #: One of so many logins from known devices is simulated.
    known_sampled: int = 1
    #: Of the usual size of everything: the test of the harness takes less.
    scale: float = 1.0
    settings: dict[str, Any] = field(default_factory=dict)


class Stage:
    """A world with its honest crowd, ready for the attack of a job."""

    def __init__(self, job: Job, logins: int = LOGINS, known: float | None = None) -> None:
        self.job = job
        begins = 0 if job.shape == EVEN else 12 * HOUR
        ends = job.days * DAY if job.shape == EVEN else begins + job.watched * HOUR
        self.world = World(job.seed, begins, ends)
        share = KNOWN if known is None else known
        self.crowd = Crowd(self.world, self.size(logins), share, job.known_sampled)

    def size(self, number: int) -> int:
        return max(round(number * self.job.scale), 1)

    def swarm(self, wanted: int, **options: Any) -> Swarm:
        wanted = self.size(wanted)
        seconds = DAY if self.job.shape == EVEN else wanted / A_SECOND
        wanted, addresses = wanted // self.job.sampled, ADDRESSES // self.job.sampled
        thinning = self.job.thinning
        return Swarm(self.world, wanted, seconds, addresses=addresses, thinning=thinning, **options)

    def run(self) -> None:
        world = self.world
        since = world.begins - BEFORE * HOUR
        clock.set(since)
        self.crowd.remember_month()
        self.crowd.arrive(since, world.ends)
        world.run(since)
        figures = world.figures
        figures.multiply_attack(self.job.sampled)
        begun = MIDNIGHT + timedelta(seconds=world.begins)
        for trip in FraudTrip.objects.filter(tripped_at__gte=begun):
            figures.trips[f"{trip.kind} {trip.cause}"] += 1
        spent = CallRequest.objects.aggregate(price=Sum("price"))["price"]
        figures.extra["all calls, roubles"] = round(float(spent or 0))


def spray(job: Job) -> Figures:
    stage = Stage(job)
    stage.swarm(100_000, guesses=5)
    stage.run()
    return stage.world.figures


def bomb(job: Job) -> Figures:
    stage = Stage(job)
    stage.swarm(150_000)
    stage.run()
    return stage.world.figures


def block(job: Job) -> Figures:
    """Every number of one block, and nobody else."""
    stage = Stage(job, FEW_LOGINS)
    numbers = [Phone(f"7999123{last:04}") for last in range(10_000)]
    stage.world.rng.shuffle(numbers)
    stage.swarm(10_000, number=numbers.pop)
    stage.run()
    return stage.world.figures


def drain(job: Job) -> Figures:
    """The money of the day: DAILY_BUDGET is one and a half times what honest people need."""
    stage = Stage(job)
    stage.swarm(50_000)
    stage.run()
    return stage.world.figures


def lockout(job: Job) -> Figures:
    """Forty victims, rung and guessed at; later each logs in, half of them on a new device."""
    stage = Stage(job, FEW_LOGINS)
    world, victims = stage.world, [stage.world.number() for _ in range(stage.size(40))]
    robot = Robot(world)
    tries = 48 if job.shape == EVEN else 20
    lasts = DAY if job.shape == EVEN else tries * len(victims) / A_SECOND
    for index, phone in enumerate(victims):
        for number in range(tries):
            begins = world.begins + lasts * (number + index / len(victims)) / tries
            world.at(begins, _torment, robot, phone)
    people: dict[str, list[Person]] = {"new device": [], "known device": []}
    for index, phone in enumerate(victims):
        device = f"victim-{index}" if index % 2 else ""
        _trust(phone, device)
        when = world.rng.uniform(world.begins + lasts / 4 + HOUR, world.ends - HOUR / 2)
        world.at(when, _come_home, stage.crowd, phone, device, people)
    stage.run()
    for name, those in people.items():
        refused = [person.outcome for person in those if person.outcome]
        world.figures.extra[f"victims on a {name}: refused"] = f"{len(refused)} of {len(those)}"
        if refused:
            world.figures.extra[f"victims on a {name}: why"] = ", ".join(sorted(set(refused)))
    return world.figures


def _torment(robot: Robot, phone: Phone) -> None:
    robot.figures.wanted += 1
    verification = robot.start(phone)
    if verification is not None:
        robot.guess(verification, 5)


def _come_home(crowd: Crowd, phone: Phone, device: str, people: dict[str, list[Person]]) -> None:
    person = crowd.log_in(phone, device, figures=People())
    people["known device" if device else "new device"].append(person)


def _trust(phone: Phone, *devices: str) -> None:
    """Make trusted devices of a number, with these tokens."""
    user = User.objects.create(username=phone)
    VerifiedPhone.objects.create(user=user, phone=phone, verified_at=clock.moment)
    for device in filter(None, devices):
        TrustedDevice.objects.create(
            phone=phone,
            user=user,
            token_hash=trusted_devices.hash_token(device),
            created_at=clock.moment,
            last_used_at=clock.moment,
        )


def cookies(job: Job) -> Figures:
    """A former holder with five cookies, a thief with one kiosk's cookie, and mere strangers."""
    stage = Stage(job, FEW_LOGINS)
    world = stage.world
    numbers = [world.number() for _ in range(stage.size(10))]
    robots = [Cookies(world, numbers, [""] * 5, HOUR / 2, "stranger")]
    numbers = [world.number() for _ in range(stage.size(10))]
    tokens = [f"former-{index}" for index in range(5)]
    for phone in numbers:
        _trust(phone, *tokens)
    robots.append(Cookies(world, numbers, tokens, HOUR / 2, "former holder"))
    numbers = [world.number() for _ in range(5)]
    for phone in numbers:
        _trust(phone, "kiosk")
    robots.append(Cookies(world, numbers, ["kiosk"], HOUR / 4, "kiosk's thief"))
    stage.run()
    for robot in robots:
        robot.note()
    return world.figures


def nat(job: Job) -> Figures:
    """Half of the people are on new devices behind one address of a carrier."""
    stage = Stage(job, known=KNOWN_AT_NAT)
    crowd, world = stage.crowd, stage.world
    if job.shape == EVEN:
        crowd.other_address = lambda: NAT_ADDRESS if world.rng.random() < NAT_SHARE else ""
    else:
        _crowd_at_once(stage, stage.size(5000), NAT_ADDRESS)
    stage.run()
    return world.figures


#: So that 5,000 of 10,000 logins are on new devices behind NAT_ADDRESS.
KNOWN_AT_NAT, NAT_SHARE, NAT_ADDRESS = 0.4, 5 / 6, "178.177.1.1"


def _crowd_at_once(stage: Stage, people: int, address: str = "") -> None:
    """Have ``people`` on new devices log in at 50 a second."""
    world = stage.world
    for number in range(people):
        world.at(world.begins + number / A_SECOND, _log_in_new, stage, address)


def _log_in_new(stage: Stage, address: str) -> None:
    stage.crowd.log_in(stage.world.number(), address=address)


def outage(job: Job) -> Figures:
    """Half of the time, the provider takes the calls and nobody receives them."""
    return _outage(job, lambda phone: True)


def outage_of_operator(job: Job) -> Figures:
    """The same for the numbers of a tenth of the operators' prefixes."""
    return _outage(job, lambda phone: phone[3] == "2")


def _outage(job: Job, is_hit: Callable[[Phone], bool]) -> Figures:
    stage = Stage(job)
    begins, ends = stage.world.begins, stage.world.begins + job.watched / 2 * HOUR

    def is_reached(phone: Phone) -> bool:
        return not (begins <= stage.world.second < ends and is_hit(phone))

    stage.crowd.is_reached = is_reached
    stage.run()
    return stage.world.figures


def launch(job: Job) -> Figures:
    """Ten times the usual, all of them honest, most on new devices; or 3,000 within a minute."""
    stage = Stage(job, known=0.2)
    if job.shape == EVEN:
        world = stage.world
        begins = world.begins = 12 * HOUR
        ends = begins + job.launched * HOUR
        world.ends = ends + HOUR
        stage.crowd.rate = lambda second: 10.0 if begins <= second < ends else 1.0
    else:
        _crowd_at_once(stage, stage.size(3000))
    stage.run()
    return stage.world.figures


def quiet_attacker(job: Job) -> Figures:
    stage = Stage(job)
    Quiet(stage.world, 5)
    stage.run()
    return stage.world.figures


def quiet_attacker_small(job: Job) -> Figures:
    """On a site of 400 logins a day."""
    stage = Stage(job, 400)
    Quiet(stage.world, 15)
    stage.run()
    return stage.world.figures


def quiet_days(job: Job) -> Figures:
    """Nobody attacks."""
    stage = Stage(job)
    stage.run()
    return stage.world.figures


ATTACKS: dict[str, Callable[[Job], Figures]] = {
    "spray": spray,
    "bomb": bomb,
    "block": block,
    "drain": drain,
    "lockout": lockout,
    "cookies": cookies,
    "nat": nat,
    "nat, 200/h": nat,
    "outage": outage,
    "outage of operator": outage_of_operator,
    "launch": launch,
    "quiet attacker": quiet_attacker,
    "quiet attacker, 400 logins": quiet_attacker_small,
    "quiet days": quiet_days,
}
