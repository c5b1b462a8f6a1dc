"""What the last watch found, in one small row that each unproven start reads."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db import IntegrityError
from django.db.models import Q

from django_voicepassword.limits.counters import database
from django_voicepassword.limits.guard.thresholds import FIRST_USUAL, FIRST_WRONG
from django_voicepassword.limits.rates import CLOCK_SKEW
from django_voicepassword.models import LimitCounter
from django_voicepassword.transactions import atomic_with_retry, retry

#: The counter that holds the state. ``updated_at`` is when the last watch began.
KEY = "guard:state"
#: A start runs the watch itself where the last one is older. Beat runs it every 15 s.
WATCHED_BY_STARTS_AFTER = timedelta(seconds=20)
#: The outage of all operators.
EVERYWHERE = ""


@dataclass(frozen=True)
class Usual:
    """What is usual on this site: the figures of 30 days (``history``), or the first guesses.

    ``unproven`` and ``proven`` are the conversions of the two lanes, 0 to 1. ``wrong`` is how many
    wrong guesses the unproven lane makes for each approval, ``wrong_an_hour`` how many in an hour.
    """

    has_history: bool = False
    unproven: float = FIRST_USUAL
    proven: float = FIRST_USUAL
    wrong: float = FIRST_WRONG
    wrong_an_hour: float = 0.0


@dataclass(frozen=True)
class State:
    """What the last watch found.

    ``factor`` is by how much the proven lane does worse than usual: 1.0 where it does not, 0.0
    where it fails altogether. ``has_control`` says whether enough proven people sent to tell.
    ``outages`` are the operator prefixes whose calls do not arrive, or EVERYWHERE: prefix -> since
    when, in milliseconds. ``past_outages`` are ``[from, to]`` of those that ended not long ago.
    ``closed_until`` is the end of the last hour that ``usual`` knows.
    """

    usual: Usual = field(default_factory=Usual)
    factor: float = 1.0
    has_control: bool = False
    outages: dict[str, int] = field(default_factory=dict)
    past_outages: list[list[int]] = field(default_factory=list)
    closed_until: int = 0

    def is_outage(self, prefix: str) -> bool:
        return EVERYWHERE in self.outages or prefix in self.outages


def parse(text: str) -> State:
    """Return the state that ``text``, the column ``events`` of the row, describes."""
    values: dict[str, Any] = json.loads(text)
    return State(**{**values, "usual": Usual(**values.get("usual", {}))})


def load() -> State:
    """Return the state; that of a new site where no watch has run."""
    text = LimitCounter.objects.filter(key=KEY).values_list("events", flat=True).first()
    return parse(text) if text is not None else State()


def store(state: State) -> None:
    """Write the state. The row exists: ``note_watch`` or ``claim_watch`` made it."""
    text = json.dumps(asdict(state), separators=(",", ":"))
    row = LimitCounter.objects.filter(key=KEY)
    retry(lambda: row.update(events=text), database())


def is_due(watched_at: datetime | None, now: datetime) -> bool:
    """Return whether the watch has not run for so long that a start should run it.

    A time in the future was written before a clock stepped back.
    """
    if watched_at is None:
        return True
    age = now - watched_at
    return age > WATCHED_BY_STARTS_AFTER or age < timedelta(seconds=-CLOCK_SKEW)


def claim_watch(now: datetime) -> bool:
    """Return whether the caller is to run the watch. True for one of several callers at once."""
    future = now + timedelta(seconds=CLOCK_SKEW)
    due = Q(updated_at__lt=now - WATCHED_BY_STARTS_AFTER) | Q(updated_at__gt=future)
    row = LimitCounter.objects.filter(due, key=KEY)
    return bool(retry(lambda: row.update(updated_at=now), database())) or _insert(now)


def note_watch(now: datetime) -> None:
    """Write that a watch begins."""
    row = LimitCounter.objects.filter(key=KEY)
    if not retry(lambda: row.update(updated_at=now), database()):
        _insert(now)


def _insert(now: datetime) -> bool:
    """Insert the row; return False where it exists."""
    if LimitCounter.objects.filter(key=KEY).exists():
        return False
    try:
        atomic_with_retry(lambda: LimitCounter.objects.create(key=KEY, updated_at=now), database())
    except IntegrityError:
        return False
    return True
