"""The tables of a run."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Mapping
from datetime import datetime, timezone
from statistics import mean

from benchmarks.attacks.figures import Figures, People
from benchmarks.attacks.plan import ENTRIES, MODES, TARGETS, Target

Key = tuple[str, str, str]
Results = Mapping[Key, list[Figures]]
#: Mode -> its name in the tables.
WORDS = {
    "off": "`off`",
    "audit": "`audit`",
    "enforce": "`enforce`",
    "challenge": "`enforce`, CHALLENGE",
}


def print_all(results: Results, options: argparse.Namespace, seconds: float) -> None:
    keys = sorted(results, key=lambda key: (list(ENTRIES).index(key[0]), key[1] != "even",
                                            list(MODES).index(key[2])))  # fmt: skip
    today = datetime.now(timezone.utc).date()
    seeds = ", ".join(str(options.seed + index) for index in range(options.seeds))
    kind = "quick run" if options.quick else "whole run"
    print(f"{today}, {kind}, seeds {seeds}, {seconds / 60:.0f} minutes\n")
    _print_rows(_attack_rows(results, keys))
    _print_rows(_people_rows(results, keys))
    for key in keys:
        _print_extra(key, results[key])
    print("\nTargets\n")
    _print_rows(_target_rows(results, keys))


def _attack_rows(results: Results, keys: Iterable[Key]) -> Iterable[list[str]]:
    yield ["attack", "shape", "guard", "starts wanted", "strangers rung", "roubles",
           "guesses, 4 digits", "longer", "takeovers", "with a pool of 10,000",
           "what refused it", "trips"]  # fmt: skip
    for key in keys:
        several = results[key]
        longer = [sum(n for digits, n in f.guesses.items() if digits > 4) for f in several]
        yield [
            *key[:2],
            WORDS[key[2]],
            _number(f.wanted for f in several),
            _number(f.strangers for f in several),
            _number(f.cost for f in several),
            _number(f.guesses[4] for f in several),
            _number(longer),
            _small(f.takeovers for f in several),
            _small(f.takeovers_of_pool for f in several),
            _reasons([f.refused for f in several]),
            _reasons([f.trips for f in several]),
        ]


def _people_rows(results: Results, keys: Iterable[Key]) -> Iterable[list[str]]:
    yield ["attack", "shape", "guard", "others: logins", "refused", "why",
           "gave up at the challenge", "long codes",
           "known devices: logins", "refused"]  # fmt: skip
    for key in keys:
        others = [f.others for f in results[key]]
        known = [f.known for f in results[key]]
        yield [
            *key[:2],
            WORDS[key[2]],
            _number(people.logins for people in others),
            _refused(others),
            _reasons([people.refused for people in others]),
            f"{100 * mean(p.gave_up / max(p.logins, 1) for p in others):.2f} %",
            _number(people.long_codes for people in others),
            _number(people.logins for people in known),
            _number(sum(people.refused.values()) for people in known),
        ]


def _target_rows(results: Results, keys: Iterable[Key]) -> Iterable[list[str]]:
    yield ["attack", "shape", "guard", "figure", "at most", "seen", ""]
    for key in keys:
        for target in TARGETS:
            if _applies(target, key):
                # The worst of all seeds.
                seen = max(target.figure(figures) for figures in results[key])
                verdict = "ok" if seen <= target.most else "**missed**"
                most = f"{target.most:g}"
                yield [*key[:2], WORDS[key[2]], target.name, most, f"{seen:.3g}", verdict]


def _applies(target: Target, key: Key) -> bool:
    attack, shape, mode = key
    return attack in target.attacks and shape in target.shapes and mode in target.modes


def _print_extra(key: Key, several: list[Figures]) -> None:
    for name in several[0].extra:
        values = [figures.extra.get(name, "") for figures in several]
        shown = ", ".join(f"{v:.1f}" if isinstance(v, float) else str(v) for v in values)
        print(f"- {key[0]}, {key[1]}, {WORDS[key[2]]}: {name}: {shown}")


def _print_rows(rows: Iterable[list[str]]) -> None:
    for number, row in enumerate(rows):
        print(f"| {' | '.join(row)} |")
        if number == 0:
            print("|---" * len(row) + "|")
    print()


def _number(values: Iterable[float]) -> str:
    return f"{mean(values):,.0f}"


def _small(values: Iterable[float]) -> str:
    return f"{mean(values):.3g}"


def _refused(people: list[People]) -> str:
    return f"{100 * mean(one.refused_share for one in people):.2f} %"


def _reasons(counters: Iterable[Mapping[str, int]]) -> str:
    total: dict[str, float] = {}
    counters = list(counters)
    for counter in counters:
        for reason, count in counter.items():
            total[reason] = total.get(reason, 0) + count / len(counters)
    largest = sorted(total.items(), key=lambda item: -item[1])[:3]
    return ", ".join(f"{reason} {count:,.0f}" for reason, count in largest)
