"""Waiting for what a process does."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

Value = TypeVar("Value")


def until(found: Callable[[], Value], timeout: float = 40, what: str = "it") -> Value:
    """The first true value of ``found``; an AssertionError where none comes in time."""
    ends = time.monotonic() + timeout
    while not (value := found()):
        assert time.monotonic() < ends, f"{what} did not happen in {timeout:.0f} s"
        time.sleep(0.05)
    return value
