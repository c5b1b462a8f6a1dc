"""The signals that the app sends to the host project.

``sender`` is always the model. Receivers run after the rows are committed. They are called by
``send_robust()``: if one raises, Django logs the exception, and the call or login goes on.
"""

from django.db import transaction
from django.dispatch import Signal

#: ``call=``: the provider accepted the call request (state ``placed``).
call_placed = Signal()
#: ``call=, old_state=, new_state=, source=``: a call request moved forward. ``source`` is where the
#: report came from: ``send``, ``callback`` or ``poll``. A daily sync does not send it.
call_state_changed = Signal()
#: ``verification=, user=, request=``: the right code was entered. Sent once for a verification.
phone_verified = Signal()
#: ``verification=, user=, request=``: a wrong code was entered.
verification_failed = Signal()
#: ``balance=, currency=, threshold=``: the balance fell to LOW_BALANCE or below. Sent once until
#: the balance has been above it again.
balance_low = Signal()
#: ``error_code=``: the provider refuses the account (its key, a block, no money). Nothing is sent
#: until it tells a good balance again; then it can be sent again.
account_refused = Signal()
#: ``error=, phone=, request=``: a send was refused (a ``VerificationError``), and nothing rang.
send_refused = Signal()
#: ``kind=, subject=, failures=, conversion=, mode=``: the guard tripped. ``kind`` is ``block``,
#: ``prefix``, ``network`` or ``site``; ``mode`` is FRAUD_GUARD: ``audit`` or ``enforce``.
fraud_suspected = Signal()
#: ``prefix=, channel=, conversion=``: calls seem not to arrive, for people on trusted devices too.
#: ``prefix`` is the operator's, or "" for all; ``channel`` is "" for all.
outage_suspected = Signal()
#: ``user=, phone=, request=``: a right code opened no account, because nobody had proved the number
#: for DORMANT_AFTER_DAYS.
phone_dormant = Signal()
#: ``phone=, former=, user=``: a number moved from the user ``former`` to ``user``, who proved it.
phone_moved = Signal()
#: ``statistics=``: one of the provider's days was read and stored.
daily_synced = Signal()


def announce(signal: Signal, sender: type, using: str, **values: object) -> None:
    """Send ``signal`` after the current transaction of the database ``using`` is committed."""
    if signal.has_listeners(sender):
        transaction.on_commit(lambda: signal.send_robust(sender=sender, **values), using=using)
