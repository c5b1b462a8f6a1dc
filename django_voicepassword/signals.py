"""What the app tells the host project. ``sender`` is always the model; receivers run after the rows are committed.

Receivers are called by ``send_robust``: one that raises is logged and stops neither a call nor a login.
"""

from django.dispatch import Signal

#: ``call=``: the provider took the call request (state ``placed``).
call_placed = Signal()
#: ``call=, old_state=, new_state=, source=``: a call request moved forward, whoever told (``send``, ``callback``, …).
call_state_changed = Signal()
#: ``verification=, user=, request=``: the right code was typed, once.
phone_verified = Signal()
#: ``verification=, user=, request=``: a guess was wrong.
verification_failed = Signal()
#: ``balance=, currency=, threshold=``: the balance fell to LOW_BALANCE or under it; once a fall.
balance_low = Signal()
#: ``statistics=``: a provider's day was read and stored.
daily_synced = Signal()
