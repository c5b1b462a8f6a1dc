"""Run functions at the same moment, each in a thread with its own database connections."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

from django.db import connections


def run_at_once(functions: Sequence[Callable[[], object]]) -> list[object]:
    """Return what each function returned or raised, in their order."""
    barrier = threading.Barrier(len(functions))
    outcomes: list[object] = [None] * len(functions)

    def run(position: int, function: Callable[[], object]) -> None:
        try:
            barrier.wait(20)
            outcomes[position] = function()
        except Exception as error:
            outcomes[position] = error
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run, args=item) for item in enumerate(functions)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive()
    return outcomes
