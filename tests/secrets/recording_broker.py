"""The example's filesystem broker, which also stores a copy of every message.

Messages are tasks, events and commands to workers.
"""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import Any

from config import broker
from kombu.utils.json import dumps


class Channel(broker.Channel):
    def basic_publish(self, message: Any, exchange: str, routing_key: str, **kwargs: Any) -> Any:
        copy = Path(self.data_folder_out).parent.parent / "messages" / f"{uuid.uuid4().hex}.json"
        copy.write_text(
            dumps({"exchange": exchange, "routing_key": routing_key, "message": message}), "utf-8"
        )
        return super().basic_publish(message, exchange, routing_key, **kwargs)


class Transport(broker.Transport):
    Channel = Channel
