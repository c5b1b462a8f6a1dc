from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.core.cache import cache

from django_voicepassword.testing import outbox
from tests.web.page_client import PageClient


@pytest.fixture(autouse=True)
def _empty_outbox_and_cache() -> Iterator[None]:
    outbox.clear()
    cache.clear()
    yield
    outbox.clear()
    cache.clear()


@pytest.fixture
def page_client(db: Any) -> PageClient:
    return PageClient()


@pytest.fixture
def on_code_page(page_client: PageClient) -> PageClient:
    """A client that has submitted the phone number and is on the code page."""
    page_client.open("/auth/login/")
    page_client.press("Call me", phone="+7 999 000-00-01")
    return page_client
