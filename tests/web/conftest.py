from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.conf import settings as django_settings
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
def configure(settings) -> Callable[..., None]:
    """``configure(CODE_TTL=60)`` changes keys of VOICEPASSWORD for one test."""

    def change(**keys: Any) -> None:
        settings.VOICEPASSWORD = {**django_settings.VOICEPASSWORD, **keys}

    return change


@pytest.fixture
def person(db) -> Person:
    return Person()


@pytest.fixture
def at_code(person) -> Person:
    """A person who has just given the phone."""
    person.open("/auth/login/")
    person.press("Call me", phone="+7 999 000-00-01")
    return person
