"""The account of the demo at the sandbox, which forgets it when its process ends.

The sandbox is told what the history says, so that the daily statistics and the balance agree with
it: after another start of the demo, and beside made-up calls.
"""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from ipaddress import ip_address
from urllib.parse import urljoin, urlsplit
from zoneinfo import ZoneInfo

import requests
from demo_data.reports import MARK, PRICES, SERVICES, WORDS, provider_time
from django.db.models import Q, Sum
from django.utils import timezone

from django_voicepassword import statistics
from django_voicepassword.conf import settings
from django_voicepassword.models import BalanceReading, CallRequest
from django_voicepassword.models.provider_days import day_bounds

#: The statistics of so many days are restored, and then read: yesterday's and today's.
DAYS = 2
#: A demo starts with enough money to try everything.
LEAST, PAID_UP = Decimal(100), Decimal("1000.00")
#: Made-up calls that the statistics of the provider do not have yet.
FRESH = timedelta(hours=1)
#: How a call ends for which no report was heard.
ENDS = {"flashcall": "no_answer", "voice": "answered", "sms": "delivered"}


def is_imitated() -> bool:
    """Return whether the provider is on this machine: the sandbox."""
    host = urlsplit(settings.API_URL).hostname or ""
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def restore() -> bool:
    """Tell the sandbox the balance and the calls; return whether it listens."""
    if not is_imitated():
        return False
    body = {"balance": str(_balance()), "rows": [_row(call) for call in _calls()]}
    try:
        answer = requests.post(urljoin(settings.API_URL, "/control/restore"), json=body, timeout=30)
    except requests.ConnectionError:
        return False
    answer.raise_for_status()
    return True


def read() -> None:
    """Read the balance and the statistics, as beat does it every hour. Raises ProviderError."""
    for ago in reversed(range(DAYS)):
        day = statistics.provider_today() - timedelta(days=ago)
        statistics.sync_day(day)
        statistics.refresh_figures(day)
    statistics.read_balance()


def _balance() -> Decimal:
    reading = BalanceReading.objects.order_by("-read_at").first()
    if reading is None:
        return PAID_UP
    calls = CallRequest.objects.filter(created_at__gte=reading.read_at)
    left = reading.balance - calls.aggregate(spent=Sum("price", default=Decimal(0)))["spent"]
    return left if left >= LEAST else PAID_UP


def _calls() -> list[CallRequest]:
    now = timezone.now()
    begins, _ = day_bounds(statistics.provider_today(now) - timedelta(days=DAYS - 1))
    is_listed = (
        Q(listed_at__isnull=False)
        | Q(created_at__gte=now - FRESH)
        # The sandbox lists whatever it has called. Of the made-up calls some are missing.
        | ~Q(provider_id__startswith=MARK)
    )
    calls = CallRequest.objects.filter(is_listed, created_at__gte=begins)
    return list(calls.exclude(provider_id="").order_by("created_at"))


def _row(call: CallRequest) -> dict[str, str]:
    state = call.state if call.state in CallRequest.FINAL_STATES else ENDS[call.channel]
    date = provider_time(call.occurred_at or call.created_at, ZoneInfo(settings.PROVIDER_TIME_ZONE))
    seconds = call.duration or 0
    return {
        "id": call.provider_id,
        "number": call.phone,
        "date": f"{date:%d.%m.%Y %H:%M:%S}",
        "duration": f"{seconds // 60:02}:{seconds % 60:02}",
        "price": f"{call.price if call.price is not None else PRICES[call.channel]:.2f}",
        "service": SERVICES[call.channel],
        "state": WORDS[state][1],
    }
