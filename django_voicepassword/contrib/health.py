"""Checks for django-health-check 4: the key, the balance, Celery's broker, the daily sync.

    HealthCheckView.as_view(checks=["django_voicepassword.contrib.health.VoicePasswordKey", …])

A health page is polled every few seconds, so the checks go by what beat's tasks have stored. Only
where that is too old is the provider asked, and its answer is kept in the cache for a minute. Their
messages repeat nothing that a stranger wrote: no text of the provider but its three known words for
a refused account, no address, no key, no number.
"""

from __future__ import annotations

import abc
import asyncio
import dataclasses
import os
import threading
from datetime import timedelta
from decimal import Decimal
from typing import Any

from asgiref.sync import sync_to_async
from celery import current_app
from django import db
from django.core.cache import cache
from django.core.exceptions import ImproperlyConfigured
from django.utils import timezone
from django.utils.crypto import salted_hmac
from django.utils.timesince import timesince
from django.utils.translation import gettext as _

from django_voicepassword import limits, statistics
from django_voicepassword.calls import broker
from django_voicepassword.conf import settings
from django_voicepassword.exceptions import AccountRefused, ProviderError, Unreachable
from django_voicepassword.limits import alarms
from django_voicepassword.models import BalanceReading, DailyStatistics
from django_voicepassword.provider import factory

try:
    from health_check.base import HealthCheck
    from health_check.exceptions import (
        ServiceReturnedUnexpectedResult,
        ServiceUnavailable,
        ServiceWarning,
    )
except ImportError as error:
    raise ImportError(
        "django-health-check 4 is missing: pip install 'django-voicepassword[health]'"
    ) from error

#: Seconds for which an answer of the provider holds, also a refusal or none.
ASK_EVERY = 60

#: Both checks of a page, and the pages of other threads, wait for one answer.
_asking = threading.Lock()


@dataclasses.dataclass
class _Check(HealthCheck):
    """What cannot be judged for a reason of our own side says so, instead of the library's "unknown
    error".
    """

    async def run(self) -> None:
        try:
            if self.matters():
                await self.judge()
        except ImproperlyConfigured:
            # Its own text may quote what the project wrote, and anybody may see the page.
            raise ServiceUnavailable(
                _("VOICEPASSWORD in the settings is wrong: “manage.py check” says what.")
            ) from None
        except db.Error as error:
            message = _(
                "The tables of django_voicepassword cannot be read: is the database up, and is it migrated?"
            )
            raise ServiceUnavailable(message) from error

    def matters(self) -> bool:
        """Is there anything to be checked?"""
        return not factory.is_pretended()

    @abc.abstractmethod
    async def judge(self) -> None:
        """Return, or raise one of the library's exceptions."""


@dataclasses.dataclass
class _Account(_Check):
    """Goes by the newest reading of the balance, or where that is older than ``max_age`` by the
    provider's own word.
    """

    max_age: timedelta = dataclasses.field(default=timedelta(hours=2), repr=False)
    # Not a field, as in the library, whose own 5 seconds would call a slow provider unavailable:
    # the client's TIMEOUT ends it sooner.
    timeout = timedelta(hours=1)
    #: The alarm after which a reading, young as it may be, is not believed.
    alarm = ""

    async def judge(self) -> None:
        reading = await BalanceReading.objects.order_by("-read_at").afirst()
        is_fresh = reading is not None and timezone.now() - reading.read_at <= self.max_age
        # A call that was refused since then knows better.
        if (
            reading is not None
            and is_fresh
            and not await sync_to_async(limits.is_raised)(self.alarm)
        ):
            self.weigh({"balance": str(reading.balance)}, reading)
        else:
            # In a thread of its own: what else is on the page needs the request's for its queries.
            self.weigh(await asyncio.to_thread(_ask), reading)

    @abc.abstractmethod
    def weigh(self, told: dict[str, str], last: BalanceReading | None) -> None:
        """``told`` has "balance", or the "error" of a ProviderError and the "error_code" of a
        refused account.
        """


@dataclasses.dataclass
class VoicePasswordKey(_Account):
    """The provider accepts API_KEY: it told a balance within ``max_age``, or tells one now."""

    alarm = alarms.ACCOUNT_REFUSED

    def weigh(self, told: dict[str, str], last: BalanceReading | None) -> None:
        error = told.get("error")
        if error == AccountRefused.code:
            message = _(
                "VoicePassword refuses the account (%(code)s): compare API_KEY with the key in your personal account "
                "there, and see whether the account is blocked or empty."
            )
            raise ServiceUnavailable(message % {"code": told["error_code"]})
        if error == Unreachable.code:
            message = _(
                "VoicePassword does not answer: is its address open to this server, or is it down itself?"
            )
            raise ServiceWarning(f"{message} {_age(last)}")
        if error is not None:
            message = _("VoicePassword answers what cannot be understood: is API_URL right?")
            raise ServiceReturnedUnexpectedResult(f"{message} {_age(last)}")


