"""The HTTP server of the sandbox: the provider's API, the pages, and the controls for tests."""

from __future__ import annotations

import hmac
import json
import sys
import time
from collections.abc import Iterable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from django_voicepassword.sandbox import bulk_statistics, controls, pages
from django_voicepassword.sandbox.simulator import Exchange, Json, Refusal

API = "/api/voice-password/"
CONTROL = "/control/"
MAX_BODY = 65536
#: The statistics of some days, for the control ``restore``.
MAX_CONTROL_BODY = 64 * 1024 * 1024
#: The longest time in seconds that an answer is held back.
LONGEST_HOLD = 60.0
#: How long a slow answer takes, in seconds.
SLOW = 5.0
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "form-action 'self'; img-src 'self'"
)
TEXT, HTML, JSON = "text/plain; charset=utf-8", "text/html; charset=utf-8", "application/json"
STATIC = {
    "/static/sandbox.css": ("sandbox.css", "text/css; charset=utf-8"),
    "/static/sandbox.js": ("sandbox.js", "text/javascript; charset=utf-8"),
    "/static/sandbox.svg": ("sandbox.svg", "image/svg+xml"),
}


def canonical(number: str) -> str:
    """The digits of a number as people write it: ``8 (999) 000-00-01`` is ``79990000001``."""
    digits = "".join(character for character in number if character in "0123456789")
    if len(digits) == 11 and digits[0] == "8":
        return "7" + digits[1:]
    return "7" + digits if len(digits) == 10 else digits


class BadBody(Exception):
    """The body of a request has no Content-Length, or is too long."""


class Server(ThreadingHTTPServer):
    """Serves each connection in a thread of its own. All threads share ``exchange``."""

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
    """Serves the requests of one connection."""

    protocol_version = "HTTP/1.1"
    # Headers and body are two writes. With Nagle's algorithm the body would wait 40 ms until the
    # client acknowledges the headers.
    disable_nagle_algorithm = True
    timeout = 75
    server: Server

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        number = canonical(parse_qs(parts.query).get("number", [""])[0])
        languages = self.headers.get("Accept-Language", "")
        exchange = self.server.exchange
        if parts.path == "/":
            self._answer(pages.front_page(f"{self.server.url}{API[1:]}", exchange, languages))
        elif parts.path == "/phone/":
            self._answer(pages.phone_page(exchange.newest(number), number, languages))
        elif parts.path == "/phone/calls/":
            self._answer(pages.phone_rows(exchange.newest(number), number, languages))
        elif parts.path == f"{CONTROL}ledger.json":
            self._answer_json(exchange.ledger(number))
        elif parts.path in STATIC:
            name, kind = STATIC[parts.path]
            self._answer((Path(__file__).parent / "static" / name).read_text("utf-8"), kind=kind)
        else:
            self._answer("Not found", 404, TEXT)

    def do_POST(self) -> None:
        try:
            body = self._read()
        except BadBody:
            self.close_connection = True
            self._answer("Content-Length is missing or too large", 413, TEXT)
            return
        path = urlsplit(self.path).path
        if path in (f"{API}send/", f"{API}get/"):
            self._serve_api(path, body)
        elif path.startswith(CONTROL):
            self._serve_control(path.removeprefix(CONTROL), body)
        else:
            self._answer("Not found", 404, TEXT)

    def _serve_api(self, path: str, body: object) -> None:
        exchange = self.server.exchange
        try:
            request = self._authorised(body)
            is_get = path.endswith("get/")
            reply, how = (exchange.get(request), "ok") if is_get else exchange.send(request)
        except Refusal as refusal:
            exchange.note(path, body, str(refusal))
            # The provider reports errors with HTTP status 200.
            self._answer_json({"result": "error", "error_code": str(refusal)})
            return
        exchange.note(path, request, how)
        if is_get:
            self._answer_get(request, reply)
        else:
            exchange.answers_flow.wait(LONGEST_HOLD)
            self._answer_send(reply, how)

    def _authorised(self, body: object) -> Json:
        """The body of a request with the right API key. Raises Refusal for any other."""
        if not isinstance(body, dict):
            raise Refusal("unknown_request")
        security = body.get("security")
        key_in_body = str(security.get("apiKey", "")) if isinstance(security, dict) else ""
        key = self.headers.get("Authorization") or key_in_body
        if not hmac.compare_digest(key.encode(), self.server.exchange.key.encode()):
            raise Refusal("authorisation_failed")
        return body

    def _answer_get(self, request: Json, reply: Json) -> None:
        exchange = self.server.exchange
        date = str(request.get("date", "")) if request.get("request") == "daily" else ""
        count = exchange.generated.get(date)
        if count is None:
            self._answer_json(reply)
        else:
            self._stream(bulk_statistics.answer(date, count, exchange.rows_of_day(date)))

    def _answer_send(self, reply: Json, how: str) -> None:
        """Answer as ``Outcome.reply`` says."""
        text = json.dumps(reply, ensure_ascii=False)
        if how == "slow":
            time.sleep(SLOW)
        elif how == "silent":
            time.sleep(LONGEST_HOLD)
        if how == "drop":
            self.close_connection = True
            self.connection.close()
        elif how == "500":
            self._answer("Internal Server Error", 500, TEXT)
        elif how == "html":
            self._answer("<html><body>Bad gateway</body></html>")
        elif how == "truncated":
            self._answer(text[: len(text) // 2], kind=JSON)
        else:
            self._answer(text, kind=JSON)

    def _serve_control(self, name: str, body: object) -> None:
        if self.headers.get("Origin"):
            self._answer_json({"error": "not from a page"}, 403)
            return
        try:
            controls.run(name, self.server.exchange, body)
        except controls.UnknownControl:
            self._answer_json({"error": "no such control"}, 404)
        except controls.BadControl as error:
            self._answer_json({"error": str(error)}, 400)
        else:
            self._answer_json({"result": "ok"})

    def _read(self) -> object:
        """Decode the JSON body. An empty one is an empty object, and one that is not JSON is "".

        Raises BadBody.
        """
        length = self.headers.get("Content-Length", "")
        most = MAX_CONTROL_BODY if self.path.startswith(CONTROL) else MAX_BODY
        if not length.isdigit() or int(length[:9]) > most:
            raise BadBody
        raw = self.rfile.read(int(length))
        try:
            body: object = json.loads(raw) if raw else {}
        except (ValueError, RecursionError):
            return ""
        return body

    def _stream(self, parts: Iterable[bytes]) -> None:
        """Answer with JSON of unknown length, in chunks."""
        self.send_response(200)
        self.send_header("Content-Type", JSON)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for part in parts:
            self.wfile.write(b"%x\r\n%s\r\n" % (len(part), part))
        self.wfile.write(b"0\r\n\r\n")

    def _answer_json(self, value: Json, status: int = 200) -> None:
        self._answer(json.dumps(value, ensure_ascii=False), status, JSON)

    def _answer(self, text: str, status: int = 200, kind: str = HTML) -> None:
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
            # The client has closed the connection.
            self.close_connection = True

    def log_message(self, format: str, *args: object) -> None:
        if not self.server.quiet and self.command == "POST":
            status = args[1] if len(args) > 1 else ""
            sys.stderr.write(f"{self.log_date_time_string()} {self.requestline} {status}\n")
