"""Nothing of a key, a code or a number in what a fault leaves behind. Knows no Django.

An exception keeps the variables of every frame that it came through, and trackers of errors send
them on: ours, and those of the libraries below us, down to the bytes of a request. So they are let
go where the exception leaves us.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from functools import wraps
from traceback import clear_frames
from typing import ParamSpec, TypeVar

Given = ParamSpec("Given")
Result = TypeVar("Result")


class Secret(str):
    """Text like any other, but no repr shows it: not that of a frame's variables, of a body or of
    headers.
    """

    __slots__ = ()

    def __repr__(self) -> str:
        return "'***'"


def forget(error: BaseException, before: BaseException | None = None) -> None:
    """Clear the variables of all frames that ``error`` and what led to it left. ``before``: what
    was there already.

    What was raised ``from None`` no longer has what it stands for: an exception of a library may
    hold a request, or the text that could not be read.
    """
    seen = {id(before)}
    waiting: list[BaseException | None] = [error]
    while waiting:
        one = waiting.pop()
        if one is not None and id(one) not in seen:
            seen.add(id(one))
            # A frame that is still at work stays as it is.
            clear_frames(one.__traceback__)
            if one.__suppress_context__:
                one.__context__ = None
            waiting += [one.__cause__, one.__context__]


def forgetful(
    function: Callable[Given, Result], unless: Callable[[], bool] = lambda: False
) -> Callable[Given, Result]:
    """``function``, whose exceptions tell where they came from and nothing of its variables, or of
    those below it.
    """

    @wraps(function)
    def forgetting(*args: Given.args, **kwargs: Given.kwargs) -> Result:
        before = sys.exc_info()[1]
        try:
            return function(*args, **kwargs)
        except BaseException as error:
            if not unless():
                # This frame is at work: what it was given goes by hand.
                del args, kwargs
                forget(error, before)
            raise

    return forgetting


def forgetful_rows(rows: Iterator[Result]) -> Iterator[Result]:
    """The same for what gives one thing after the other."""
    try:
        yield from rows
    except BaseException as error:
        forget(error)
        raise
