"""A callable for BEFORE_SEND that holds a request until a test lets it continue."""

from __future__ import annotations

import threading
from typing import Any


class Gate:
    """The first submit of a form waits here until the second one has arrived."""

    entered = threading.Event()
    opened = threading.Event()

    @classmethod
    def close(cls) -> None:
        cls.entered, cls.opened = threading.Event(), threading.Event()


def wait_at_gate(*args: Any) -> None:
    Gate.entered.set()
    assert Gate.opened.wait(10)
