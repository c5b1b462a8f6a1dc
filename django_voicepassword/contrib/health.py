"""Checks for django-health-check 4: the API key, the balance, Celery's broker, workers and beat,
the daily sync.

    HealthCheckView.as_view(checks=["django_voicepassword.contrib.health.VoicePasswordKey", …])

A health page is polled every few seconds, so the checks read what the periodic tasks have stored.
Only if that is too old do they ask the provider, and they cache its answer for a minute.

Anybody may see the page, so the messages contain no key, URL or phone number, and of the provider's
texts only the three known error codes for a refused account.
"""

from __future__ import annotations

import abc
import asyncio
import dataclasses
import threading
from datetime import timedelta
from decimal import Decimal
from typing import TypedDict

from asgiref.sync import sync_to_async
from celery import current_app
from django import db
from django.core.cache import cache
from django.core.exceptions import ImproperlyConfigured
from django.utils import timezone
from django.utils.crypto import salted_hmac
from django.utils.timesince import timesince
from django.utils.translation import gettext as _

from django_voicepassword import limits, statistics, upkeep
from django_voicepassword.calls import broker
from django_voicepassword.conf import settings
from django_voicepassword.exceptions import AccountRefused, ProviderError, Unreachable
from django_voicepassword.limits import alarms
from django_voicepassword.models import BalanceReading, DailyStatistics
from django_voicepassword.provider import factory
from django_voicepassword.statistics.balance import predict
from django_voicepassword.upkeep import Need
from django_voicepassword.verifications import operator_texts

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

#: Seconds for which the provider's answer is cached, including an error and no answer at all.
ASK_EVERY = 60

#: Held while the provider is asked: the other checks, in any thread, wait for the cached answer.
_request_lock = threading.Lock()


class ProviderAnswer(TypedDict, total=False):
    """The provider's answer to a request for the balance: either ``balance`` or ``error``."""

    #: A decimal number as text.
    balance: str
    #: ``code`` of a ProviderError.
    error: str
    #: The provider's own error code, if the error is AccountRefused.
    error_code: str


@dataclasses.dataclass
class _Check(HealthCheck):
    """Base class: reports wrong settings and a broken database instead of "unknown error"."""

    async def run(self) -> None:
        try:
            if self.is_applicable():
                await self.evaluate()
        except ImproperlyConfigured:
            # Not the text of the exception: it may quote the settings.
            raise ServiceUnavailable(
                _("VOICEPASSWORD in the settings is wrong: “manage.py check” says what.")
            ) from None
        except db.Error as error:
            raise ServiceUnavailable(operator_texts.database_text()) from error

    def is_applicable(self) -> bool:
        """Is there anything to check?"""
        return not factory.is_pretended()

    @abc.abstractmethod
    async def evaluate(self) -> None:
        """Return if all is well, else raise one of the library's exceptions."""


@dataclasses.dataclass
class _Account(_Check):
    """Base class: evaluates the newest balance reading.

    If that is older than ``max_age``, or while ``alarm`` is raised, it asks the provider instead.
    """

    max_age: timedelta = dataclasses.field(default=timedelta(hours=2), repr=False)
    # A class attribute, as in the library. Its 5 seconds would report a slow provider as
    # unavailable; here the client's TIMEOUT ends the request, long before this does.
    timeout = timedelta(hours=1)
    #: While this alarm is raised, even a fresh reading is not trusted.
    alarm = ""

    async def evaluate(self) -> None:
        reading = await BalanceReading.objects.order_by("-read_at").afirst()
        if (
            reading is not None
            and timezone.now() - reading.read_at <= self.max_age
            and not await sync_to_async(limits.is_raised)(self.alarm)
        ):
            answer: ProviderAnswer = {"balance": str(reading.balance)}
        else:
            # In another thread: the page's other checks need the request's thread for queries.
            answer = await asyncio.to_thread(_ask_provider)
        await sync_to_async(self.evaluate_answer)(answer, reading)

    @abc.abstractmethod
    def evaluate_answer(self, answer: ProviderAnswer, last_reading: BalanceReading | None) -> None:
        """Return if all is well, else raise one of the library's exceptions."""


@dataclasses.dataclass
class VoicePasswordKey(_Account):
    """The provider accepts API_KEY: it sent a balance within ``max_age``, or sends one now."""

    alarm = alarms.ACCOUNT_REFUSED

    def evaluate_answer(self, answer: ProviderAnswer, last_reading: BalanceReading | None) -> None:
        error = answer.get("error")
        if error == AccountRefused.code:
            text = operator_texts.account_refused_text(answer["error_code"])
            raise ServiceUnavailable(text)
        if error == Unreachable.code:
            message = operator_texts.unreachable_text()
            raise ServiceWarning(f"{message} {_age_sentence(last_reading)}")
        if error is not None:
            message = operator_texts.unreadable_text()
            raise ServiceReturnedUnexpectedResult(f"{message} {_age_sentence(last_reading)}")


