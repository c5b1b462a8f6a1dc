"""Every promise broken on purpose: what to take away, and which tests must fail then.

``__main__`` does it in a copy of the tree and prints the table of ``tests/README.md``.
"""

from tests.faults.guards.crowd import CROWD
from tests.faults.guards.delivery import DELIVERY
from tests.faults.guards.guard import PROMISES, Guard
from tests.faults.guards.limits import LIMITS
from tests.faults.guards.provider_input import PROVIDER_INPUT
from tests.faults.guards.secrets import SECRETS

GUARDS = [*DELIVERY, *LIMITS, *PROVIDER_INPUT, *SECRETS, *CROWD]

__all__ = ["GUARDS", "PROMISES", "Guard"]
