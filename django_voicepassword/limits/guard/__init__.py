"""The guard: suspects an attack by what fails, and makes it harder. ``docs/security.md`` has it."""

from django_voicepassword.limits.guard.figures import Figures, Gauge, figures
from django_voicepassword.limits.guard.standing import (
    Standing,
    is_tripped_by_guesses,
    read,
    tripped_by_guesses,
)
from django_voicepassword.limits.guard.thresholds import block_floor, is_suspicious
from django_voicepassword.limits.guard.trips import lift, open_trips, trip_block
from django_voicepassword.limits.guard.watching import watch

__all__ = [
    "Figures",
    "Gauge",
    "Standing",
    "block_floor",
    "figures",
    "is_suspicious",
    "is_tripped_by_guesses",
    "lift",
    "open_trips",
    "read",
    "trip_block",
    "tripped_by_guesses",
    "watch",
]
