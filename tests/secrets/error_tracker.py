"""Everything that an error tracker may send: exceptions, their causes, and all local variables."""

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

#: Frames of the tests and of pytest have the secrets; their variables are left out.
_NOT_SEARCHED = ("/tests/secrets/", "/_pytest/", "/pluggy/", "/xdist/", "/execnet/")


def report_text(error: BaseException) -> str:
    """Return all that a tracker could send about an exception.

    It follows ``__context__`` also where ``from None`` suppresses it.
    """
    return "\n\n\n\n".join(line for link in chain(error) for line in _lines(link))


def chain(error: BaseException) -> list[BaseException]:
    """Return an exception with all its causes and contexts."""
    links: list[BaseException] = []
    waiting: list[BaseException | None] = [error]
    while waiting:
        link = waiting.pop()
        if link is not None and link not in links:
            links.append(link)
            waiting += [link.__cause__, link.__context__]
    return links


def _lines(error: BaseException) -> Iterator[str]:
    yield f"{type(error).__name__} {error} {_safe_repr(error.args)}"
    for name, value in vars(error).items():
        # An exception of requests holds the request, with its headers and body.
        yield f"{name} {_safe_repr(value)} {_safe_repr(getattr(value, '__dict__', ''))}"
    for frame, line in traceback.walk_tb(error.__traceback__):
        yield from _variables(frame, line)


def stack_text() -> str:
    """Return the running frames, which a tracker can attach to a logged line."""
    return "\n\n\n\n".join(
        text for frame, line in traceback.walk_stack(None) for text in _variables(frame, line)
    )


def _variables(frame: FrameType, line: int) -> Iterator[str]:
    yield f"{frame.f_code.co_filename}:{line} {frame.f_code.co_name}"
    if not any(part in frame.f_code.co_filename for part in _NOT_SEARCHED):
        for name, value in frame.f_locals.items():
            yield f"{frame.f_code.co_name} {name}={_safe_repr(value)}"


def _safe_repr(value: Any) -> str:
    try:
        return repr(value)
    except Exception as error:
        return f"no repr: {error}"


class Reports(logging.Handler):
    """Collects reports about requests, tasks, and whatever is logged with an exception."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.texts: list[str] = []
        self.mails: list[str] = []
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(f"{record.name} {record.getMessage()}")
        if record.exc_info and record.exc_info[1] is not None:
            self.texts.append(report_text(record.exc_info[1]))
        elif record.levelno >= logging.ERROR:
            self.texts.append(stack_text())

    def add_request(self, **kwargs: Any) -> None:
        error = sys.exc_info()[1]
        assert error is not None
        self.texts.append(report_text(error))

    def add_task(self, exception: BaseException, **kwargs: Any) -> None:
        self.texts.append(report_text(exception))

    def all(self) -> list[str]:
        """Return the reports, the mails to the admins and the lines of the log."""
        return [*self.texts, *self.mails, *self.lines]


class _Mails(AdminEmailHandler):
    """Collects Django's own error mails: subject, text and page."""

    def __init__(self, mails: list[str]) -> None:
        super().__init__(include_html=True)
        self.setLevel(logging.ERROR)
        self._mails = mails

    def send_mail(self, subject: Any, message: Any, *args: Any, **kwargs: Any) -> None:
        self._mails += [subject, message, kwargs["html_message"]]


@contextmanager
def collect_reports() -> Iterator[Reports]:
    """Collect what is reported inside of the block, in each way in which trackers listen."""
    reports = Reports()
    mails = _Mails(reports.mails)
    root = logging.getLogger()
    got_request_exception.connect(reports.add_request)
    task_failure.connect(reports.add_task)
    for handler in (reports, mails):
        root.addHandler(handler)
    try:
        yield reports
    finally:
        for handler in (reports, mails):
            root.removeHandler(handler)
        got_request_exception.disconnect(reports.add_request)
        task_failure.disconnect(reports.add_task)