@dataclasses.dataclass
class VoicePasswordBalance(_Account):
    """The balance is above LOW_BALANCE, or above 0 without it."""

    alarm = alarms.BALANCE_LOW

    def weigh(self, told: dict[str, str], last: BalanceReading | None) -> None:
        if "balance" not in told:
            message = _(
                "The balance is not known: VoicePassword does not tell it. See VoicePasswordKey."
            )
            raise ServiceWarning(f"{message} {_age(last)}")
        balance, threshold = Decimal(told["balance"]), settings.LOW_BALANCE or Decimal(0)
        if balance <= threshold:
            message = _(
                "The balance is low: %(balance)s, the limit is %(threshold)s. Pay into the account."
            )
            raise ServiceWarning(message % {"balance": f"{balance:.2f}", "threshold": threshold})


@dataclasses.dataclass
class VoicePasswordBroker(_Check):
    """Celery's broker answers; a connection is made for it, within the time that a call would be
    given.
    """

    def matters(self) -> bool:
        return settings.dispatch == "celery" or super().matters()

    async def judge(self) -> None:
        # Celery's app belongs to a thread: the request's is the one that would hand over a call.
        connection = await sync_to_async(_connection)()
        if connection is None:
            return
        try:
            await asyncio.to_thread(_connect, connection)
        except Exception as error:
            # Each broker has errors of its own.
            message = _(
                "Celery's broker does not answer, no call can be placed: start it, or correct CELERY_BROKER_URL."
            )
            raise ServiceUnavailable(message) from error


@dataclasses.dataclass
class VoicePasswordSync(_Check):
    """The provider's running day was agreed with ours within ``max_age``."""

    max_age: timedelta = dataclasses.field(default=timedelta(hours=3), repr=False)

    async def judge(self) -> None:
        # An old day that was synced again by hand says nothing of beat.
        newest = await DailyStatistics.objects.order_by("-date").afirst()
        since = timezone.now() - self.max_age
        if (
            newest is not None
            and newest.synced_at >= since
            and newest.date >= statistics.provider_today(since)
        ):
            return
        if newest is None:
            found = _("No day was synced yet.")
        else:
            found = _("The newest day that was synced is %(date)s, %(age)s ago.") % {
                "date": newest.date.isoformat(),
                "age": timesince(newest.synced_at),
            }
        advice = _(
            "Are beat and a worker running? “manage.py voicepassword_sync” says what goes wrong."
        )
        raise ServiceWarning(f"{found} {advice}")


def _ask() -> dict[str, str]:
    """What the provider tells, for ``_Account.weigh``; the cache's word while it holds."""
    # A corrected key is asked about at once, and sites that share a cache do not share an answer.
    account = salted_hmac(
        "django_voicepassword.health", f"{settings.API_KEY}\n{settings.API_URL}", algorithm="sha256"
    )
    key = f"django_voicepassword.health.{account.hexdigest()}"
    try:
        with _asking:
            told: dict[str, str] | None = cache.get(key)
            if told is None:
                told = _tell()
                cache.set(key, told, ASK_EVERY)
            return told
    finally:
        # The cache may be a table, and no request's end closes what this thread has opened.
        db.close_old_connections()


def _tell() -> dict[str, str]:
    try:
        return {"balance": str(factory.client().balance().amount)}
    except AccountRefused as error:
        return {"error": error.code, "error_code": error.error_code}
    except ProviderError as error:
        return {"error": error.code}


def _age(last: BalanceReading | None) -> str:
    if last is None:
        return _("The balance was never read: are beat and a worker running?")
    return _("The balance was last read %(age)s ago: are beat and a worker running?") % {
        "age": timesince(last.read_at)
    }


def _connection() -> Any:
    """A kombu Connection with the time limits of a call, not yet made; None where tasks need no
    broker.
    """
    app = current_app._get_current_object()
    limited: Any = broker.connection_of(app, os.getpid())
    return None if app.conf.task_always_eager else limited.clone()


def _connect(connection: Any) -> None:
    with connection:
        connection.ensure_connection(
            max_retries=1, interval_start=0, interval_step=0, interval_max=0
        )
