"""A time limit for what has none of its own, such as the resolution of a name."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from typing import TypeVar

Result = TypeVar("Result")
#: Seconds for one question to a server.
PATIENCE = 10.0


def within(seconds: float, ask: Callable[[], Result]) -> Result:
    """Return what ``ask`` returns, or raise what it raises; TimeoutError after ``seconds``.

    It runs in a thread of its own, with database connections of its own, and goes on alone where it
    takes too long.
    """
    outcome: queue.SimpleQueue[tuple[Result | None, Exception | None]] = queue.SimpleQueue()

    def run() -> None:
        try:
            outcome.put((ask(), None))
        except Exception as error:
            outcome.put((None, error))

    threading.Thread(target=run, daemon=True).start()
    try:
        result, error = outcome.get(timeout=seconds)
    except queue.Empty:
        raise TimeoutError from None
    if error is not None:
        raise error
    return result  # type: ignore[return-value]
