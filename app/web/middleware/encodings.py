"""Content-Encoding of requests: bodies in gzip or deflate are unpacked, within the limit for bodies."""

import zlib
from collections.abc import Iterator

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.web import problems
from app.web.middleware.body_limit import BodyTooLarge
from app.web.uploads.multipart import BadBody

AT_ONCE = 256 * 1024
"""Bytes that are unpacked at a time."""
GZIP, ZLIB, BARE = 31, 15, -15
"""zlib's wbits: with gzip's header, with zlib's own (RFC 1950), and with none, as some clients send deflate."""
GZIP_BEGINS = b"\x1f"
WINDOWS = {"gzip": GZIP, "x-gzip": GZIP, "deflate": ZLIB}
MOST = 3
"""Encodings on top of each other."""


class UnknownEncoding(HTTPException):
    """A Content-Encoding that is not read here."""

    def __init__(self, encoding: str) -> None:
        super().__init__(
            415,
            f"the body came with Content-Encoding {encoding[:100]!r}, and only gzip and deflate are read: send the "
            "body in one of these, or as it is and without this header",
            {"Accept-Encoding": "gzip, deflate"},  # RFC 9110, 15.5.16
        )


class Inflater:
    """Unpacks one encoding, a bounded piece at a time."""

    def __init__(self, encoding: str) -> None:
        self._encoding = encoding
        self._window = WINDOWS[encoding]
        self._decoder = zlib.decompressobj(self._window)
        self._head = b""

    def unpack(self, data: bytes) -> Iterator[bytes]:
        """What the data comes to, in pieces of AT_ONCE bytes at most; raises BadBody."""
        if len(self._head) < 2:  # of which zlib's header consists
            data = self._head = self._head + data
            if len(data) < 2:
                return
            if self._window == ZLIB and not (data[0] & 15 == 8 and int.from_bytes(data[:2], "big") % 31 == 0):
                self._window = BARE
            self._decoder = zlib.decompressobj(self._window)
        full = False
        while data or full:
            if self._decoder.eof:  # gzip files may follow each other, and zeros may follow them
                data = data.lstrip(b"\x00") if self._window == GZIP else data
                if not data:
                    return
                if self._window == GZIP and data[:1] != GZIP_BEGINS:
                    raise BadBody("bytes that are no gzip follow the body's gzip data: send nothing after its end")
                self._decoder = zlib.decompressobj(self._window)
            piece = self._inflate(data)
            if piece:
                yield piece
            full = len(piece) == AT_ONCE  # so that more may wait inside
            data = self._decoder.unconsumed_tail or self._decoder.unused_data

    def _inflate(self, data: bytes) -> bytes:
        try:
            return self._decoder.decompress(data, AT_ONCE)
        except zlib.error as error:
            raise BadBody(
                f"the body is no {self._encoding} as its Content-Encoding says ({error}): compress it, or leave the "
                "header Content-Encoding out"
            ) from error

    def finish(self) -> None:
        """Raise BadBody where the end is missing."""
        if self._head and not self._decoder.eof:
            raise BadBody(f"the body's {self._encoding} data break off before their end: send all of them")


class DecodedBodies:
    """Unpacks a request's body by its Content-Encoding; over `max_bytes` it is refused, however small it came."""

    def __init__(self, app: ASGIApp, max_bytes: int) -> None:
        self.app = app
        self.max_bytes = max_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        named = ",".join(Headers(scope=scope).getlist("Content-Encoding"))
        encodings = [each for part in named.split(",") if (each := part.strip().lower()) not in ("", "identity")]
        if not encodings:
            return await self.app(scope, receive, send)
        if len(encodings) > MOST or not set(encodings) <= set(WINDOWS):
            return await problems.response(UnknownEncoding(named), Request(scope))(scope, receive, send)
        plain = [pair for pair in scope["headers"] if pair[0] not in (b"content-encoding", b"content-length")]
        unpacked = _Unpacked(receive, [Inflater(each) for each in reversed(encodings)], self.max_bytes)
        await self.app({**scope, "headers": plain}, unpacked.receive, send)


class _Unpacked:
    """The messages of a body, unpacked."""

    def __init__(self, receive: Receive, inflaters: list[Inflater], max_bytes: int) -> None:
        self._receive = receive
        self._inflaters = inflaters
        self._max_bytes = max_bytes
        self._pieces: Iterator[bytes] = iter(())
        self._total = 0
        self._more = True

    async def receive(self) -> Message:
        """The next piece, of all pieces no more than the limit; raises BodyTooLarge, BadBody."""
        while True:
            if (piece := next(self._pieces, None)) is not None:
                self._total += len(piece)
                if self._total > self._max_bytes:
                    raise BodyTooLarge(self._max_bytes)
                return {"type": "http.request", "body": piece, "more_body": True}
            if not self._more:
                return await self._receive()  # for word that the client has left
            message = await self._receive()
            if message["type"] != "http.request":
                return message
            self._more = message.get("more_body", False)
            self._pieces = self._through(message.get("body", b""), self._inflaters)
            if not self._more:
                return await self._last()

    async def _last(self) -> Message:
        pieces = []
        for piece in self._pieces:
            self._total += len(piece)
            if self._total > self._max_bytes:
                raise BodyTooLarge(self._max_bytes)
            pieces.append(piece)
        for inflater in self._inflaters:
            inflater.finish()
        return {"type": "http.request", "body": b"".join(pieces), "more_body": False}

    def _through(self, data: bytes, inflaters: list[Inflater]) -> Iterator[bytes]:
        if not inflaters:
            yield data
            return
        for piece in inflaters[0].unpack(data):
            yield from self._through(piece, inflaters[1:])
