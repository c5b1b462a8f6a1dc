"""The sandbox, with a wire to the phones: each ring is told at once to who reads the pipe, with its
moment.

    python -m benchmarks.logins_provider PORT PIPE SECONDS

SECONDS: how long it takes to answer. Its ledger is the sandbox's own.
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


class TellingExchange(Exchange):
    """Each ring as a line of JSON; a line shorter than a pipe's buffer is written as a whole."""

    def __init__(self, pipe: Path, seconds: float) -> None:
        super().__init__("sandbox-key", Decimal(10**9))
        # For reading too: then it opens, and goes on, also where nobody reads.
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
    port, pipe, seconds = sys.argv[1:]
    Server(
        ("127.0.0.1", int(port)), TellingExchange(Path(pipe), float(seconds)), quiet=True
    ).serve_forever()


if __name__ == "__main__":
    main()
