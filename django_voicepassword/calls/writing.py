"""Writes to the database of the calls, repeated where the database rolled them back."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from django.db import router

from django_voicepassword import transactions
from django_voicepassword.models import CallRequest

Result = TypeVar("Result")


def database() -> str:
    """Return the alias of the database that calls are written to."""
    return router.db_for_write(CallRequest)


def in_transaction(work: Callable[[], Result]) -> Result:
    """Run ``work`` in a transaction. It may run several times."""
    return transactions.atomic_with_retry(work, database())


def in_statement(write: Callable[[], Result]) -> Result:
    """Run ``write``, which is a single statement."""
    return transactions.retry(write, database())
