"""Prepare the next chunk in a thread while the database is busy with this one."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Generic, TypeVar

Result = TypeVar("Result")


class Ahead(Generic[Result]):
    """Calls ``make`` for one result after the other; ``begin`` starts the next call in a thread.

    Only one call runs at a time. Use it as a context manager: at its end it waits for the thread.
    """

    def __init__(self, make: Callable[[], Result]) -> None:
        self._make = make
        # The thread is started by the first ``begin``.
        self._threads = ThreadPoolExecutor(max_workers=1)
        self._begun: Future[Result] | None = None

    def __enter__(self) -> Ahead[Result]:
        return self

    def __exit__(self, *error: object) -> None:
        self._threads.shutdown()

    def begin(self) -> None:
        """Start the next call, unless it was started already: a transaction may be repeated.

        Call it right before this thread waits for long. Two threads that both compute take turns,
        and then each short statement would wait for its turn.
        """
        if self._begun is None:
            self._begun = self._threads.submit(self._make)

    def next(self) -> Result:
        """Return the next result, and raise what ``make`` raises."""
        if self._begun is None:
            return self._make()
        begun, self._begun = self._begun, None
        return begun.result()
