"""The SELECTs written by hand return what the ORM would."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.utils import timezone

from django_voicepassword.limits import selects
from django_voicepassword.limits.counters import exact
from django_voicepassword.limits.uses import row_range
from django_voicepassword.models import FraudTrip, LimitCounter

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("use_tz", [True, False])
def test_the_rows_are_those_of_the_orm(settings: Any, use_tz: bool) -> None:
    settings.USE_TZ = use_tz
    now = timezone.now()
    for number in range(3):
        moment = now - timedelta(minutes=number)
        LimitCounter.objects.create(key=f"one:{number}", events='{"100 %": []}', updated_at=moment)
        FraudTrip.objects.create(
            kind="prefix",
            subject=f"799{number}",
            cause="sends",
            mode="audit",
            active_key=f"prefix:sends:799{number}",
            failures=60,
            threshold=50 + number,
            tripped_at=moment,
        )
    keys, active_keys = ["one:0", "one:2", "none"], ["prefix:sends:7990", "prefix:sends:7992"]
    rows = LimitCounter.objects.filter(key__in=keys)
    trips = FraudTrip.objects.filter(active_key__in=active_keys)

    assert selects.counters(keys) == {row.key: (row.events, row.updated_at) for row in rows}
    found = selects.trips_and_counters(active_keys, ["one:1"])
    counter = LimitCounter.objects.get(key="one:1")
    assert sorted(found) == sorted(
        [
            *trips.values_list("active_key", "mode", "threshold", "id", "tripped_at"),
            ("one:1", counter.events, 0, 0, counter.updated_at),
        ]
    )


def test_the_sums_are_those_of_their_own_keys() -> None:
    of_pots = [("pot:1#0", "0.35"), ("pot:1#63", "3.30"), ("pot_2:1#7", "0.10")]
    others = [(key, "99") for key in ("pot:1", "pot:1$", "pot:10#0", "pot:0#0", "pot:1-#0", "po")]
    for key, amount in of_pots + others:
        LimitCounter.objects.create(key=key, amount=Decimal(amount), updated_at=timezone.now())
    found = selects.sums([row_range("pot:1"), row_range("none:1"), row_range("pot_2:1")])
    assert [None if one is None else exact(one) for one in found] == [
        Decimal("3.65"),
        None,
        Decimal("0.10"),
    ]
