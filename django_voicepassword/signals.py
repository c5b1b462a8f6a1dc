"""What the app tells the host project. ``sender`` is always the model; receivers run after the rows
are committed.

Receivers are called by ``send_robust``: one that raises is logged by Django and stops neither a
call nor a login.
"""

from typing import Any

from django.db import transaction
from django.dispatch import Signal

#: ``call=``: the provider took the call request (state ``placed``).
call_placed = Signal()
#: ``call=, old_state=, new_state=, source=``: a call request moved forward, whoever told (``send``,
#: ``callback``, …).
call_state_changed = Signal()
#: ``verification=, user=, request=``: the right code was typed, once.
phone_verified = Signal()
#: ``verification=, user=, request=``: a guess was wrong.
verification_failed = Signal()
#: ``balance=, currency=, threshold=``: the balance fell to LOW_BALANCE or under it; once a fall.
balance_low = Signal()
#: ``statistics=``: a provider's day was read and stored.
daily_synced = Signal()


def announce(signal: Signal, sender: type, using: str, **values: Any) -> None:
    """Send ``signal`` once the transaction of the database ``using`` is committed."""
    if signal.has_listeners(sender):
        transaction.on_commit(lambda: signal.send_robust(sender=sender, **values), using=using)
