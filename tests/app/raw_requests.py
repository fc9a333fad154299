"""Requests over a bare socket, whose head and body a test sends as late and as slowly as it likes."""

import contextlib
import socket
import time
from collections.abc import Iterator
from urllib.parse import urlsplit

GIVE_UP_S = 60.0
"""Seconds after which a test that waits for the service fails."""


@contextlib.contextmanager
def connection(url: str) -> Iterator[socket.socket]:
    """A connection to the service at this URL."""
    address = urlsplit(url)
    assert address.hostname is not None and address.port is not None
    with socket.create_connection((address.hostname, address.port), timeout=GIVE_UP_S) as client:
        yield client


def head(method: str, path: str, *lines: str) -> bytes:
    """The request line and the headers of a request."""
    return "\r\n".join([f"{method} {path} HTTP/1.1", "Host: test", *lines, "", ""]).encode("latin-1")


def read_head(client: socket.socket) -> tuple[int, dict[str, str]]:
    """The status and the headers, by their names in lower case, of the next response; reads nothing of its body."""
    received = b""
    while not received.endswith(b"\r\n\r\n"):
        byte = client.recv(1)
        assert byte, f"the connection was closed after {received!r}"
        received += byte
    status_line, *lines = received.decode("latin-1").rstrip().split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    return int(status_line.split(" ")[1]), headers


def read_body(client: socket.socket, headers: dict[str, str]) -> bytes:
    """The body of a response that has a Content-Length."""
    body = b""
    while len(body) < int(headers["content-length"]):
        piece = client.recv(65536)
        assert piece, "the connection was closed within the response"
        body += piece
    return body


def is_closed(client: socket.socket) -> bool:
    """Whether the service closes the connection without sending anything more."""
    try:
        return client.recv(65536) == b""
    except ConnectionError:
        return True


def send_until_refused(client: socket.socket, piece: bytes) -> int:
    """Send the piece again and again until the service has closed the connection; the number of bytes sent."""
    sent, until = 0, time.monotonic() + GIVE_UP_S
    while time.monotonic() < until:
        try:
            client.sendall(piece)
        except OSError:
            return sent
        sent += len(piece)
    raise AssertionError("the service goes on receiving")
