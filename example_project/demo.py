"""``make demo`` runs sandbox, web, worker and beat until Ctrl-C; ``make smoke`` the smoke test."""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

from processes import HERE, Site, StartError

#: Nobody who tries every number is stopped by the limits, nor waits a minute for an SMS.
SETTINGS: dict[str, Any] = {
    "RESEND_AFTER": 10,
    "LIMITS": {"phone": ["100/h"], "phone_guesses": ["100/h"], "ip": ["1000/h"]},
    "FRAUD_FLOOR": 1000,
}
_PORTS = {"WEB_PORT": 8000, "SANDBOX_PORT": 8001}


def main() -> int:
    # A closed terminal and `kill` end it as Ctrl-C does, so that no process is left running.
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    try:
        if "--smoke" in sys.argv[1:]:
            import smoke

            return smoke.main()
        return demo()
    except StartError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def demo() -> int:
    """Run until Ctrl-C, or until one of the processes ends."""
    var = Path(os.environ.get("VAR_DIR", str(HERE.parent / "var")))
    web_port, sandbox_port = map(_port, _PORTS)
    print("migrating and starting", flush=True)
    with Site(var, web_port, sandbox_port, SETTINGS) as site:
        people = site.people()
        print(
            f"\n  begin here   {site.web_url}/"
            f"\n  the phone    {site.sandbox_url}/phone/"
            f"\n  the admin    {site.web_url}/admin/"
            f"\n               owner {people['owner']}"
            f"\n               clerk {people['clerk']}"
            "\n  Ctrl-C ends all\n",
            flush=True,
        )
        try:
            while not (ended := site.ended()):
                time.sleep(0.5)
        except KeyboardInterrupt:
            print("\nending", flush=True)
            return 0
        raise StartError(f"{ended} ended: see its lines above")


def _port(name: str) -> int:
    value = os.environ.get(name, str(_PORTS[name]))
    if not (value.isascii() and value.isdigit() and 0 < int(value) < 65536):
        raise StartError(f"{name} must be the number of a port, such as {_PORTS[name]}: {value!r}")
    return int(value)


def _interrupt(number: int, frame: Any) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
