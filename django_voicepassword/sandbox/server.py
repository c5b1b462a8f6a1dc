"""HTTP of the sandbox: the provider's two addresses, the pages, and the controls that tests use."""

from __future__ import annotations

import hmac
import json
import sys
import time
from collections.abc import Iterable
from decimal import Decimal, InvalidOperation
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from django_voicepassword.sandbox import bulk_statistics, pages
from django_voicepassword.sandbox.simulator import Exchange, Refusal

API = "/api/voice-password/"
MAX_BODY = 65536
#: Seconds that a held answer waits at most.
LONGEST_HOLD = 60.0
SLOW = 5.0
POLICY = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; form-action 'self'; img-src 'self'"
STATIC = {
    "/static/sandbox.css": ("sandbox.css", "text/css; charset=utf-8"),
    "/static/sandbox.js": ("sandbox.js", "text/javascript; charset=utf-8"),
    "/static/sandbox.svg": ("sandbox.svg", "image/svg+xml"),
}


def canonical(number: str) -> str:
    """The digits of a number as a person writes it: ``8 (999) 000-00-01`` is ``79990000001``."""
    digits = "".join(character for character in number if character in "0123456789")
    if len(digits) == 11 and digits[0] == "8":
        return "7" + digits[1:]
    return "7" + digits if len(digits) == 10 else digits


def _amount(body: Any) -> Decimal | None:
    try:
        amount = Decimal(str(body["balance"]))
    except (InvalidOperation, KeyError, TypeError):
        return None
    return amount if amount.is_finite() else None


def _day(body: Any) -> tuple[str, int]:
    """A date of the provider and a number of rows; "" where they are none."""
    date, rows = (body.get("date"), body.get("rows")) if isinstance(body, dict) else (None, None)
    if not (
        isinstance(date, str) and len(date) == 10 and type(rows) is int and 0 <= rows <= 10_000_000
    ):
        return "", 0
    return date, rows


