"""Middleware that decompresses request bodies with Content-Encoding gzip or deflate, up to the limit for bodies."""

import asyncio
import zlib
from collections.abc import Iterator

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.web import problems
from app.web.middleware.body_limit import BodyTooLarge
from app.web.uploads.multipart import BadBody

PIECE_BYTES = 256 * 1024
"""Largest number of bytes that are decompressed at a time."""
GZIP, ZLIB, RAW = 31, 15, -15
"""Values of zlib's argument wbits: data with a gzip header, with a zlib header (RFC 1950), and without a header, as
some clients send deflate."""
GZIP_MAGIC = b"\x1f"
"""First byte of gzip data."""
WBITS = {"gzip": GZIP, "x-gzip": GZIP, "deflate": ZLIB}
MAX_ENCODINGS = 3
"""Largest number of encodings that may be applied one after the other."""
MAX_MEMBERS = 1000
"""Largest number of parts of one body that were compressed separately: empty ones take time and yield nothing."""


class UnknownContentEncoding(HTTPException):
    """The Content-Encoding of the request is not supported."""

    def __init__(self, encoding: str) -> None:
        super().__init__(
            415,
            f"the Content-Encoding {encoding[:100]!r} is not supported, only gzip and deflate are (at most "
            f"{MAX_ENCODINGS} of them): send the body in one of these, or uncompressed and without this header",
            {"Accept-Encoding": "gzip, deflate"},  # RFC 9110, 15.5.16
        )


class Inflater:
    """Decompresses one encoding in pieces of bounded size, to `max_bytes` at most."""

    def __init__(self, encoding: str, max_bytes: int) -> None:
        self._encoding = encoding
        self._max_bytes = max_bytes
        self._total = 0
        self._members = 1
        self._wbits = WBITS[encoding]
        self._decoder = zlib.decompressobj(self._wbits)
        self._head = b""

    def unpack(self, data: bytes) -> Iterator[bytes]:
        """The decompressed data in pieces of up to PIECE_BYTES, some of them empty; raises BadBody and BodyTooLarge."""
        if len(self._head) < 2:  # the length of a zlib header
            data = self._head = self._head + data
            if len(data) < 2:
                return
            if self._wbits == ZLIB and not (data[0] & 15 == 8 and int.from_bytes(data[:2], "big") % 31 == 0):
                self._wbits = RAW
            self._decoder = zlib.decompressobj(self._wbits)
        may_hold_more = False
        while data or may_hold_more:
            if self._decoder.eof:  # another gzip member may follow, or padding of zeros
                data = data.lstrip(b"\x00") if self._wbits == GZIP else data
                if not data:
                    return
                self._begin_member(data)
            piece = self._decompress(data)
            self._total += len(piece)
            if self._total > self._max_bytes:
                raise BodyTooLarge(self._max_bytes)
            yield piece
            may_hold_more = len(piece) == PIECE_BYTES  # the decoder may hold output that did not fit
            data = self._decoder.unconsumed_tail or self._decoder.unused_data

    def _begin_member(self, data: bytes) -> None:
        self._members += 1
        if self._wbits != GZIP or data[:1] != GZIP_MAGIC or self._members > MAX_MEMBERS:
            raise BadBody(
                f"the body goes on after the end of its {self._encoding} data, or has more than {MAX_MEMBERS} parts: "
                "compress it as a whole, and send nothing after the end"
            )
        self._decoder = zlib.decompressobj(self._wbits)

    def _decompress(self, data: bytes) -> bytes:
        try:
            return self._decoder.decompress(data, PIECE_BYTES)
        except zlib.error as error:
            raise BadBody(
                f"the body is not valid {self._encoding} data, as its Content-Encoding says ({error}): compress it, or "
                "leave out the header Content-Encoding"
            ) from error

    def finish(self) -> None:
        """Check that the data are complete; raises BadBody if their end is missing."""
        if self._head and not self._decoder.eof:
            raise BadBody(f"the {self._encoding} data of the body break off before their end: send all of them")


class DecodedBodies:
    """Decompresses request bodies; refuses those of more than `max_bytes` after decompression, however small before."""

    def __init__(self, app: ASGIApp, max_bytes: int) -> None:
        self.app = app
        self.max_bytes = max_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        header = ",".join(Headers(scope=scope).getlist("Content-Encoding"))
        names = [part.strip().lower() for part in header.split(",")]
        encodings = [name for name in names if name not in ("", "identity")]
        if not encodings:
            return await self.app(scope, receive, send)
        if len(encodings) > MAX_ENCODINGS or not set(encodings) <= set(WBITS):
            return await problems.response(UnknownContentEncoding(header), Request(scope))(scope, receive, send)
        headers = [pair for pair in scope["headers"] if pair[0] not in (b"content-encoding", b"content-length")]
        body = _DecompressedBody(receive, [Inflater(name, self.max_bytes) for name in reversed(encodings)])
        await self.app({**scope, "headers": headers}, body.receive, send)


class _DecompressedBody:
    """The messages of a request with its body decompressed."""

    def __init__(self, receive: Receive, inflaters: list[Inflater]) -> None:
        self._receive = receive
        self._inflaters = inflaters
        self._pieces: Iterator[bytes] = iter(())
        self._more = True

    async def receive(self) -> Message:
        """The next piece of the body; raises what `Inflater.unpack` raises."""
        while True:
            if (piece := await self._next_piece()) is not None:
                return {"type": "http.request", "body": piece, "more_body": True}
            if not self._more:
                return await self._receive()  # the message that the client has disconnected
            message = await self._receive()
            if message["type"] != "http.request":
                return message
            self._more = message.get("more_body", False)
            self._pieces = self._decompress(message.get("body", b""), self._inflaters)
            if not self._more:
                return await self._last()

    async def _next_piece(self) -> bytes | None:
        """The next piece that is not empty; None at the end of what has arrived.

        Others have their turn after each piece: twenty megabytes that say nothing take seconds.
        """
        for piece in self._pieces:
            await asyncio.sleep(0)
            if piece:
                return piece
        return None

    async def _last(self) -> Message:
        pieces = []
        while (piece := await self._next_piece()) is not None:
            pieces.append(piece)
        for inflater in self._inflaters:
            inflater.finish()
        return {"type": "http.request", "body": b"".join(pieces), "more_body": False}

    def _decompress(self, data: bytes, inflaters: list[Inflater]) -> Iterator[bytes]:
        if not inflaters:
            yield data
            return
        for piece in inflaters[0].unpack(data):
            if piece:
                yield from self._decompress(piece, inflaters[1:])
            else:
                yield b""
