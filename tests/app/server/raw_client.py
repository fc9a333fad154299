"""A client that sends exactly the bytes of a test, and a server with small limits in front of a small application."""

import contextlib
import json
import select
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send

from app.server.connection import Connection
from app.server.limits import BoundedConfig, Limits
from tests.app.live_service import eventually


@dataclass(frozen=True)
class Address:
    """Where a server listens."""

    host: str
    port: int
    server: uvicorn.Server

    def is_unused(self) -> bool:
        """Whether the server has no open connection."""
        return not self.server.server_state.connections


class RawClient:
    """One connection. Every wait for the server ends after a minute, with an error."""

    def __init__(self, address: Address) -> None:
        self._socket = socket.create_connection((address.host, address.port), timeout=60)
        self._received = b""

    def __enter__(self) -> "RawClient":
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def send(self, data: bytes) -> None:
        """Send all of the bytes."""
        self._socket.sendall(data)

    def send_until_closed(self, piece: bytes, most: int) -> int:
        """Send the piece again and again; return how many bytes were accepted before the server closed, or `most`."""
        sent = 0
        with contextlib.suppress(ConnectionError):
            while sent < most:
                sent += self._socket.send(piece)
        return sent

    def send_slowly(self, data: bytes, *, every_s: float) -> int:
        """Send a byte now and then; return how many were accepted before the server closed or answered."""
        for number, byte in enumerate(data):
            if select.select([self._socket], [], [], every_s)[0]:
                return number
            with contextlib.suppress(ConnectionError):
                self._socket.sendall(bytes([byte]))
        return len(data)

    def read_some(self) -> bytes:
        """What the server sends next; nothing if it has closed the connection."""
        return self._socket.recv(65536)

    def response(self) -> tuple[int, dict[str, str], bytes]:
        """Read one response with a Content-Length: its status, headers with names in lower case, and body."""
        while b"\r\n\r\n" not in self._received:
            self.read_more()
        head, _, rest = self._received.partition(b"\r\n\r\n")
        first, *lines = head.decode().split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        length = int(headers.get("content-length", "0"))
        self._received = rest
        while len(self._received) < length:
            self.read_more()
        body, self._received = self._received[:length], self._received[length:]
        return int(first.split()[1]), headers, body

    def problem(self) -> tuple[int, dict[str, Any]]:
        """Read a response that is the last of the connection and has problem details: its status, and these."""
        status, headers, body = self.response()
        assert headers["content-type"] == "application/problem+json" and headers["connection"] == "close"
        assert headers["x-content-type-options"] == "nosniff"
        details = json.loads(body)
        assert details["status"] == status and details["request_id"] == headers["x-request-id"]
        assert self.is_closed()
        return status, details

    def is_closed(self) -> bool:
        """Wait for the next bytes: whether there are none, because the server has closed the connection."""
        try:
            return self.read_some() == b""
        except ConnectionResetError:
            return True

    def read_more(self) -> None:
        """Read a piece of the next response."""
        data = self.read_some()
        assert data, f"the server closed the connection after {self._received!r}"
        self._received += data


@contextlib.contextmanager
def serving(app: ASGIApp, limits: Limits) -> Iterator[Address]:
    """Serve an application with these limits, which are checked ten times in a second, until the block ends."""
    config = BoundedConfig(limits, app=app, http=Connection, ws="none", lifespan="off", log_config=None)
    server = _WatchfulServer(config)
    listener = socket.create_server(("127.0.0.1", 0))
    thread = threading.Thread(target=server.run, args=[[listener]], daemon=True)
    thread.start()
    eventually(lambda: server.started)
    try:
        yield Address(*listener.getsockname(), server)
    finally:
        server.should_exit = server.force_exit = True
        thread.join(30)
        assert not thread.is_alive()


class _WatchfulServer(uvicorn.Server):
    async def on_tick(self, counter: int) -> bool:
        for connection in list(self.server_state.connections):
            assert isinstance(connection, Connection)
            connection.check(time.monotonic())
        return await super().on_tick(counter)


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer with the JSON of path, headers and the number of bytes of the body; /early does not read the body."""
    size = 0
    while scope["path"] != "/early":
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        size += len(message["body"])
        if not message["more_body"]:
            break
    headers = [[name.decode("latin-1"), value.decode("latin-1")] for name, value in scope["headers"]]
    body = json.dumps({"path": scope["path"], "headers": headers, "size": size}).encode()
    head = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": head})
    await send({"type": "http.response.body", "body": body})