class Server(ThreadingHTTPServer):
    """Each connection has a thread; ``exchange`` is shared."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], exchange: Exchange, quiet: bool = False) -> None:
        super().__init__(address, Handler)
        self.exchange = exchange
        self.quiet = quiet

    @property
    def url(self) -> str:
        host, port = self.server_address[:2]
        return f"http://{host if isinstance(host, str) else host.decode()}:{port}/"


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    # Head and body are two writes: without this the second waits 40 ms for the client's word on the
    # first.
    disable_nagle_algorithm = True
    timeout = 75
    server: Server

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        number = canonical(parse_qs(parts.query).get("number", [""])[0])
        exchange = self.server.exchange
        if parts.path == "/":
            self._answer(pages.front_page(f"{self.server.url}{API[1:]}", exchange))
        elif parts.path == "/phone/":
            self._answer(pages.phone_page(exchange.newest(number), number))
        elif parts.path == "/phone/calls/":
            self._answer(pages.phone_rows(exchange.newest(number), number))
        elif parts.path == "/control/ledger.json":
            self._answer_json(exchange.ledger(number))
        elif parts.path in STATIC:
            name, kind = STATIC[parts.path]
            self._answer((Path(__file__).parent / "static" / name).read_text("utf-8"), kind=kind)
        else:
            self._answer("Not found", 404, "text/plain; charset=utf-8")

    def do_POST(self) -> None:
        body = self._read()
        if body is None:
            return
        path = urlsplit(self.path).path
        if path in (f"{API}send/", f"{API}get/"):
            self._serve_api(path, body)
        elif path.startswith("/control/"):
            self._control(path, body)
        else:
            self._answer("Not found", 404, "text/plain; charset=utf-8")

    def _serve_api(self, path: str, body: Any) -> None:
        exchange = self.server.exchange
        try:
            if not isinstance(body, dict):
                raise Refusal("unknown_request")
            security = body.get("security")
            in_body = str(security.get("apiKey", "")) if isinstance(security, dict) else ""
            key = self.headers.get("Authorization") or in_body
            if not hmac.compare_digest(key.encode(), exchange.key.encode()):
                raise Refusal("authorisation_failed")
            if path.endswith("get/"):
                reply, how = exchange.get(body), "ok"
            else:
                reply, how = exchange.send(body)
        except Refusal as refusal:
            exchange.note(path, body, str(refusal))
            # The provider tells errors with HTTP 200.
            self._answer_json({"result": "error", "error_code": str(refusal)})
            return
        exchange.note(path, body, how)
        if path.endswith("get/"):
            made_up = (
                exchange.generated.get(str(body.get("date", "")))
                if body.get("request") == "daily"
                else None
            )
            if made_up is None:
                self._answer_json(reply)
            else:
                self._stream(bulk_statistics.answer(str(body["date"]), made_up, reply["data"]))
            return
        exchange.answers_flow.wait(LONGEST_HOLD)
        self._answer_send(reply, how)

    def _answer_send(self, reply: dict[str, Any], how: str) -> None:
        text = json.dumps(reply, ensure_ascii=False)
        if how == "slow":
            time.sleep(SLOW)
        elif how == "silent":
            time.sleep(LONGEST_HOLD)
        if how == "drop":
            self.close_connection = True
            self.connection.close()
        elif how == "500":
            self._answer("Internal Server Error", 500, "text/plain; charset=utf-8")
        elif how == "html":
            self._answer("<html><body>Bad gateway</body></html>")
        elif how == "truncated":
            self._answer(text[: len(text) // 2], kind="application/json")
        else:
            self._answer(text, kind="application/json")

    def _control(self, path: str, body: Any) -> None:
        exchange = self.server.exchange
        if self.headers.get("Origin"):
            self._answer_json({"error": "not from a page"}, 403)
            return
        if path == "/control/reset":
            exchange.reset()
        elif path == "/control/hold":
            exchange.answers_flow.clear()
        elif path == "/control/release":
            exchange.answers_flow.set()
        elif path == "/control/generate":
            date, rows = _day(body)
            if not date:
                self._answer_json({"error": 'send {"date": "10.03.2026", "rows": 1000000}'}, 400)
                return
            exchange.generated[date] = rows
        elif path == "/control/age":
            exchange.age(1)
        elif path == "/control/balance":
            balance = _amount(body)
            if balance is None:
                self._answer_json({"error": 'send {"balance": "10.00"}'}, 400)
                return
            exchange.balance = balance
        else:
            self._answer_json({"error": "no such control"}, 404)
            return
        self._answer_json({"result": "ok"})

    def _read(self) -> Any:
        """The JSON body; ``""`` for what is none; None where an answer was given already."""
        length = self.headers.get("Content-Length", "")
        if not length.isdigit() or int(length[:9]) > MAX_BODY:
            self.close_connection = True
            self._answer(
                "Content-Length is needed, 64 KiB at most", 413, "text/plain; charset=utf-8"
            )
            return None
        raw = self.rfile.read(int(length))
        try:
            return json.loads(raw) if raw else {}
        except (ValueError, RecursionError):
            return ""

    def _stream(self, parts: Iterable[bytes]) -> None:
        """An answer whose length nobody knows before: chunked."""
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for part in parts:
            self.wfile.write(b"%x\r\n%s\r\n" % (len(part), part))
        self.wfile.write(b"0\r\n\r\n")

    def _answer_json(self, value: Any, status: int = 200) -> None:
        self._answer(json.dumps(value, ensure_ascii=False), status, "application/json")

    def _answer(self, text: str, status: int = 200, kind: str = "text/html; charset=utf-8") -> None:
        body = text.encode()
        self.send_response(status)
        for name, value in (
            ("Content-Type", kind),
            ("Content-Length", str(len(body))),
            ("Content-Security-Policy", POLICY),
            ("X-Content-Type-Options", "nosniff"),
            ("Cache-Control", "no-store"),
        ):
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def handle_one_request(self) -> None:
        try:
            super().handle_one_request()
        except OSError:
            # Who asked went away.
            self.close_connection = True

    def log_message(self, format: str, *args: Any) -> None:
        if not self.server.quiet and self.command == "POST":
            sys.stderr.write(
                f"{self.log_date_time_string()} {self.requestline} {args[1] if len(args) > 1 else ''}\n"
            )
