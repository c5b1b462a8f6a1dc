"""What trackers of errors take with them: each exception, what led to it, and every variable of
every frame.
"""

from __future__ import annotations

import logging
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from celery.signals import task_failure
from django.core.signals import got_request_exception
from django.utils.log import AdminEmailHandler

#: The tests themselves know everything; whoever runs them is not looked at either.
_OURS = ("/tests/secrets/", "/_pytest/", "/pluggy/", "/xdist/", "/execnet/")


def told(error: BaseException) -> str:
    """All that a tracker could send of ``error``, and more: ``from None`` keeps nothing from it."""
    return "\n\n\n\n".join(line for one in chain(error) for line in _told(one))


def chain(error: BaseException) -> list[BaseException]:
    found: list[BaseException] = []
    waiting: list[BaseException | None] = [error]
    while waiting:
        one = waiting.pop()
        if one is not None and one not in found:
            found.append(one)
            waiting += [one.__cause__, one.__context__]
    return found


def _told(error: BaseException) -> Iterator[str]:
    yield f"{type(error).__name__} {error} {_shown(error.args)}"
    for name, value in vars(error).items():
        # An exception of requests has the request, which has headers and body.
        yield f"{name} {_shown(value)} {_shown(getattr(value, '__dict__', ''))}"
    for frame, line in traceback.walk_tb(error.__traceback__):
        yield from _variables(frame, line)


def stack() -> str:
    """What a tracker sends of where a line was logged: the frames that are at work, if it is told
    to attach them.
    """
    return "\n\n\n\n".join(
        text for frame, line in traceback.walk_stack(None) for text in _variables(frame, line)
    )


def _variables(frame: FrameType, line: int) -> Iterator[str]:
    yield f"{frame.f_code.co_filename}:{line} {frame.f_code.co_name}"
    if not any(part in frame.f_code.co_filename for part in _OURS):
        for name, value in frame.f_locals.items():
            yield f"{frame.f_code.co_name} {name}={_shown(value)}"


def _shown(value: Any) -> str:
    try:
        return repr(value)
    except Exception as error:
        return f"no repr: {error}"


class Reports(logging.Handler):
    """Reports as they are made: of requests, of tasks, and of whatever is logged with an exception."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.texts: list[str] = []
        self.mails: list[str] = []
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(f"{record.name} {record.getMessage()}")
        if record.exc_info and record.exc_info[1] is not None:
            self.texts.append(told(record.exc_info[1]))
        elif record.levelno >= logging.ERROR:
            self.texts.append(stack())

    def of_a_request(self, **kwargs: Any) -> None:
        error = sys.exc_info()[1]
        assert error is not None
        self.texts.append(told(error))

    def of_a_task(self, exception: BaseException, **kwargs: Any) -> None:
        self.texts.append(told(exception))

    def all(self) -> list[str]:
        """With the mails to the admins, and the lines of the log."""
        return [*self.texts, *self.mails, *self.lines]


class _Mails(AdminEmailHandler):
    """Django's own report: subject, text and page."""

    def __init__(self, kept: list[str]) -> None:
        super().__init__(include_html=True)
        self.setLevel(logging.ERROR)
        self._kept = kept

    def send_mail(self, subject: str, message: str, *args: Any, **kwargs: Any) -> None:
        self._kept += [subject, message, kwargs["html_message"]]


@contextmanager
def reports() -> Iterator[Reports]:
    """Whatever is reported meanwhile, by each of the ways that trackers have."""
    kept = Reports()
    mails = _Mails(kept.mails)
    root = logging.getLogger()
    got_request_exception.connect(kept.of_a_request)
    task_failure.connect(kept.of_a_task)
    for handler in (kept, mails):
        root.addHandler(handler)
    try:
        yield kept
    finally:
        for handler in (kept, mails):
            root.removeHandler(handler)
        got_request_exception.disconnect(kept.of_a_request)
        task_failure.disconnect(kept.of_a_task)
