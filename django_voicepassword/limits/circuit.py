"""The circuit: while the provider refuses the account, nothing is asked of it but the balance.

Two things are asked all the same: states, where only money is lacking, and what is asked once: the
statistics of a day, and the state of one call in the admin.

A refusal of the account (its key, a block, no money) concerns every call. It opens the circuit:
starts are refused at once, and calls in the queue are not placed. The balance is read each minute,
and the first good answer closes the circuit.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from django.db import IntegrityError
from django.db.models import Exists, Q
from django.utils import timezone

from django_voicepassword import signals
from django_voicepassword.exceptions import AccountRefused
from django_voicepassword.limits import selects
from django_voicepassword.limits.alarms import ACCOUNT_REFUSED, clear_alarm, raise_balance_alarm
from django_voicepassword.limits.counters import database
from django_voicepassword.limits.prices import dearest_price
from django_voicepassword.limits.rates import CLOCK_SKEW, to_milliseconds
from django_voicepassword.models import BalanceReading, LimitCounter
from django_voicepassword.transactions import atomic_with_retry, retry

logger = logging.getLogger(__name__)

#: The provider's error code for an account without money.
NO_MONEY = "not_enough_money"
#: While the circuit is open, the balance is read at most once in this time.
READ_EVERY = timedelta(minutes=1)
#: The alarm that is raised while the circuit is open.
KEY = f"alarm:{ACCOUNT_REFUSED}"


@dataclass(frozen=True)
class Refusal:
    """Why the circuit is open: the provider's error code, and when it came."""

    error_code: str
    since: datetime

    @property
    def is_for_money(self) -> bool:
        return _is_for_money(self.error_code)


def _is_for_money(error_code: str) -> bool:
    """Whether the provider means that the account has no money, however it writes the code."""
    return error_code.strip().casefold() == NO_MONEY


def refusal() -> Refusal | None:
    """Return why the circuit is open; None where it is closed."""
    row = selects.counters([KEY]).get(KEY)
    return None if row is None else parse(row[0])


def is_open() -> Exists:
    """Return the condition "the circuit is open"."""
    return Exists(LimitCounter.objects.filter(key=KEY))


def parse(events: str) -> Refusal:
    """Return the refusal that the counter KEY holds in its column ``events``."""
    code, entries = next(iter(json.loads(events).items()), ("", [[0, 1]]))
    since = datetime.fromtimestamp(entries[0][0] / 1000, timezone.get_current_timezone())
    return Refusal(code, since)


@contextmanager
def opens() -> Iterator[None]:
    """Open the circuit where the provider refuses the account in this block or function."""
    try:
        yield
    except AccountRefused as error:
        open_circuit(error.error_code)
        raise


def open_circuit(error_code: str) -> None:
    """Stop all sends: the provider has refused the account.

    Whoever opens it logs an error and sends ``account_refused``; later refusals do nothing. Where
    one of them is for lack of money, that becomes the reason.
    """
    if _is_for_money(error_code):
        raise_balance_alarm()
    now = timezone.now()
    events = json.dumps({error_code[:64]: [[to_milliseconds(now), 1]]})
    # The first reading may follow at once.
    values = {"events": events, "updated_at": now - READ_EVERY}
    try:
        atomic_with_retry(lambda: LimitCounter.objects.create(key=KEY, **values), database())
    except IntegrityError:
        _change_reason(error_code, events)
        return
    logger.error("the provider refuses the account: %s; nothing is sent any more", error_code)
    signals.account_refused.send_robust(sender=BalanceReading, error_code=error_code)


def _change_reason(error_code: str, events: str) -> None:
    known = refusal()
    if known is not None and not known.is_for_money and _is_for_money(error_code):
        row = LimitCounter.objects.filter(key=KEY)
        retry(lambda: row.update(events=events), database())


def note_balance(balance: Decimal) -> None:
    """Close the circuit, because the provider has told the balance.

    Where money was the reason, the balance must pay a send on the dearest channel.
    """
    reason = refusal()
    if reason is None or (reason.is_for_money and balance < dearest_price()):
        return
    clear_alarm(ACCOUNT_REFUSED)
    logger.warning("the provider accepts the account again: calls are placed")


def claim_reading(now: datetime) -> bool:
    """Return whether the caller is to read the balance now: the circuit is open, and there is no
    reading, nor an attempt at one, that is younger than a minute. True for one of several callers.

    What lies in the future was written before a clock stepped back, and does not count.
    """
    before, future = now - READ_EVERY, now + timedelta(seconds=CLOCK_SKEW)
    if BalanceReading.objects.filter(read_at__gt=before, read_at__lte=future).exists():
        return False
    is_due = Q(updated_at__lte=before) | Q(updated_at__gt=future)
    row = LimitCounter.objects.filter(is_due, key=KEY)
    return bool(retry(lambda: row.update(updated_at=now), database()))
