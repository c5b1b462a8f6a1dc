"""``python -m django_voicepassword.sandbox``. Needs no Django project."""

from __future__ import annotations

import argparse
import signal
import sys
from decimal import Decimal

from django_voicepassword.sandbox.server import API, Server
from django_voicepassword.sandbox.simulator import Exchange


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--host",
        default="127.0.0.1",
        help="the address to listen on; other machines can reach any but a loopback address",
    )
    parser.add_argument(
        "--port", type=int, default=8001, help="default: 8001; 0 takes any free port"
    )
    parser.add_argument(
        "--key", default="sandbox-key", help="the API key to accept; default: sandbox-key"
    )
    parser.add_argument(
        "--balance",
        type=Decimal,
        default=Decimal("1000.00"),
        help="the money in the account at the start; default: 1000.00",
    )
    parser.add_argument(
        "--callback-delay",
        type=float,
        default=1.0,
        help="seconds between the answer to a request and its callback",
    )
    parser.add_argument("--quiet", action="store_true", help="do not log requests")


def serve(
    host: str, port: int, key: str, balance: Decimal, callback_delay: float, quiet: bool
) -> int:
    """Serve until SIGINT or SIGTERM. Returns the exit code of the process."""
    try:
        server = Server((host, port), Exchange(key, balance, callback_delay), quiet)
    except (OSError, OverflowError) as error:
        sys.stderr.write(f"cannot listen on {host}:{port}: {error}; choose another --port\n")
        return 2
    # Before anything is printed: whoever waits for the first line may send SIGTERM at once.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        sys.stdout.write(f"sandbox listening on {server.url}\n")
        sys.stdout.write(f"the phone: {server.url}phone/   API_URL: {server.url}{API[1:]}\n")
        sys.stdout.write("for development only: nobody is called, nothing is paid\n")
        if host not in ("127.0.0.1", "localhost", "::1"):
            sys.stdout.write("WARNING: whoever can reach this machine can read every code\n")
        sys.stdout.flush()
        server.serve_forever(poll_interval=0.1)
    except KeyboardInterrupt:
        pass
    finally:
        server.server_close()
    return 0


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m django_voicepassword.sandbox", description="The imitated provider."
    )
    add_arguments(parser)
    return serve(**vars(parser.parse_args()))


if __name__ == "__main__":
    sys.exit(main())
