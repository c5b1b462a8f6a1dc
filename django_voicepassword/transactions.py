"""Transactions: what was counted stays counted, what was written is not lost, and what a database
gave up is begun anew.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from functools import wraps
from typing import Any, ParamSpec, TypeVar

from django.db import InterfaceError, OperationalError, connections, transaction

from django_voicepassword.exceptions import Unavailable
from django_voicepassword.security.tracebacks import clear_frames

logger = logging.getLogger(__name__)

Given = ParamSpec("Given")
Result = TypeVar("Result")
View = TypeVar("View", bound=Callable[..., Any])

#: How often a whole transaction is begun anew when the database chose it as the victim of a
#: deadlock.
TRANSACTION_TRIES = 5
#: Times that a result is written again when the database just went away: what rang must not be
#: forgotten.
WRITE_TRIES = 5
#: A database that is away, full, or locked for long.
DATABASE_ERRORS = (OperationalError, InterfaceError)


def non_atomic_requests(view: View) -> View:
    """Never wrap ``view`` in the transaction of ATOMIC_REQUESTS, whichever database our rows live
    in.

    Django's own decorator without ``using`` frees the default database only, and a router may lead
    elsewhere.
    """
    for alias in connections:
        view = transaction.non_atomic_requests(using=alias)(view)
    return view


def unavailable(error: Exception) -> Unavailable:
    """What the person is told of a database that cannot be used: they may try again in a minute."""
    # Its frames hold a number or a code.
    clear_frames(error)
    logger.error("the database cannot be used", exc_info=error)
    return Unavailable("the database cannot be used")


def translate_database_errors(
    using: Callable[[], str],
) -> Callable[[Callable[Given, Result]], Callable[Given, Result]]:
    """A verb that raises Unavailable where its database cannot be used. ``using`` gives the alias.

    Inside a transaction of the host project it stays the database's own error, for only the host
    can begin anew.
    """

    def decorate(verb: Callable[Given, Result]) -> Callable[Given, Result]:
        @wraps(verb)
        def tell(*args: Given.args, **kwargs: Given.kwargs) -> Result:
            try:
                return verb(*args, **kwargs)
            except DATABASE_ERRORS as error:
                if connections[using()].in_atomic_block:
                    raise
                # This frame is at work: what it was given goes by hand.
                del args, kwargs
                raise unavailable(error) from error

        return tell

    return decorate


def atomic_with_retry(work: Callable[[], Result], using: str) -> Result:
    """Run ``work`` in one transaction, anew when the database gave it up for another one (deadlock,
    lock wait).
    """
    connection = connections[using]
    for attempt in range(1, TRANSACTION_TRIES + 1):
        try:
            with transaction.atomic(using=using):
                return work()
        except DATABASE_ERRORS:
            # Inside a transaction of the host project only the host can begin anew.
            if attempt == TRANSACTION_TRIES or connection.in_atomic_block:
                raise
            logger.info("the database gave up a transaction, trying again")
            # It may have been restarted: what is left of the old connection is of no use.
            connection.close_if_unusable_or_obsolete()
            time.sleep(0.02 * attempt)
    raise AssertionError("unreachable")


def retry_write(write: Callable[[], Result], using: str) -> Result:
    """Run ``write``, one transaction, again when the database just went away: what the provider did
    is not forgotten.
    """
    connection = connections[using]
    for attempt in range(1, WRITE_TRIES + 1):
        try:
            return write()
        except DATABASE_ERRORS as error:
            if attempt == WRITE_TRIES or connection.in_atomic_block:
                raise
            # Its frames hold what was to be written: the number too.
            clear_frames(error)
            logger.exception("the database went away, writing again")
            connection.close()
            time.sleep(attempt / 2)
    raise AssertionError("unreachable")
