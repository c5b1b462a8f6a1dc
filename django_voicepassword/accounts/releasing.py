"""Release a number: nobody has it then, and whoever proves it next gets it."""

from __future__ import annotations

from typing import Any

from django.db import router

from django_voicepassword import limits, transactions
from django_voicepassword.accounts import users
from django_voicepassword.models import VerifiedPhone
from django_voicepassword.security import audit, masking


def release(row: VerifiedPhone, staff: Any = None, reason: str = "") -> None:
    """Take a number off its user, and note it in the audit log.

    The user keeps their other numbers; the number's devices are forgotten. Numbers in ``reason``
    are masked. Raises LastPhone where USER_PHONE_FIELD cannot be empty.
    """
    detach(row)
    audit.number_released(staff, row.masked_phone, masking.mask_text(reason, row.phone))


def detach(row: VerifiedPhone) -> None:
    """Take a number off its user in a transaction that locks the number."""

    def locked() -> None:
        limits.lock(f"user:{row.phone}")
        users.detach(row)

    transactions.atomic_with_retry(locked, router.db_for_write(VerifiedPhone))
