"""Open pages in a real browser and fail if a page raises an error or logs a complaint."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from axe_playwright_python.sync_playwright import Axe
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
    """Yield a function that opens a page of the site; assert at the end that no page complained.

    The function takes the path and the options of a new browser context. ``root`` is the address
    of the site. ``policy`` is the Content-Security-Policy that every page must send; None accepts
    any. ``complaint`` returns the complaints in a console message. ``session`` is the session
    cookie of the user who is logged in. Nothing moves on a page, unless the options say so: a
    moving page keeps a processor busy.
    """
    contexts: list[BrowserContext] = []
    complaints: list[str] = []

    def visit(path: str, **options: Any) -> Page:
        context = browser.new_context(**{"reduced_motion": "reduce", **options})
        contexts.append(context)
        context.set_default_timeout(30_000)
        if session:
            context.add_cookies([{"name": "sessionid", "value": session, "url": root}])
        page = context.new_page()
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", lambda message: complaints.extend(complaint(message)))
        response = page.goto(f"{root}{path}")
        assert response is not None
        if policy is not None:
            assert response.header_value("content-security-policy") == policy
        return page

    yield visit
    for context in contexts:
        context.close()
    assert complaints == []


def assert_accessible(page: Page, parts: Sequence[str] = (), standards: Sequence[str] = ()) -> None:
    """Assert that nothing scrolls sideways, and that axe finds no violation.

    In the elements that the selectors in ``parts`` match, or on the whole page; by the rules of
    ``standards``, such as "wcag2a", or by all.
    """
    assert not page.evaluate("document.documentElement.scrollWidth > window.innerWidth"), page.url
    options: dict[str, Any] = {"resultTypes": ["violations"]}
    if standards:
        options["runOnly"] = list(standards)
    context = {"include": [[part] for part in parts]} if parts else None
    results = Axe().run(page, context=context, options=options)
    assert results.violations_count == 0, results.generate_report()
