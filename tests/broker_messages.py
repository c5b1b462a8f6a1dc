"""What a broker holds for the workers."""

from __future__ import annotations

from kombu.connection import Connection


def take_messages(address: str, queue: str) -> list[int]:
    """Take every message from the queue and return its first argument."""
    arguments = []
    with Connection(address) as connection:
        simple = connection.SimpleQueue(queue)
        while True:
            try:
                message = simple.get(timeout=0.5)
            except simple.Empty:
                break
            arguments.append(message.payload[0][0])
            message.ack()
        simple.close()
    return arguments
