"""What a send or a wrong guess uses: which counters count it, and at which rates."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

from django_voicepassword import phones
from django_voicepassword.conf import settings
from django_voicepassword.limits.guard.subjects import network_of
from django_voicepassword.limits.rates import Rate, parse_rate, split_rate, tenfold
from django_voicepassword.limits.subjects import (
    LONG,
    NETWORK,
    SOLVED,
    address_subjects,
    guess_subjects,
    subject_of,
)
from django_voicepassword.limits.terms import Terms
from django_voicepassword.models import FraudTrip, Verification

#: The limits that many numbers share. Each of their counters is split over several rows, so that
#: sends rarely wait for each other, and an approval gives them back.
CROWD = ("ip", "prefix", "site")
#: A row of a split counter has room for so many events at least, and a counter has at most so many
#: rows.
EVENTS_OF_ROW, MOST_ROWS = 10, 64
#: Sends to a number whose limit ``phone`` is used up, each for a challenge that was solved.
PHONE_SOLVED = "3/d"
#: The limit that is named where long codes are used up.
GUARD = "guard"


@dataclass(frozen=True)
class Use:
    """One more event for one counter.

    ``limit`` is the name that a refusal tells. The key of the counter is ``name:subject``. Without
    rates nothing is counted. ``instead`` is what is used where this is used up.
    """

    limit: str
    name: str
    subject: str
    rates: tuple[str, ...]
    is_split: bool = False
    instead: Use | None = None

    @property
    def key(self) -> str:
        return f"{self.name}:{self.subject}"

    @property
    def chain(self) -> Iterable[Use]:
        """This use, then what is used instead of it, in order."""
        use: Use | None = self
        while use is not None:
            yield use
            use = use.instead

    @cached_property
    def rows(self) -> int:
        """How many rows the counter has."""
        if not self.is_split or not self.rates:
            return 1
        fewest = min(parse_rate(rate).count for rate in self.rates)
        return max(1, min(fewest // EVENTS_OF_ROW, MOST_ROWS))

    def row_key(self, row: int) -> str:
        """Return the key of one row."""
        return row_key(self.key, row) if self.rows > 1 else self.key

    def shares(self, rate: str) -> tuple[Rate, ...]:
        """Return the part of a rate that each row allows. Together they are the rate."""
        return split_rate(rate, self.rows)


def row_key(key: str, row: int) -> str:
    """Return the key of one row of a counter that is split over several."""
    return f"{key}#{row}"


def row_range(key: str) -> tuple[str, str]:
    """Return the range of the keys of all these rows: the first, and the first one after them."""
    # "$" follows "#".
    return f"{key}#", f"{key}$"


def make_use(name: str, subject: str, instead: Use | None = None) -> Use:
    """Return the use of a counter at the rates of LIMITS; none where its limit is switched off.

    A network of many addresses has ten times the rates of one address. So have sends for which a
    challenge was solved.
    """
    limit = name.removesuffix(SOLVED).removesuffix(NETWORK)
    rates = list(settings.limits.get(limit, []))
    for suffix in (NETWORK, SOLVED):
        if suffix in name:
            rates = [tenfold(rate) for rate in rates]
    return Use(limit, name, subject, tuple(rates), is_split=limit in CROWD, instead=instead)


def make_uses(subjects: Mapping[str, str]) -> list[Use]:
    """Return the uses of several counters: name -> subject."""
    return [make_use(name, subject) for name, subject in subjects.items()]


def send_uses(phone: str, terms: Terms) -> list[Use]:
    """Return what one send to ``phone`` uses.

    Every send counts for the number. Those of the unproven lane also count for its address, its
    prefix and the site, in counters of their own where a challenge was solved; and those with a
    long code for the trips that ask for it.
    """
    uses = [_number_use(phone, terms)]
    if terms.is_proven:
        return uses
    suffix = SOLVED if terms.is_solved else ""
    names = ["prefix", "site", *address_subjects("ip", terms.address)]
    crowd = {f"{name}{suffix}": subject_of(name, phone, terms.address) for name in names}
    uses += make_uses(crowd)
    if terms.is_long:
        uses += _long_uses(phone, terms)
    return uses


def test_send_uses(phone: str, terms: Terms) -> list[Use]:
    """Return what a send to one of TEST_NUMBERS uses: it costs nothing, so only ``ip`` holds."""
    return [use for use in send_uses(phone, terms) if use.limit == "ip"]


def guess_uses(verification: Verification, address: str, is_proven: bool) -> list[Use]:
    """Return what one wrong guess uses.

    The proven lane of a number has guesses of its own, which nobody else can use up. When those are
    used up, the guesses of the number remain.
    """
    phone = verification.phone
    if phones.fixed_code(phone) is not None:
        return make_uses(guess_subjects(phone, address))
    of_number = make_use("long_guesses" if verification.has_long_code else "phone_guesses", phone)
    if not is_proven:
        return [of_number]
    return [make_use("device_guesses", phone, instead=of_number)]


def lock_of_number(phone: str) -> str:
    """Return the key that ``lock`` locks a number by: the counter that its guesses lock anyway."""
    return f"phone_guesses:{phone}"


def _number_use(phone: str, terms: Terms) -> Use:
    """Return the use of the number's own limit, and what may pay where that is used up.

    A proven send pays from the limit of the devices. A send for which a challenge was solved has a
    few sends of its own.
    """
    instead = None
    if terms.is_solved:
        instead = solved_use(phone, "device" if terms.is_proven else "phone")
    if terms.is_proven:
        instead = make_use("device", phone, instead)
    return make_use("phone", phone, instead)


def solved_use(phone: str, limit: str = "phone") -> Use:
    """Return what pays for a send to a number whose limit is used up, by a solved challenge.

    ``limit`` is what a refusal tells: nobody on a known device is sent to a known device.
    """
    return Use(limit, f"phone{SOLVED}", phone, (PHONE_SOLVED,))


def _long_uses(phone: str, terms: Terms) -> list[Use]:
    """Return what a long code uses of each subject whose trip asks for it.

    A subject has as many open ones an hour as failures trip it; one network has a tenth of them, at
    least one.
    """
    thresholds: dict[str, int] = {}
    for trip in terms.trips:
        name = f"{LONG}{trip.kind}"
        thresholds[name] = min(trip.threshold, thresholds.get(name, trip.threshold))
        if trip.kind != FraudTrip.Kind.NETWORK and network_of(terms.address):
            tenth = max(trip.threshold // 10, 1)
            thresholds[f"{name}{NETWORK}"] = min(tenth, thresholds.get(f"{name}{NETWORK}", tenth))
    return [
        Use(GUARD, name, subject_of(name, phone, terms.address), (f"{count}/h",), is_split=True)
        for name, count in thresholds.items()
    ]
