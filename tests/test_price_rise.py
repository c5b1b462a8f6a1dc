"""A price that rises while calls wait: DAILY_BUDGET is passed by the calls being placed, no more.

How many calls wait changes nothing: with 1,000 in place of 70 the test only takes longer.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from decimal import Decimal
from queue import Empty, SimpleQueue
from typing import Any

import pytest

from django_voicepassword import verifications
from django_voicepassword.calls import placing
from django_voicepassword.models import CallRequest, LimitCounter
from django_voicepassword.provider.protocol import SendReply
from tests.concurrency import run_at_once

pytestmark = pytest.mark.any_version

WORKERS = 4
PRICE, RISEN = Decimal("0.35"), Decimal("3.50")


class Provider:
    """A client factory: calls cost PRICE, and RISEN from one request on.

    The first calls at the risen price are answered together, when every worker has one: then as
    many calls as possible were placed in good faith.
    """

    rises_after = 0
    requests = 0
    lock = threading.Lock()
    all_are_asking = threading.Barrier(WORKERS)

    def flash_call(self, number: str, *arguments: Any, **keywords: Any) -> SendReply:
        with self.lock:
            Provider.requests += 1
            position = self.requests - self.rises_after
        if 0 < position <= WORKERS:
            self.all_are_asking.wait(20)
        return SendReply(id=number, number=number, price=PRICE if position <= 0 else RISEN)


def place_all(calls: SimpleQueue[int]) -> None:
    while True:
        try:
            call_id = calls.get_nowait()
        except Empty:
            return
        placing.place(call_id)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("queued", "rises_after"),
    [
        pytest.param(70, 63, id="hardly any money is left when the price rises"),
        pytest.param(40, 0, id="the price rises before the first call is placed"),
    ],
)
def test_a_price_that_rises_passes_the_budget_by_the_calls_being_placed(
    configure: Callable[..., None], queued: int, rises_after: int
) -> None:
    budget = PRICE * queued
    Provider.requests, Provider.rises_after = 0, rises_after
    configure(
        TRANSPORT="tests.test_price_rise.Provider",
        DISPATCH="celery",
        LIMITS={"phone": [], "ip": []},
        DAILY_BUDGET=budget,
        PROVEN_SHARE=0,
        FRAUD_GUARD="off",
    )
    calls: SimpleQueue[int] = SimpleQueue()
    for number in range(queued):
        # A tariff changes for all operators at once; each has prices of its own.
        verifications.start(f"79{number % 7 + 10}{number:07}")
    for call_id in CallRequest.objects.values_list("pk", flat=True):
        calls.put(call_id)
    assert run_at_once([lambda: place_all(calls)] * WORKERS) == [None] * WORKERS
    placed = CallRequest.objects.filter(state="placed")
    spent = sum(price for price in placed.values_list("price", flat=True) if price)
    assert placed.count() == Provider.requests >= rises_after + WORKERS
    assert spent <= budget + WORKERS * (RISEN - PRICE)
    # What the others had reserved is given back, and pays further calls at the new price.
    assert spent > budget / 2
    assert not CallRequest.objects.filter(state__in=["queued", "placing"]).exists()
    # SQLite would add floats.
    counted = LimitCounter.objects.filter(key__startswith="budget:").values_list("amount")
    assert sum(amount for (amount,) in counted) == spent
