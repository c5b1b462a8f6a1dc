"""The control group: where proven people fail as well, it is an outage and not an attack."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Container, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.db.models import Count, Max, Q

from django_voicepassword import phones
from django_voicepassword.limits.guard.state import EVERYWHERE
from django_voicepassword.limits.guard.thresholds import SUSPICIOUS_PART
from django_voicepassword.limits.guard.windows import APPROVED, WINDOW, own_sends
from django_voicepassword.models import CallRequest

#: With fewer proven numbers in the window, there is no control group.
LEAST = 10
#: An outage is declared by sends that are this old: whoever typed the code has done so by then.
SETTLED_AFTER = timedelta(minutes=2)
#: An outage ends when the control group converts at this part of the usual again.
OVER_PART = 1 / 2


@dataclass
class Control:
    """The proven numbers of a window, each counted once, and how many of them were approved.

    The same of those whose last send is not quite new. ``channels`` are the channels of those that
    were not approved.
    """

    numbers: int = 0
    approved: int = 0
    settled: int = 0
    settled_approved: int = 0
    channels: set[str] = field(default_factory=set)

    @property
    def exists(self) -> bool:
        return self.numbers >= LEAST

    @property
    def conversion(self) -> float | None:
        """The conversion of those that an outage is told by; None: too few."""
        return self.settled_approved / self.settled if self.settled >= LEAST else None

    def factor(self, usual: float) -> float:
        """Return by how much the group does worse than its ``usual`` conversion.

        1.0: not at all, or it does not exist. 0.0: it fails as an attacked lane would. In between
        an attacked lane must do worse by as much: a launch, in which most people are still waiting
        for their call, fails in both lanes alike, and so does a provider that loses some calls.
        """
        if not self.exists:
            return 1.0
        conversion = self.approved / self.numbers
        return 0.0 if conversion < usual * SUSPICIOUS_PART else min(conversion / usual, 1.0)

    def is_outage(self, usual: float, was_outage: bool) -> bool:
        """Return whether the group fails; ``was_outage``: an outage that has been declared lasts
        a little longer, so that it is one and not many.
        """
        if self.conversion is None:
            return False
        return self.conversion < usual * (OVER_PART if was_outage else SUSPICIOUS_PART)


def count(now: datetime) -> dict[str, Control]:
    """Count the proven numbers of the last hour, by operator prefix."""
    proven = own_sends(now - WINDOW, now).filter(lane=CallRequest.Lane.PROVEN)
    new = Q(created_at__gt=now - SETTLED_AFTER)
    numbers = proven.values_list("phone").annotate(
        right=Count("id", filter=APPROVED), new=Count("id", filter=new), channel=Max("channel")
    )
    groups: dict[str, Control] = defaultdict(Control)
    for phone, right, is_new, channel in numbers:
        group = groups[phones.operator_prefix(phone)]
        is_approved, is_settled = right > 0, not is_new
        group.numbers += 1
        group.approved += is_approved
        group.settled += is_settled
        group.settled_approved += is_approved and is_settled
        if not is_approved:
            group.channels.add(channel)
    return groups


def total(groups: Mapping[str, Control], without: Container[str]) -> Control:
    """Return the groups together, but those of the operator prefixes ``without``."""
    together = Control()
    for prefix, group in groups.items():
        if prefix not in without:
            together.numbers += group.numbers
            together.approved += group.approved
            together.settled += group.settled
            together.settled_approved += group.settled_approved
            together.channels |= group.channels
    return together


def failing(
    groups: Mapping[str, Control], usual: float, known: Container[str]
) -> dict[str, Control]:
    """Return the groups that show an outage: EVERYWHERE, or the operator prefixes.

    ``known`` are the outages that the last watch knew.
    """
    everywhere = total(groups, ())
    if everywhere.is_outage(usual, EVERYWHERE in known):
        return {EVERYWHERE: everywhere}
    return {
        prefix: group for prefix, group in groups.items() if group.is_outage(usual, prefix in known)
    }
