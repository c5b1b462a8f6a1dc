"""The live server for the browser tests of this folder: every answer has a strict policy."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.conf import settings as django_settings
from django.test import override_settings
from pytest_django.live_server_helper import LiveServer


@pytest.fixture(scope="module")
def live_server(django_db_setup: None) -> Iterator[LiveServer]:
    with override_settings(
        MIDDLEWARE=[
            "tests.admin_pages.content_security_policy.StrictPolicyMiddleware",
            *django_settings.MIDDLEWARE,
        ]
    ):
        server = LiveServer("localhost")
    yield server
    server.stop()
