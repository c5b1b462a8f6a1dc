"""Celery's filesystem broker, made safe: whole files appear and disappear by a rename, so that
nobody reads half of one.

The stock transport writes a message under the name by which a worker finds it, and a worker that is
quicker than the writer dies of half a JSON; so does one that reads a table of queues which is being
written. Two workers on another file system than the temporary folder may also take one message
twice. It is for development: production has RabbitMQ or Redis. A message that a worker had taken
when it was killed is lost with it; ``poll_calls`` finds its call again.
"""

from __future__ import annotations

import uuid
from pathlib import Path
from queue import Empty
from typing import Any

from kombu import transport
from kombu.transport import filesystem
from kombu.utils.encoding import bytes_to_str, str_to_bytes
from kombu.utils.json import dumps, loads


class Channel(filesystem.Channel):
    """Files whose name begins with a dot are being written, or are taken already."""

    def _put(self, queue: str, payload: dict[str, Any], **kwargs: Any) -> None:
        # The same form of name as the stock transport's: workers take files in the order of their
        # names.
        name = f"{round(filesystem.monotonic() * 1000)}_{uuid.uuid4()}.{queue}.msg"
        _write(Path(self.data_folder_out) / name, payload)

    def _get(self, queue: str) -> Any:
        folder = Path(self.data_folder_in)
        for name in sorted(path.name for path in folder.iterdir()):
            if name.partition(".")[2] != f"{queue}.msg":
                continue
            taken = folder / f".{uuid.uuid4().hex}"
            try:
                (folder / name).rename(taken)
            except FileNotFoundError:
                # Another worker was quicker.
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
    """``filesystem://`` means this transport from now on."""
    transport.TRANSPORT_ALIASES["filesystem"] = f"{__name__}:Transport"


def _write(path: Path, value: Any) -> None:
    aside = path.parent / f".{uuid.uuid4().hex}"
    aside.write_bytes(str_to_bytes(dumps(value)))
    aside.replace(path)
