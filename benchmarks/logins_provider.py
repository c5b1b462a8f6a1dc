"""The sandbox with phones: it writes each ring to a pipe at once, with the time of the request.

    python -m benchmarks.logins_provider PORT PIPE SECONDS [ADDRESS]

SECONDS: the delay of each answer. ADDRESS: where it listens; default: 127.0.0.1. The ledger is that
of the sandbox.
"""

from __future__ import annotations

import json
import sys
import time
from decimal import Decimal
from pathlib import Path
from typing import Any

from django_voicepassword.sandbox.server import Server
from django_voicepassword.sandbox.simulator import Exchange


class RingingExchange(Exchange):
    """Writes each ring as a line of JSON. A line shorter than the buffer of the pipe is atomic."""

    def __init__(self, pipe: Path, seconds: float) -> None:
        super().__init__("sandbox-key", Decimal(10**9))
        # Open it for reading too: open() then does not wait for a reader, and a write does not fail
        # without one.
        self._pipe = pipe.open("r+b", buffering=0)
        self._seconds = seconds

    def send(self, body: dict[str, Any]) -> tuple[dict[str, Any], str]:
        asked_at = time.monotonic()
        reply, how = super().send(body)
        line = {"number": reply["number"], "code": reply["code"], "at": asked_at}
        self._pipe.write(json.dumps(line).encode() + b"\n")
        time.sleep(self._seconds)
        return reply, how


def main() -> None:
    port, pipe, seconds, *addresses = sys.argv[1:]
    address = addresses[0] if addresses else "127.0.0.1"
    Server(
        (address, int(port)), RingingExchange(Path(pipe), float(seconds)), quiet=True
    ).serve_forever()


if __name__ == "__main__":
    main()
