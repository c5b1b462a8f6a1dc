"""Prepare the next chunk in a thread while the database is busy with this one."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Generic, TypeVar

Result = TypeVar("Result")


class Ahead(Generic[Result]):
    """Calls ``make`` for one result after the other; ``begin`` starts the next call in a thread.

    Without ``in_thread``, ``begin`` does nothing, and ``next`` makes each result. Only one call
    runs at a time. Use it as a context manager: at its end it waits for the thread.
    """

    def __init__(self, make: Callable[[], Result], in_thread: bool) -> None:
        self._make, self._in_thread = make, in_thread
        self._thread: threading.Thread | None = None
        self._begun: Future[Result] | None = None

    def __enter__(self) -> Ahead[Result]:
        return self

    def __exit__(self, *error: object) -> None:
        if self._thread is not None:
            self._thread.join()

    def begin(self) -> None:
        """Start the next call, unless it was started already: a transaction may be repeated.

        Call it right before this thread waits for long. Two threads that both compute take turns,
        and then each short statement would wait for its turn.
        """
        if self._begun is not None or not self._in_thread:
            return
        begun: Future[Result] = Future()
        thread = threading.Thread(target=self._run, args=[begun], name="voicepassword-ahead")
        try:
            thread.start()
        except RuntimeError:
            # The system allows no more threads. ``next`` makes the result in this one.
            return
        self._thread, self._begun = thread, begun

    def next(self) -> Result:
        """Return the next result, and raise what ``make`` raises."""
        if self._begun is None:
            return self._make()
        begun, self._begun = self._begun, None
        return begun.result()

    def _run(self, begun: Future[Result]) -> None:
        try:
            begun.set_result(self._make())
        except BaseException as error:
            begun.set_exception(error)
            # The traceback keeps this frame, which must not keep the error in turn.
            del begun
