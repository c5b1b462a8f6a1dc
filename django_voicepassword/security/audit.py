"""Records who saw whole phone numbers, searched for one or unblocked one, and what the guard did,
in the log ``django_voicepassword.audit``.

Each of these is one line, which never contains a whole number.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from django.contrib.auth.base_user import AbstractBaseUser
    from django.contrib.auth.models import AnonymousUser

#: The name is public: projects route this log to a file of its own.
logger = logging.getLogger("django_voicepassword.audit")


def whole_numbers_seen(
    user: AbstractBaseUser | AnonymousUser | None, where: str, rows: int
) -> None:
    """Record that ``user`` saw ``rows`` whole numbers at ``where``.

    ``where`` is for example ``call list``, ``call 12`` or ``export``. ``user`` is None for a
    management command.
    """
    logger.info("user %s saw %s whole numbers: %s", getattr(user, "pk", None), rows, where)


def whole_number_searched(
    user: AbstractBaseUser | AnonymousUser | None, where: str, refused: bool = False
) -> None:
    """Record that ``user`` searched for a whole number at ``where``.

    ``refused`` says that the user has made too many such searches and got no answer. ``where`` and
    ``user`` are as in ``whole_numbers_seen``.
    """
    outcome = ", refused: too many searches" if refused else ""
    logger.info(
        "user %s searched for a whole number: %s%s", getattr(user, "pk", None), where, outcome
    )


def number_unblocked(
    user: AbstractBaseUser | AnonymousUser | None, masked_phone: str, with_guesses: bool
) -> None:
    """Record that ``user`` unblocked a number: its sends, and its guesses if ``with_guesses``."""
    what = "sends and guesses" if with_guesses else "sends"
    logger.info("user %s unblocked the %s of %s", getattr(user, "pk", None), what, masked_phone)


def number_released(
    user: AbstractBaseUser | AnonymousUser | None, masked_phone: str, reason: str
) -> None:
    """Record that ``user`` released a number, and why. The reason contains no whole number."""
    logger.info("user %s released %s: %s", getattr(user, "pk", None), masked_phone, reason)


def person_exported(user: AbstractBaseUser | AnonymousUser | None, person: str) -> None:
    """Record that ``user`` exported all data of ``person``, named without a whole number."""
    logger.info("user %s exported all data of %s", getattr(user, "pk", None), person)


def person_erased(user: AbstractBaseUser | AnonymousUser | None, person: str, rows: int) -> None:
    """Record that ``user`` erased all data of ``person``: so many ``rows``."""
    logger.info("user %s erased all data of %s: %s rows", getattr(user, "pk", None), person, rows)


def guard_tripped(
    what: str,
    mode: str,
    failures: int,
    threshold: int,
    conversion: float | None,
    usual: float | None,
) -> None:
    """Record that the guard suspects an attack, with the figures that tripped it.

    ``what`` is what it suspects, for example ``prefix 7999, sends``.
    """
    logger.warning(
        "the guard tripped (%s): %s: %s failures in an hour (threshold %s), conversion %s "
        "(usual %s)",
        mode,
        what,
        failures,
        threshold,
        _percent(conversion),
        _percent(usual),
    )


def trip_ended(what: str, reason: str) -> None:
    """Record that a trip of the guard has ended by itself."""
    logger.info("the guard's trip ended (%s): %s", reason, what)


def trip_lifted(user: AbstractBaseUser | AnonymousUser | None, what: str) -> None:
    """Record that ``user`` ended a trip of the guard."""
    logger.info("user %s lifted the guard's trip: %s", getattr(user, "pk", None), what)


def _percent(share: float | None) -> str:
    return "unknown" if share is None else f"{share:.1%}"


def address_unblocked(user: AbstractBaseUser | AnonymousUser | None, address: str) -> None:
    """Record that ``user`` unblocked a client's address."""
    logger.info("user %s unblocked the sends of address %s", getattr(user, "pk", None), address)
