"""Run functions at the same moment, each in a thread with its own database connections."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from django.db import connection, connections


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


@contextmanager
def other_writes(
    work: Callable[[], object], before: str, seconds: float | None = None
) -> Iterator[None]:
    """Another connection runs ``work`` just before our first statement that contains ``before``.

    Our statement waits for its end, or for so many ``seconds`` where ``work`` may have to wait
    until our transaction ends.
    """
    outcomes: list[object] = []
    thread = threading.Thread(target=lambda: outcomes.extend(run_at_once([work])))

    def interfere(execute: Any, sql: str, *arguments: Any) -> Any:
        if before in sql and thread.ident is None:
            thread.start()
            thread.join(seconds)
        return execute(sql, *arguments)

    with connection.execute_wrapper(interfere):
        yield
    assert thread.ident is not None, "no statement contained it"
    thread.join()
    (outcome,) = outcomes
    assert not isinstance(outcome, Exception), outcome
