"""Until when history was deleted or a person erased. A sync must not bring it back.

RETENTION_DAYS may be raised, or removed, after a purge; and of an erased person nothing is kept by
which they could be recognized.
"""

from __future__ import annotations

from datetime import datetime

from django_voicepassword.limits import noted_moments

_KEY, _ERASED_KEY = "purged:", "erased:"


def note(before: datetime) -> None:
    """Remember that calls created before this moment are being deleted."""
    noted_moments.note(_KEY, before)


def until() -> datetime | None:
    """Return the moment before which calls may have been deleted; None: none was deleted."""
    return noted_moments.latest(_KEY)


def note_erasure(now: datetime) -> None:
    """Remember that a person is being erased."""
    noted_moments.note(_ERASED_KEY, now)


def erased_until() -> datetime | None:
    """Return when a person was last erased; None: nobody was."""
    return noted_moments.latest(_ERASED_KEY)
