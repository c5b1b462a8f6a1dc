"""The false clock: seconds of the simulation, read wherever the app reads ``timezone.now()``.

``install`` must come before ``django.setup()``: the default of a model's field keeps the function
that it was made with.
"""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

from django.utils import timezone as django_timezone

#: Midnight in Moscow, where the provider's day begins. A Monday.
MIDNIGHT = datetime(2026, 3, 1, 21, tzinfo=timezone.utc)


class Clock:
    """``second`` 0 is midnight in Moscow."""

    def __init__(self) -> None:
        self.moment = MIDNIGHT

    def set(self, second: float) -> None:
        self.moment = MIDNIGHT + timedelta(seconds=second)

    def install(self) -> None:
        django_timezone.now = lambda: self.moment


clock = Clock()
