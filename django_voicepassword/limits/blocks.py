"""The failures of a block of numbers, counted with the limits, so that the guard trips at once."""

from __future__ import annotations

from django_voicepassword.conf import settings
from django_voicepassword.limits.guard.thresholds import block_floor, is_suspicious
from django_voicepassword.limits.rates import (
    Entries,
    Events,
    Rate,
    add_event,
    live_events,
    remove_event,
)
from django_voicepassword.limits.terms import BlockTripped, Terms

#: The name of the counter.
BLOCK = "block"
#: Its two kinds of events: the open sends of the last hour, and the approved ones.
OPEN, APPROVED = "open", "approved"
#: How long a send counts. Times are kept to a hundredth of it.
_HOUR = Rate(1_000_000, 3600)


def counts(terms: Terms) -> bool:
    """Whether the block of its number counts a send."""
    is_watched = settings.FRAUD_GUARD != "off"
    return is_watched and not terms.is_proven and not terms.is_solved


def add_open(events: Events, moment: int) -> Events:
    """Return the events of a block with one more open send."""
    open_sends, approved = _live(events, OPEN, moment), _live(events, APPROVED, moment)
    return {OPEN: add_event(open_sends, _HOUR, moment), APPROVED: approved}


def close(events: Events, sent_at: int, is_approved: bool) -> Events:
    """Return the events without the open send of ``sent_at``: it is approved, or did not leave."""
    approved = events.get(APPROVED, [])
    return {
        OPEN: remove_event(events.get(OPEN, []), _HOUR, sent_at),
        APPROVED: add_event(approved, _HOUR, sent_at) if is_approved else approved,
    }


def judge(events: Events, moment: int, usual: float) -> None:
    """Raise BlockTripped where the sends of the last hour look like an attack.

    ``usual`` is the usual conversion, 0 to 1.
    """
    failures, approved = (_sum(_live(events, kind, moment)) for kind in (OPEN, APPROVED))
    sends, threshold = failures + approved, block_floor()
    if is_suspicious(failures, sends, threshold, usual):
        raise BlockTripped(failures, threshold, approved / sends)


def _live(events: Events, kind: str, moment: int) -> Entries:
    return live_events(events.get(kind, []), _HOUR, moment)


def _sum(entries: Entries) -> int:
    return sum(count for _, count in entries)
