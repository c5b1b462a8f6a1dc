from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core.cache import cache
from django.core.signals import request_finished, request_started
from django.db import close_old_connections

from tests.hostile.site import Site, faults


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker("slow")


@pytest.fixture
def site(db: Any, outbox: Any) -> Iterator[Site]:
    """The whole site; the test fails where any request raised what no view caught."""
    # They would close the connection that holds the test's transaction.
    for signal in (request_started, request_finished):
        signal.disconnect(close_old_connections)
    # Thousands of refusals: each is logged, and pytest would keep them all.
    logging.disable(logging.CRITICAL)
    cache.clear()
    try:
        with faults() as seen:
            yield Site()
        assert seen == []
    finally:
        logging.disable(logging.NOTSET)
        for signal in (request_started, request_finished):
            signal.connect(close_old_connections)
