"""How far another clock may be from ours. Rows have the time of web and workers alone."""

from __future__ import annotations

from django.utils.translation import gettext as _

from django_voicepassword import limits
from django_voicepassword.management.doctor.findings import Finding, fault, fine, warning

#: Seconds that no one notices.
TOLERATED = 2.0


def finding(name: str, ahead: float, tolerated: float = TOLERATED, must: bool = False) -> Finding:
    """What it means that a clock is so many seconds ``ahead`` of ours, or behind where negative.

    ``must``: it is the clock of a worker. More than ``limits.CLOCK_SKEW`` is then a fault.
    """
    away = abs(ahead)
    if away <= tolerated:
        return fine(name, _("It agrees with the clock of this machine."))
    if ahead > 0:
        text = _("It is %(seconds).0f s ahead of the clock of this machine.")
    else:
        text = _("It is %(seconds).0f s behind the clock of this machine.")
    is_fault = must and away > limits.CLOCK_SKEW
    advice = _("Let NTP set the clock of every server.")
    return (fault if is_fault else warning)(name, text % {"seconds": away}, advice)
