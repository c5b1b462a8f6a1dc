"""Removes API keys, codes and phone numbers from exceptions. Needs no Django.

An exception keeps the local variables of every frame that it passed through, and error trackers
send them. Among them are the variables of the libraries below this app, down to the bytes of an
HTTP request. So frames are cleared before an exception leaves the app.
"""

from __future__ import annotations

import sys
import traceback
from collections.abc import Callable, Iterator
from functools import wraps
from typing import ParamSpec, TypeVar

Params = ParamSpec("Params")
Result = TypeVar("Result")


class Secret(str):
    """A string whose repr hides it, also in the repr of a frame, a request body or headers."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "'***'"


def clear_frames(error: BaseException, before: BaseException | None = None) -> None:
    """Clear the local variables of every frame that ``error`` and its causes have passed through.

    ``before`` is an exception that was being handled already; it and its causes stay as they are.
    An exception raised ``from None`` loses its context altogether: the exception that it replaces
    may hold a request, or the text that could not be parsed, in attributes of its own.
    """
    seen = {id(before)}
    pending: list[BaseException | None] = [error]
    while pending:
        exception = pending.pop()
        if exception is not None and id(exception) not in seen:
            seen.add(id(exception))
            # A frame that is still running is left as it is.
            traceback.clear_frames(exception.__traceback__)
            if exception.__suppress_context__:
                exception.__context__ = None
            pending += [exception.__cause__, exception.__context__]


def clear_frames_on_error(
    function: Callable[Params, Result], unless: Callable[[], bool] = lambda: False
) -> Callable[Params, Result]:
    """Decorate ``function`` so that its exceptions keep no local variables, its own or deeper ones.

    File names, line numbers and messages remain. If ``unless()`` is true, nothing is cleared.
    """

    @wraps(function)
    def wrapper(*args: Params.args, **kwargs: Params.kwargs) -> Result:
        before = sys.exc_info()[1]
        try:
            return function(*args, **kwargs)
        except BaseException as error:
            if not unless():
                # clear_frames() cannot clear a running frame; delete its arguments.
                del args, kwargs
                clear_frames(error, before)
            raise

    return wrapper


def clear_frames_while_iterating(rows: Iterator[Result]) -> Iterator[Result]:
    """Iterate over ``rows``; an exception raised meanwhile keeps no local variables."""
    try:
        yield from rows
    except BaseException as error:
        clear_frames(error)
        raise
