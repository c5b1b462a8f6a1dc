"""What settings of a test name: clients for TRANSPORT, a gate for BEFORE_SEND."""

from __future__ import annotations

import threading
from typing import Any

from django_voicepassword.exceptions import NumberRefused
from django_voicepassword.testing import MemoryClient


class RefusingClient(MemoryClient):
    """Refuses the number for now."""

    def _send(self, *args: Any) -> Any:
        raise NumberRefused("number_in_spam_list")


class Gate:
    """The first submit of a form stands here until the second one has come."""

    entered = threading.Event()
    opened = threading.Event()

    @classmethod
    def shut(cls) -> None:
        cls.entered, cls.opened = threading.Event(), threading.Event()


def hold(*args: Any) -> None:
    Gate.entered.set()
    assert Gate.opened.wait(10)
