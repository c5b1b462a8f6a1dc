"""Kombu's filesystem transport, made safe: files are published and taken by an atomic rename.

The original transport writes a message directly under its final name: a worker that is faster than
the writer reads half of a JSON text and crashes. So does one that reads the table of queues while
it is written. If the folder is on another file system than the temporary folder, two workers may
take the same message.

It is for development; production uses RabbitMQ or Redis. A message is lost with the worker that has
taken it; ``poll_calls`` queues its call again.
"""

from __future__ import annotations

import time
import uuid
from pathlib import Path
from queue import Empty
from typing import Any

from kombu import transport
from kombu.transport import filesystem
from kombu.utils.encoding import bytes_to_str, str_to_bytes
from kombu.utils.json import dumps, loads


class Channel(filesystem.Channel):
    """A file whose name begins with a dot is still being written, or already taken."""

    # In kombu itself the filesystem transport and its base name the message differently.
    def _put(  # type: ignore[override]
        self, queue: str, payload: dict[str, Any], **kwargs: Any
    ) -> None:
        # The format of the original transport: workers take files in the order of their names.
        name = f"{round(time.monotonic() * 1000)}_{uuid.uuid4()}.{queue}.msg"
        _write(Path(self.data_folder_out) / name, payload)

    def _get(self, queue: str) -> Any:  # type: ignore[override]
        folder = Path(self.data_folder_in)
        for name in sorted(path.name for path in folder.iterdir()):
            if name.partition(".")[2] != f"{queue}.msg":
                continue
            taken = folder / f".{uuid.uuid4().hex}"
            try:
                (folder / name).rename(taken)
            except FileNotFoundError:
                # Another worker was faster.
                continue
            payload = taken.read_bytes()
            taken.unlink()
            return loads(bytes_to_str(payload))
        raise Empty

    def _queue_bind(self, exchange: str, routing_key: str, pattern: str, queue: str) -> None:
        entry = filesystem.exchange_queue_t(routing_key or "", pattern or "", queue or "")
        self.control_folder.mkdir(exist_ok=True)
        with (self.control_folder / ".lock").open("w") as lock:
            filesystem.lock(lock, filesystem.LOCK_EX)
            table = self.get_table(exchange)
            if entry not in table:
                _write(self._exchange_file(exchange), [entry, *table])


class Transport(filesystem.Transport):
    Channel = Channel


def register() -> None:
    """Use this transport for ``filesystem://``."""
    transport.TRANSPORT_ALIASES["filesystem"] = f"{__name__}:Transport"


def _write(path: Path, value: Any) -> None:
    unfinished = path.parent / f".{uuid.uuid4().hex}"
    unfinished.write_bytes(str_to_bytes(dumps(value)))
    unfinished.replace(path)
