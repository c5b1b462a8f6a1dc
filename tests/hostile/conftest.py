from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core.cache import cache
from django.core.signals import request_finished, request_started
from django.db import close_old_connections

from tests.hostile.site import Site, collect_unhandled_exceptions


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker("slow")


@pytest.fixture
def site(db: Any, outbox: Any) -> Iterator[Site]:
    """The whole site. The test fails if a request raised an exception that no view caught."""
    # Django would close the connection that holds the test's transaction.
    for signal in (request_started, request_finished):
        signal.disconnect(close_old_connections)
    # Each of thousands of refusals is logged, and pytest would keep all the records.
    logging.disable(logging.CRITICAL)
    cache.clear()
    try:
        with collect_unhandled_exceptions() as tracebacks:
            yield Site()
        assert tracebacks == []
    finally:
        logging.disable(logging.NOTSET)
        for signal in (request_started, request_finished):
            signal.connect(close_old_connections)
