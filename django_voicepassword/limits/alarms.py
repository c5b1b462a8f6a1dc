"""Alarms: each is raised once, and can be raised again after it was cleared."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal

from django.db import DatabaseError, IntegrityError, transaction
from django.utils import timezone

from django_voicepassword import signals
from django_voicepassword.conf import settings
from django_voicepassword.limits.counters import database
from django_voicepassword.models import BalanceReading, LimitCounter
from django_voicepassword.models.moments import before
from django_voicepassword.transactions import atomic_with_retry, retry

logger = logging.getLogger(__name__)

#: The names of the alarms.
ACCOUNT_REFUSED, BALANCE_LOW = "account_refused", "balance_low"


def raise_alarm(name: str) -> bool:
    """Raise the alarm ``name``. Return False where it is raised already.

    Of several processes that raise the same alarm at once, exactly one gets True.
    """
    now = timezone.now()
    try:
        atomic_with_retry(
            lambda: LimitCounter.objects.create(key=f"alarm:{name}", updated_at=now), database()
        )
    except IntegrityError:
        return False
    return True


def once_key(name: str) -> str:
    """Return the key of the counter whose ``updated_at`` is when ``is_first_in`` was True."""
    return f"once:{name}"


def is_first_in(name: str, seconds: float) -> bool:
    """Return True at most once in ``seconds`` for each ``name``, to one of all processes.

    Return False where the database fails: what is logged once an hour must not stop a request.
    """
    key, now = once_key(name), timezone.now()
    earlier = before(now, seconds)
    try:
        counters = LimitCounter.objects.filter(key=key)
        if counters.filter(updated_at__gt=earlier).exists():
            return False
        with transaction.atomic(using=database()):
            if counters.filter(updated_at__lte=earlier).update(updated_at=now):
                return True
            LimitCounter.objects.create(key=key, updated_at=now)
    except DatabaseError:
        return False
    return True


def is_first_in_hour(name: str) -> bool:
    """``is_first_in`` an hour: for what is logged once an hour."""
    return is_first_in(name, 3600)


def last_time(name: str) -> datetime | None:
    """Return when ``is_first_in`` of this name was True last; None if never."""
    rows = LimitCounter.objects.filter(key=once_key(name))
    return rows.values_list("updated_at", flat=True).first()


def forget_first(name: str) -> None:
    """Let the next ``is_first_in`` of this name be True."""
    retry(LimitCounter.objects.filter(key=once_key(name)).delete, database())


def is_raised(name: str) -> bool:
    """Return whether the alarm ``name`` was raised and not cleared since."""
    return LimitCounter.objects.filter(key=f"alarm:{name}").exists()


def clear_alarm(name: str) -> None:
    """Clear the alarm ``name``, because its cause is gone: it can be raised again."""
    retry(LimitCounter.objects.filter(key=f"alarm:{name}").delete, database())


def clear_alarms_but(kind: str, names: Iterable[str]) -> None:
    """Clear the alarms of a ``kind``, for example ``outage``, but for those of ``names``."""
    # A SELECT first: hardly ever is there one to delete, and a DELETE is a transaction.
    raised = LimitCounter.objects.filter(key__startswith=f"alarm:{kind}:")
    outdated = raised.exclude(key__in=[f"alarm:{kind}:{name}" for name in names])
    keys = list(outdated.values_list("key", flat=True))
    if keys:
        retry(LimitCounter.objects.filter(key__in=keys).delete, database())


def raise_balance_alarm(balance: Decimal | None = None, currency: str = "") -> None:
    """Log a low balance and send ``balance_low``, once until a reading is above LOW_BALANCE again.

    ``balance`` is None where no reading showed it: the provider refused a send for lack of money.
    """
    if not raise_alarm(BALANCE_LOW):
        return
    threshold = settings.LOW_BALANCE
    reading = "not enough for a send" if balance is None else f"{balance} {currency}"
    logger.error("the balance is low: %s; LOW_BALANCE is %s", reading, threshold)
    signals.balance_low.send_robust(
        sender=BalanceReading, balance=balance, currency=currency, threshold=threshold
    )
