"""A provider in a separate process that answers every request with the same reply, as fast as
Python can::

    with Provider() as provider:
        Client("key", base_url=provider.api_url)
"""

from __future__ import annotations

import asyncio
import subprocess
import sys

BODY = b'{"result":"ok","id":"1234567890","number":"79990000001","price":"0.35","code":"1234"}'
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (
    len(BODY),
    BODY,
)


class Provider:
    def __enter__(self) -> Provider:
        command = [sys.executable, "-m", "benchmarks.provider"]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        self.api_url = (
            f"http://127.0.0.1:{int(self._process.stdout.readline())}/api/voice-password/"
        )
        return self

    def __exit__(self, *exception: object) -> None:
        self._process.terminate()
        self._process.wait(10)


class Connection(asyncio.Protocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self._received = b""

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, end, body = self._received.partition(b"\r\n\r\n")
        length = next(
            (line for line in head.lower().splitlines() if line.startswith(b"content-length:")),
            b":0",
        )
        if end and len(body) >= int(length.partition(b":")[2]):
            self._received = b""
            self._transport.write(ANSWER)  # type: ignore[attr-defined]


async def serve() -> None:
    server = await asyncio.get_running_loop().create_server(Connection, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve())
