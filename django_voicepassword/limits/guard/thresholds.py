"""When failures are an attack. Pure rules: no database."""

from __future__ import annotations

from django_voicepassword.conf import settings

#: A subject is suspected where its conversion is under this part of the usual one.
SUSPICIOUS_PART = 1 / 3
#: The usual conversion where there is no history.
FIRST_USUAL = 0.6


def block_floor() -> int:
    """Return the failures in an hour under which a block of numbers does not trip."""
    return max(settings.FRAUD_FLOOR // 5, 1)


def is_suspicious(failures: int, sends: int, floor: int, usual: float) -> bool:
    """Return whether the sends of an hour look like an attack.

    ``failures`` is how many of the ``sends`` are open; ``floor`` the failures that trip; ``usual``
    the usual conversion, 0 to 1.
    """
    return failures >= floor and (sends - failures) < usual * SUSPICIOUS_PART * sends
