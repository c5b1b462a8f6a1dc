from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.core.cache import cache

from django_voicepassword.testing import outbox
from tests.web.person import Person


@pytest.fixture(autouse=True)
def _fresh_world() -> Iterator[None]:
    outbox.clear()
    cache.clear()
    yield
    outbox.clear()
    cache.clear()


@pytest.fixture
def person(db) -> Person:
    return Person()


@pytest.fixture
def at_code(person) -> Person:
    """A person who has just given the phone."""
    person.open("/auth/login/")
    person.press("Call me", phone="+7 999 000-00-01")
    return person
