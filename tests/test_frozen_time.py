"""A frozen moment reaches every module, also one that got a clock since the last one."""

from __future__ import annotations

import sys
import time
from datetime import datetime, timezone
from types import ModuleType

import pytest
from freezegun import freeze_time

MOMENT = datetime(2026, 3, 10, 12, 0, tzinfo=timezone.utc)


def test_a_module_that_got_a_clock_since_the_last_frozen_moment_is_frozen(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    module = ModuleType("tests.module_with_a_clock")
    monkeypatch.setitem(sys.modules, module.__name__, module)
    with freeze_time(MOMENT):
        pass
    vars(module)["read_clock"] = time.time
    with freeze_time(MOMENT):
        assert vars(module)["read_clock"]() == MOMENT.timestamp()
    assert vars(module)["read_clock"]() > MOMENT.timestamp()


def test_a_module_that_replaces_another_is_frozen(monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = ModuleType("tests.replaced"), ModuleType("tests.replaced")
    vars(first)["other"] = len
    vars(second)["read_clock"] = time.time
    for module in (first, second):
        monkeypatch.setitem(sys.modules, "tests.replaced", module)
        with freeze_time(MOMENT):
            pass
    with freeze_time(MOMENT):
        assert vars(second)["read_clock"]() == MOMENT.timestamp()
