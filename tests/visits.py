"""Pages opened in a real browser; whatever it complains of fails the test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from playwright.sync_api import Browser, BrowserContext, Page

Visit = Callable[..., Page]


@contextmanager
def visits(
    browser: Browser,
    root: str,
    policy: str | None = None,
    complaint: Callable[[Any], list[str]] = lambda message: [],
    session: str = "",
) -> Iterator[Visit]:
    """``visit("/path/", **context)`` opens a page of ``root`` in a new context, at the end none has
    complained.

    ``policy``: the Content-Security-Policy that every page has, None: any; ``complaint`` tells what
    of a message of the console is one; ``session``: the cookie of who is logged in.
    """
    contexts: list[BrowserContext] = []
    complaints: list[str] = []

    def visit(path: str, **options: Any) -> Page:
        context = browser.new_context(**options)
        contexts.append(context)
        context.set_default_timeout(10_000)
        if session:
            context.add_cookies([{"name": "sessionid", "value": session, "url": root}])
        page = context.new_page()
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", lambda message: complaints.extend(complaint(message)))
        answer = page.goto(f"{root}{path}")
        assert answer is not None
        if policy is not None:
            assert answer.header_value("content-security-policy") == policy
        return page

    yield visit
    for context in contexts:
        context.close()
    assert complaints == []
