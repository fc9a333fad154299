"""One kept connection of a client, which costs little: clients and service share the cores of the machine."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

from soak.traffic.requests import Request

HEAD_BYTES = 65_536
"""Longest head of a response."""


class NoAnswer(ConnectionError):
    """The connection ended or broke before the whole response had come."""


class NoConnection(ConnectionError):
    """Nobody listens at the port."""


@dataclass(frozen=True)
class Answer:
    """A whole response; the names of its headers are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def retry_after_s(self) -> float | None:
        """The seconds of the header Retry-After; None where it is missing or no number."""
        value = self.headers.get("retry-after", "")
        return float(value) if value.isdecimal() else None


class Connection:
    """A connection to a port of this machine; it sends one request after the other."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self.is_open = True
        """Whether another request can be sent."""

    @classmethod
    async def open(cls, port: int) -> "Connection":
        """A new connection; raises NoConnection."""
        try:
            return cls(*await asyncio.open_connection("127.0.0.1", port, limit=HEAD_BYTES))
        except OSError as error:
            raise NoConnection(f"port {port}: {error}") from error

    @property
    def ended(self) -> bool:
        """Whether the service has closed the connection, as far as that has arrived."""
        return not self.is_open or self._reader.at_eof() or self._writer.transport.is_closing()

    async def ask(self, request: Request) -> Answer:
        """Send the request and wait for its whole response; raises NoAnswer.

        It does not wait until everything is sent: a service that refuses a request answers before it has read all.
        """
        try:
            self._writer.writelines([request.head, request.body])
            return await self._answer()
        except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, OSError, ValueError) as error:
            self.abort()
            raise NoAnswer(f"{request.operation}: {error!r}") from error

    def abort(self) -> None:
        """End the connection at once, whatever is under way."""
        self.is_open = False
        self._writer.transport.abort()

    async def _answer(self) -> Answer:
        head = (await self._reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        first, *lines = head.rstrip().split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        if headers.get("transfer-encoding") == "chunked":
            body = await self._chunks()
        else:
            body = await self._reader.readexactly(int(headers.get("content-length", "0")))
        if headers.get("connection", "").lower() == "close":
            self.is_open = False
            self._writer.close()
        return Answer(int(first.split(" ")[1]), headers, body)

    async def _chunks(self) -> bytes:
        pieces = []
        while size := int(await self._reader.readuntil(b"\r\n"), 16):
            pieces.append((await self._reader.readexactly(size + 2))[:-2])
        await self._reader.readexactly(2)
        return b"".join(pieces)
