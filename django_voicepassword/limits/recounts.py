"""When a figure of the past changed without a new report or call that would tell of it.

The next count of the figures then counts whole days.
"""

from __future__ import annotations

from datetime import datetime

from django_voicepassword.limits import noted_moments, purged

_KEY = "recount:"


def note(moment: datetime) -> None:
    """Remember such a change, in the transaction that makes it."""
    noted_moments.note(_KEY, moment)


def last() -> datetime | None:
    """Return when the last such change was noted or a person was erased; None: there was none."""
    moments = [noted_moments.latest(_KEY), purged.erased_until()]
    return max((moment for moment in moments if moment is not None), default=None)
