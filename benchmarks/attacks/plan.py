"""Which attacks run under which settings, and the figures that they must not exceed.

Nothing here imports Django: the processes of the jobs do.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from benchmarks.attacks.figures import Figures

#: Mode -> what it changes in VOICEPASSWORD. The names are those of the tables.
MODES: dict[str, dict[str, Any]] = {
    "off": {"FRAUD_GUARD": "off"},
    "audit": {"FRAUD_GUARD": "audit"},
    "enforce": {"FRAUD_GUARD": "enforce"},
    "challenge": {"FRAUD_GUARD": "enforce", "CHALLENGE": "benchmarks.attacks.world.is_solved"},
}
#: A guard that refuses nobody lets robots do what they want. A tenth of them is simulated, and
#: counted tenfold.
UNGUARDED = ("off", "audit")
SAMPLED = 10


@dataclass(frozen=True)
class Entry:
    """An attack of the table: its shapes, and what it changes in VOICEPASSWORD."""

    shapes: tuple[str, ...] = ("even", "burst")
    settings: dict[str, Any] | None = None
    #: The modes of --quick.
    quick: tuple[str, ...] = ("challenge",)
    #: Whether its robots can be sampled.
    is_crowd: bool = False


ENTRIES: dict[str, Entry] = {
    "spray": Entry(quick=("challenge", "enforce"), is_crowd=True),
    "bomb": Entry(settings={"DAILY_BUDGET": "40000"}, is_crowd=True),
    "block": Entry(),
    "drain": Entry(settings={"DAILY_BUDGET": "6000"}, quick=("enforce",), is_crowd=True),
    "lockout": Entry(),
    "cookies": Entry(shapes=("even",)),
    "nat": Entry(),
    "nat, 200/h": Entry(shapes=("burst",), settings={"LIMITS": {"ip": ["200/h"]}}),
    "outage": Entry(shapes=("burst",)),
    "outage of operator": Entry(shapes=("burst",)),
    "launch": Entry(),
    "quiet attacker": Entry(shapes=("even",), quick=()),
    "quiet attacker, 400 logins": Entry(shapes=("even",)),
    "quiet days": Entry(shapes=("even",)),
}


def jobs(options: argparse.Namespace) -> list[dict[str, Any]]:
    """The jobs of a run, as dicts of the fields of ``scenarios.Job``; the longest first."""
    todo = []
    for name in options.names or ENTRIES:
        if name not in ENTRIES:
            return []
        entry = ENTRIES[name]
        for mode in options.mode or (entry.quick if options.quick else MODES):
            for shape in options.shape or entry.shapes:
                if shape in entry.shapes:
                    todo += _jobs_of(name, entry, mode, shape, options)
    return sorted(todo, key=_size, reverse=True)


def _jobs_of(
    name: str, entry: Entry, mode: str, shape: str, options: argparse.Namespace
) -> list[dict[str, Any]]:
    quiet = options.days or (3 if options.quick else 30)
    return [
        {
            "attack": name,
            "shape": shape,
            "mode": mode,
            "seed": seed,
            "days": quiet if name == "quiet days" else 1,
            "watched": 2 if options.quick else 6,
            "launched": 1 if options.quick else 3,
            "known_sampled": 4 if options.quick else 1,
            "thinning": 16 if options.quick else 1,
            "sampled": SAMPLED if entry.is_crowd and mode in UNGUARDED else 1,
            "scale": options.scale,
            "settings": {**(entry.settings or {}), **MODES[mode]},
        }
        for seed in range(options.seed, options.seed + options.seeds)
    ]


def _size(job: dict[str, Any]) -> float:
    """About how long a job takes, relatively: the longest begin first."""
    robots = {"spray": 2, "bomb": 2, "drain": 1, "launch": 2}.get(job["attack"], 0)
    return float(job["days"] * (2 if job["shape"] == "even" else 1) + robots)


@dataclass(frozen=True)
class Target:
    """A figure that an attack must not exceed."""

    attacks: tuple[str, ...]
    name: str
    figure: Callable[[Figures], float]
    most: float
    modes: tuple[str, ...] = ("challenge",)
    shapes: tuple[str, ...] = ("even", "burst")


ALL = tuple(ENTRIES)
#: What the defaults of ``phone`` and ``phone_guesses`` give anybody who is not suspected.
STRANGER_CALLS, STRANGER_GUESSES = 10, 15
TARGETS = (
    Target(("spray",), "takeovers a day", lambda f: f.takeovers, 0.05,
           ("challenge", "enforce"), ("even",)),
    Target(("spray",), "takeovers", lambda f: f.takeovers, 0.4,
           ("challenge", "enforce"), ("burst",)),
    Target(("bomb",), "strangers rung", lambda f: f.strangers, 2000),
    Target(("bomb",), "roubles, 2 % of 40,000", lambda f: f.cost, 800),
    Target(("block",), "strangers rung", lambda f: f.strangers, 40),
    Target(ALL, "others refused, %", lambda f: 100 * f.others.refused_share, 2),
    Target(ALL, "known devices refused", lambda f: sum(f.known.refused.values()), 0,
           ("challenge", "enforce")),
    Target(("outage", "outage of operator", "launch", "nat", "quiet days"),
           "false trips", lambda f: sum(f.trips.values()), 0, ("challenge", "enforce")),
    Target(("cookies",), "a former holder's calls beyond a stranger's",
           lambda f: _of_former(f, "calls") - STRANGER_CALLS, 6),
    Target(("cookies",), "a former holder's guesses of 4 digits beyond a stranger's",
           lambda f: _of_former(f, "short guesses") - STRANGER_GUESSES, 10),
    Target(("quiet attacker, 400 logins",), "takeovers a day", lambda f: f.takeovers, 0.25),
    Target(("quiet attacker, 400 logins",), "strangers rung a day", lambda f: f.strangers, 1200),
)  # fmt: skip


def _of_former(figures: Figures, what: str) -> float:
    return float(figures.extra[f"former holder: {what} a number"])
