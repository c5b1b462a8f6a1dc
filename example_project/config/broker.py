"""Celery's filesystem broker, made safe: a message is written aside and renamed, so that nobody reads half of it.

The stock transport writes a message under the name by which a worker finds it, and a worker that is quicker than the
writer dies of half a JSON. It is for development; production has RabbitMQ or Redis.
"""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import Any

from kombu import transport
from kombu.transport import filesystem
from kombu.utils.encoding import str_to_bytes
from kombu.utils.json import dumps


class Channel(filesystem.Channel):
    """Puts whole messages only. Files that begin with a dot are still being written."""

    def _put(self, queue: str, payload: dict[str, Any], **kwargs: Any) -> None:
        folder = Path(self.data_folder_out)
        # The same form of name as the stock transport's: workers take files in the order of their names.
        name = f"{round(filesystem.monotonic() * 1000)}_{uuid.uuid4()}.{queue}.msg"
        aside = folder / f".{uuid.uuid4().hex}"
        aside.write_bytes(str_to_bytes(dumps(payload)))
        aside.replace(folder / name)


class Transport(filesystem.Transport):
    Channel = Channel


def register() -> None:
    """``filesystem://`` means this transport from now on."""
    transport.TRANSPORT_ALIASES["filesystem"] = f"{__name__}:Transport"
