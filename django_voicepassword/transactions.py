"""Rollbacks that must not happen: what was counted stays counted."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from django.db import connections, transaction

View = TypeVar("View", bound=Callable[..., Any])


def non_atomic_requests(view: View) -> View:
    """Never wrap ``view`` in the transaction of ATOMIC_REQUESTS, whichever database our rows live in.

    Django's own decorator without ``using`` frees the default database only, and a router may lead elsewhere.
    """
    for alias in connections:
        view = transaction.non_atomic_requests(using=alias)(view)
    return view
