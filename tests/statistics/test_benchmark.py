"""The floor of ``benchmarks.daily_sync`` writes what an import writes.

Nobody runs the benchmark when the columns of a call change.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from benchmarks import daily_sync
from django_voicepassword import statistics
from django_voicepassword.models import CallRequest

#: What the rows of the floor do not imitate.
DIFFERENT = {"id", "phone", "phone_ending", "channel", "state", "service", "duration", "price"}


@pytest.mark.django_db(transaction=True)
def test_the_floor_fills_the_columns_that_an_import_fills(
    tmp_path: Path, configure: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(daily_sync.Provider, "path", tmp_path / "day.json")
    daily_sync.write_answer(daily_sync.Provider.path, 20)
    configure(TRANSPORT="benchmarks.daily_sync.Provider")
    statistics.sync_day(daily_sync.DAY)
    imported = _filled()
    CallRequest.objects.all().delete()
    daily_sync.write_floor(20)
    assert _filled() == imported
    daily_sync.empty()
    assert not CallRequest.objects.exists()


def _filled() -> dict[str, list[bool]]:
    """Map each column to whether all twenty calls have a value there."""
    assert CallRequest.objects.count() == 20
    names = [field.attname for field in CallRequest._meta.concrete_fields]
    rows = CallRequest.objects.values(*[name for name in names if name not in DIFFERENT])
    return {name: [row[name] not in ("", None) for row in rows] for name in rows[0]}
