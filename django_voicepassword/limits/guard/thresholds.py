"""When failures are an attack. Pure rules: no database."""

from __future__ import annotations

from math import ceil

from django_voicepassword.conf import settings

#: A subject is suspected where its conversion is under this part of the usual one.
SUSPICIOUS_PART = 1 / 3
#: The usual conversion where there is no history.
FIRST_USUAL = 0.6
#: The wrong guesses for each approval where there is no history.
FIRST_WRONG = 0.2
#: Wrong guesses are suspected where they are so many times the usual.
SUSPICIOUS_TIMES = 5


def block_floor() -> int:
    """Return the failures in an hour under which a block of numbers does not trip."""
    return max(settings.FRAUD_FLOOR // 5, 1)


def is_suspicious(failures: int, sends: int, floor: int, usual: float) -> bool:
    """Return whether the sends of an hour look like an attack.

    ``failures`` is how many of the ``sends`` are open; ``floor`` the failures that trip; ``usual``
    the usual conversion, 0 to 1.
    """
    return failures >= floor and (sends - failures) < usual * SUSPICIOUS_PART * sends


def guess_floor(usual_wrong: float, usual_an_hour: float, approved: int) -> int:
    """Return the wrong guesses in an hour that trip the site.

    They are FRAUD_FLOOR, five times an ordinary hour (``usual_an_hour``), and five times what
    ``approved`` approvals usually bring (``usual_wrong`` for each), whichever is most.
    """
    times = SUSPICIOUS_TIMES * max(usual_an_hour, usual_wrong * approved)
    return max(settings.FRAUD_FLOOR, ceil(times))
