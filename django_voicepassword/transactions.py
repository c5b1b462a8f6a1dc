"""Transactions: outside of ATOMIC_REQUESTS, and repeated where the database rolled them back.

A database rolls back one of two transactions in a deadlock. At the isolation levels "repeatable
read" and "serializable" it also rolls back a transaction that read what another has changed since.
A project may choose any level, so every transaction of the app is repeated, a limited number of
times.
"""

from __future__ import annotations

import logging
import random
import re
import time
from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

from django.conf import settings as django_settings
from django.core.exceptions import ImproperlyConfigured
from django.db import InterfaceError, OperationalError, connections, transaction

from django_voicepassword.exceptions import Unavailable
from django_voicepassword.security.tracebacks import clear_frames

logger = logging.getLogger(__name__)

Params = ParamSpec("Params")
Result = TypeVar("Result")
View = TypeVar("View", bound=Callable[..., object])

#: How often a transaction is tried if it met another one, and if the database fails otherwise.
CONFLICT_TRIES = 12
FAILURE_TRIES = 5
#: Seconds before the second try, about, and the longest pause. Each pause is twice the one before.
FIRST_PAUSE, LONGEST_PAUSE = 0.02, 0.5
#: Seconds after which no new try begins: the database may let each try wait for a lock for long.
TRIED_FOR = 60.0
#: How often the result of a call is written if the connection to the database is lost. A call that
#: rang must not be forgotten.
WRITE_TRIES = 5
#: Raised if the database is down or full, or if a lock is held for too long.
DATABASE_ERRORS = (OperationalError, InterfaceError)
#: Serialization failure and deadlock; and MySQL's: changed row, lock wait timeout and deadlock.
_POSTGRESQL_CONFLICTS = ("40001", "40P01")
_MYSQL_CONFLICTS = (1020, 1205, 1213)
#: How SQLite, PostgreSQL and MariaDB say that a table or a column is missing.
_MISSING = re.compile(
    r"no such (table|column)|has no column named"
    r"|(relation|column) .* does not exist"
    r"|Table .* doesn't exist|Unknown column"
)


def non_atomic_requests(view: View) -> View:
    """Exclude ``view`` from ATOMIC_REQUESTS, for every database.

    Django's own decorator without ``using`` applies to the default database only, but a router may
    keep the app's tables in another one.
    """
    for alias in connections:
        view = transaction.non_atomic_requests(using=alias)(view)
    return view


def report_missing_table(error: Exception) -> None:
    """Raise ImproperlyConfigured under DEBUG if the error says that ``migrate`` was forgotten.

    A developer who reads "try again in a minute" would try in vain. The databases tell it by
    different errors, and SQLite by the one that also says that it is busy.
    """
    text = str(error).partition("\n")[0]
    if django_settings.DEBUG and _MISSING.search(text):
        raise ImproperlyConfigured(
            f'The database is not migrated: run "python manage.py migrate". It says: {text}'
        ) from error


def unavailable(error: Exception) -> Unavailable:
    """Log a database error and make the error for the person, who may try again in a minute.

    Raises what ``report_missing_table`` raises.
    """
    report_missing_table(error)
    # Its frames contain a phone number or a code.
    clear_frames(error)
    logger.error("the database cannot be used", exc_info=error)
    return Unavailable("the database cannot be used")


def translate_database_errors(
    using: Callable[[], str],
) -> Callable[[Callable[Params, Result]], Callable[Params, Result]]:
    """Decorate a function so that it raises Unavailable if its database cannot be used.

    ``using()`` returns the alias of the database. Inside a transaction of the host project the
    database error is raised as it is, because only the host project can repeat that transaction.
    """

    def decorate(verb: Callable[Params, Result]) -> Callable[Params, Result]:
        @wraps(verb)
        def wrapper(*args: Params.args, **kwargs: Params.kwargs) -> Result:
            try:
                return verb(*args, **kwargs)
            except DATABASE_ERRORS as error:
                if connections[using()].in_atomic_block:
                    raise
                # clear_frames() cannot clear a running frame; delete its arguments.
                del args, kwargs
                raise unavailable(error) from error

        return wrapper

    return decorate


def atomic_with_retry(work: Callable[[], Result], using: str) -> Result:
    """Run ``work`` in a transaction, and again if the database rolled it back.

    ``work`` may run several times, so it must change nothing but the database.
    """

    def run() -> Result:
        with transaction.atomic(using=using):
            return work()

    return retry(run, using)


def retry(write: Callable[[], Result], using: str) -> Result:
    """Run ``write``, a single statement or a transaction, and again if it was rolled back."""
    connection = connections[using]
    ends = time.monotonic() + TRIED_FOR
    for attempt in range(1, CONFLICT_TRIES + 1):
        try:
            return write()
        except DATABASE_ERRORS as error:
            tries = CONFLICT_TRIES if _is_conflict(error) else FAILURE_TRIES
            is_last = attempt >= tries or time.monotonic() > ends
            # Only the host project can repeat a transaction of its own.
            if is_last or connection.in_atomic_block:
                raise
            # The database may have been restarted, and then the old connection is unusable.
            connection.close_if_unusable_or_obsolete()
            _pause_after_rollback(attempt)
    raise AssertionError("unreachable")


def _pause_after_rollback(attempt: int) -> None:
    logger.info("the database rolled back a transaction, trying again")
    pause = min(FIRST_PAUSE * 2 ** (attempt - 1), LONGEST_PAUSE)
    # Two transactions that met must not meet again.
    time.sleep(pause * random.uniform(0.5, 1.5))  # noqa: S311  # nosec B311


def _is_conflict(error: Exception) -> bool:
    """Whether the transaction met another one: a repeat may succeed, unlike on a full disk."""
    cause = error.__cause__
    state = getattr(cause, "sqlstate", None) or getattr(cause, "pgcode", None)
    if state is not None:
        return state in _POSTGRESQL_CONFLICTS
    number = error.args[0] if error.args else None
    return number in _MYSQL_CONFLICTS or "locked" in str(error)


def retry_write(write: Callable[[], Result], using: str) -> Result:
    """Run ``write``, a single transaction, and again if the connection to the database is lost.

    Also if it was rolled back, as ``retry`` does. The provider has placed the call already, so its
    result must not be forgotten.
    """
    connection = connections[using]
    ends = time.monotonic() + TRIED_FOR
    for attempt in range(1, CONFLICT_TRIES + 1):
        try:
            return write()
        except DATABASE_ERRORS as error:
            is_conflict = _is_conflict(error)
            has_time = is_conflict and time.monotonic() <= ends
            is_last = attempt >= (CONFLICT_TRIES if has_time else WRITE_TRIES)
            if is_last or connection.in_atomic_block:
                raise
            # Its frames contain the row that was to be written, with its number.
            clear_frames(error)
            if is_conflict:
                _pause_after_rollback(attempt)
            else:
                logger.exception("the database went away, writing again")
                connection.close()
                time.sleep(attempt / 2)
    raise AssertionError("unreachable")