@dataclasses.dataclass
class VoicePasswordBalance(_Account):
    """The balance is above LOW_BALANCE (above 0 without it), and lasts for two days."""

    alarm = alarms.BALANCE_LOW

    def evaluate_answer(self, answer: ProviderAnswer, last_reading: BalanceReading | None) -> None:
        if "balance" not in answer:
            message = _(
                "The balance is not known: VoicePassword does not report it. See VoicePasswordKey."
            )
            raise ServiceWarning(f"{message} {_age_sentence(last_reading)}")
        currency = last_reading.currency if last_reading else ""
        need = upkeep.money_need(predict(Decimal(answer["balance"]), currency))
        if need is not None:
            raise ServiceWarning(_in_words(need))


@dataclasses.dataclass
class VoicePasswordBroker(_Check):
    """Celery's broker accepts a connection, with the same time limits as for publishing a call."""

    def is_applicable(self) -> bool:
        return settings.dispatch == "celery" or super().is_applicable()

    async def evaluate(self) -> None:
        # In the request's thread, like publishing a call: Celery's current app is thread-local.
        app = await sync_to_async(current_app._get_current_object)()
        if app.conf.task_always_eager:
            return
        try:
            await asyncio.to_thread(broker.connect, app)
        except Exception as error:
            # Each broker's library raises its own exceptions.
            message = _(
                "Celery's broker does not answer, no call can be placed: "
                "start it, or correct CELERY_BROKER_URL."
            )
            raise ServiceUnavailable(message) from error


@dataclasses.dataclass
class VoicePasswordQueue(_Check):
    """No call has waited for a worker longer than ``upkeep.queue.WAITS_TOO_LONG``."""

    async def evaluate(self) -> None:
        need = upkeep.queue_need(await sync_to_async(upkeep.waiting)())
        if need is not None:
            raise ServiceUnavailable(_in_words(need))


@dataclasses.dataclass
class VoicePasswordBeat(_Check):
    """Beat's most frequent task has run within ``upkeep.beat.SILENT_AFTER``."""

    async def evaluate(self) -> None:
        need = upkeep.beat_need(await sync_to_async(upkeep.last_beat)())
        if need is not None:
            raise ServiceWarning(_in_words(need))


@dataclasses.dataclass
class VoicePasswordSync(_Check):
    """The provider's current day was synced within ``max_age``."""

    max_age: timedelta = dataclasses.field(default=timedelta(hours=3), repr=False)

    async def evaluate(self) -> None:
        # The newest day, not the newest sync: somebody may have synced an old day by hand.
        newest = await DailyStatistics.objects.order_by("-date").afirst()
        since = timezone.now() - self.max_age
        if (
            newest is not None
            and newest.synced_at >= since
            and newest.date >= statistics.provider_today(since)
        ):
            return
        if newest is None:
            finding = _("No day was synced yet.")
        else:
            finding = _("The newest day that was synced is %(date)s, %(age)s ago.") % {
                "date": newest.date.isoformat(),
                "age": timesince(newest.synced_at),
            }
        advice = _(
            "Are beat and a worker running? “manage.py voicepassword_sync” says what goes wrong."
        )
        raise ServiceWarning(f"{finding} {advice}")


def _ask_provider() -> ProviderAnswer:
    """Ask for the balance, or return the cached answer."""
    # The cache key depends on the account: a corrected API key is tried at once, and sites that
    # share a cache do not share an answer.
    account = salted_hmac(
        "django_voicepassword.health", f"{settings.API_KEY}\n{settings.API_URL}", algorithm="sha256"
    )
    key = f"django_voicepassword.health.{account.hexdigest()}"
    try:
        with _request_lock:
            answer: ProviderAnswer | None = cache.get(key)
            if answer is None:
                answer = _request_balance()
                cache.set(key, answer, ASK_EVERY)
            return answer
    finally:
        # The cache may be a database table. No request ends in this thread, so Django would never
        # close the connection.
        db.close_old_connections()


def _request_balance() -> ProviderAnswer:
    try:
        return {"balance": str(factory.client().balance().amount)}
    except AccountRefused as error:
        return {"error": error.code, "error_code": error.error_code}
    except ProviderError as error:
        return {"error": error.code}


def _in_words(need: Need) -> str:
    return f"{need.text} {need.advice}"


def _age_sentence(last_reading: BalanceReading | None) -> str:
    if last_reading is None:
        return _("The balance was never read: are beat and a worker running?")
    return _("The balance was last read %(age)s ago: are beat and a worker running?") % {
        "age": timesince(last_reading.read_at)
    }
