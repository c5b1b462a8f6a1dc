"""The sandbox of the demo forgets its account, and is told what the history says."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from demo_site import account
from django.test import override_settings

from django_voicepassword import calls, statistics, verifications
from django_voicepassword.models import BalanceReading, CallRequest, DailyStatistics
from tests.sandbox_process import SandboxProcess

pytestmark = [pytest.mark.django_db, pytest.mark.processes]


def test_the_statistics_and_the_balance_survive_a_restart() -> None:
    with SandboxProcess() as sandbox, override_settings(VOICEPASSWORD=sandbox.settings):
        statistics.read_balance()
        for phone in ("79990000101", "79990000103"):
            verifications.start(phone)
        for call in CallRequest.objects.all():
            calls.place(call.pk)
    with SandboxProcess() as sandbox, override_settings(VOICEPASSWORD=sandbox.settings):
        assert account.restore()
        account.read()
        figures = DailyStatistics.objects.get(date=statistics.provider_today())
        assert (figures.rows, figures.matched, figures.missing) == (2, 2, 0)
        assert BalanceReading.objects.latest("read_at").balance == Decimal("999.30")


@pytest.mark.parametrize("host", ["https://example.org", "http://10.0.0.1:8001"])
def test_a_real_account_is_told_nothing(settings: Any, host: str) -> None:
    settings.VOICEPASSWORD = {"API_URL": f"{host}/api/voice-password/", "API_KEY": "key"}
    assert not account.restore()
