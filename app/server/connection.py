"""One HTTP/1.1 connection with bounds on how much a client sends, how slowly, and how slowly it reads.

It builds on uvicorn's protocol, which parses requests and runs the application, and which has no such bounds
(docs/decisions/0052).
"""

import asyncio
import contextlib
import logging
import math
import time
from typing import Any, cast

import httptools
from starlette.exceptions import HTTPException
from uvicorn._types import ASGI3Application, ASGIReceiveCallable, ASGISendCallable, ASGISendEvent, Scope
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

from app.engine.admission import ShuttingDown
from app.server.limits import BoundedConfig
from app.server.reader import Reader
from app.server.refusals import (
    HeadersTooLarge,
    HeadersTooSlow,
    MalformedRequest,
    TooManyConnections,
    UpgradeWithBody,
    refusal,
)
from app.server.system_buffer import bytes_in_system_buffer
from app.web.middleware.access_log import note_answer_to_request, note_refusal

logger = logging.getLogger(__name__)
PIECE_BYTES = 4096
"""Bytes that are parsed at a time: limits are kept to within one piece, and few tiny requests fit into it. A body whose
length is known is parsed in larger pieces, as it arrives, which is faster."""
REFUSED_AT_ONCE = 100
"""Connections over the limit that may be open while they are told so; those beyond are closed without an answer."""
PATIENCE_WHEN_STOPPING_S = 1.0
"""Seconds that take the place of Limits.header_s and Limits.linger_s when the service stops, and for which it waits for
the first request of a new connection: it is probably on its way."""
STALLED_WHEN_STOPPING_S = 5.0
"""Seconds that take the place of Limits.stalled_reader_s when the service stops, counted from then on."""


class Connection(HttpToolsProtocol):
    """A connection; the server calls `check` regularly."""

    def __init__(
        self,
        config: BoundedConfig,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self.limits = config.limits
        self._metrics = config.metrics
        self._responses = cast(asyncio.Transport, _ResponseTransport(self))
        self._unparsed = bytearray()
        self._since = 0.0  # when the present wait for the client began, on the clock of time.monotonic()
        self._in_headers = False
        self._overhead = 0  # bytes of the present request that are not its body
        self._payload = 0  # bytes of its body
        self._body_left = 0  # bytes of its body that have not been parsed, as far as its Content-Length says
        self._ignores_input = False
        self._is_lingering = False
        self._thrown_away = 0  # bytes that arrived while lingering
        self._stopping_since = math.inf  # on the clock of time.monotonic()
        self._written = 0
        self._reader = Reader(self.limits, time.monotonic())

    @property
    def is_busy(self) -> bool:
        """Whether a request is with the application."""
        return self.cycle is not None and not self.cycle.response_complete

    @property
    def is_idle(self) -> bool:
        """Whether the client has nothing under way: the connection may be closed without a loss."""
        return not (self.is_busy or self._in_headers or self._unparsed or self._is_lingering)

    @property
    def _is_stopping(self) -> bool:
        return self._stopping_since < math.inf

    @property
    def is_closing(self) -> bool:
        """Whether nothing more can be sent."""
        return self._is_lingering or self.transport.is_closing()

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Accept the connection, in place of an idle one if there are too many."""
        super().connection_made(transport)
        self._since = time.monotonic()
        excess = len(self.connections) - self.limits.max_connections
        if excess <= 0:
            return
        others = [one for one in self.connections if isinstance(one, Connection) and one is not self]
        idle = [one for one in others if one.is_idle and not one.transport.is_closing()]
        if idle:
            min(idle, key=lambda one: one._since).transport.close()
        elif excess <= REFUSED_AT_ONCE:
            self.refuse(TooManyConnections())
        else:
            transport.abort()

    def check(self, now: float) -> None:
        """Close the connection if the client lets it wait for too long; `now` is that of time.monotonic()."""
        limits, waited = self.limits, now - self._since
        unsent = self.transport.get_write_buffer_size()
        if self._has_stalled(unsent, now):
            logger.info("closed the connection of %s, which does not read its response, or too slowly", self.client)
            self.transport.abort()
        if self._is_lingering:
            if not unsent and waited > (PATIENCE_WHEN_STOPPING_S if self._is_stopping else limits.linger_s):
                self.transport.abort()
        elif self.is_busy or self.transport.is_closing():
            return  # the application bounds the request, and the check above the rest of the response
        elif self._in_headers:
            if waited > limits.header_s:
                self.refuse(HeadersTooSlow(limits.header_s))
            elif self._is_stopping and waited > PATIENCE_WHEN_STOPPING_S:
                self.refuse(ShuttingDown("the service is stopping: send the request again, to another instance"))
        else:
            when_stopping_s = 0.0 if self.cycle else PATIENCE_WHEN_STOPPING_S
            if waited > (when_stopping_s if self._is_stopping else limits.keep_alive_s):
                self.transport.close()

    def _has_stalled(self, unsent: int, now: float) -> bool:
        """Whether the client reads nothing for too long, or too slowly, with `unsent` bytes in our own buffer."""
        queued = bytes_in_system_buffer(self.transport) if unsent else 0
        too_slow = self._reader.is_too_slow(now, self._written, unsent, queued)
        return too_slow or now - max(self._reader.read_at, self._stopping_since) > STALLED_WHEN_STOPPING_S

    def shutdown(self) -> None:
        """Close the connection if nothing is under way; responses that begin from now on say that it is closed.

        The server calls this regularly when it stops.
        """
        now = time.monotonic()
        self._stopping_since = min(self._stopping_since, now)
        self.check(now)

    def refuse(self, error: Exception) -> None:
        """Answer with the error's problem, unless an earlier request is being answered, and close the connection."""
        self._ignores_input = True
        details, response = refusal(error)
        if self.is_busy:
            if not self.cycle.more_body:  # the fault is in a later request; the one that is being answered still is
                logger.info("refused what %s sent: %s", self.client, error)
                self.cycle.keep_alive = False
                return
            if self.cycle.response_started or self.pipeline:
                logger.info("refused what %s sent: %s", self.client, error)
                self.transport.abort()
                return
            note_answer_to_request(cast(dict[str, Any], self.cycle.scope), details)
            self.cycle.disconnected = True  # the application sees that its client has left
            self.cycle.message_event.set()
        else:
            seconds = time.monotonic() - self._since
            note_refusal(self._metrics, details, client=self.client, sent_bytes=len(response), seconds=seconds)
        self.write(response)
        self.linger()

    def write(self, data: bytes) -> None:
        """Send these bytes after those that wait to be sent."""
        self._written += len(data)
        self.transport.write(data)

    def finish(self) -> None:
        """Close the connection after a response that is its last."""
        if self._ignores_input or self._unparsed or self.cycle.more_body:
            self.linger()
        else:
            self.transport.close()

    def linger(self) -> None:
        """Send what waits and the end of the stream; then throw away what arrives, until the client ends or `check`."""
        self._ignores_input = self._is_lingering = True
        self._unparsed.clear()
        self._since = time.monotonic()
        self.flow.resume_reading()
        with contextlib.suppress(OSError):  # the client has already gone
            self.transport.write_eof()

    def data_received(self, data: bytes) -> None:
        """Parse what has arrived."""
        if not self._ignores_input:
            self._unparsed += data
            self._parse()
        elif self._is_lingering:
            self._thrown_away += len(data)
            if self._thrown_away > self.limits.linger_bytes:
                self.transport.abort()

    def _parse(self) -> None:
        """Parse piece by piece until a request has to wait for the response to an earlier one."""
        while self._unparsed and not (self.pipeline or self._ignores_input or self.transport.is_closing()):
            size = max(PIECE_BYTES, self._body_left)
            piece = bytes(self._unparsed[:size])
            del self._unparsed[:size]
            self._overhead += len(piece)
            try:
                self.parser.feed_data(piece)
            except httptools.HttpParserUpgrade as upgrade:
                self._unparsed[:0] = piece[upgrade.args[0] :]  # the request is answered as if it had not asked for it
            except httptools.HttpParserError as error:
                cause = error.__context__  # what a callback has raised
                self.refuse(cause if isinstance(cause, HTTPException) else MalformedRequest())
                return
            if self._overhead > self.limits.header_bytes + self._payload:
                self.refuse(self._headers_too_large())
        if self._unparsed:
            self.flow.pause_reading()

    def _headers_too_large(self) -> HeadersTooLarge:
        return HeadersTooLarge(self.limits.header_bytes, self.limits.header_fields)

    def on_message_begin(self) -> None:
        """Called by the parser at the first byte of a request."""
        super().on_message_begin()
        self._in_headers, self._since = True, time.monotonic()

    def on_header(self, name: bytes, value: bytes) -> None:
        """Called by the parser for each header, and for each trailer after a chunked body; trailers are ignored."""
        if not self._in_headers:
            return
        if len(self.headers) >= self.limits.header_fields:
            raise self._headers_too_large()
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Called by the parser: the request is handed to the application, or waits for its turn."""
        if self.parser.should_upgrade() and any(
            name == b"transfer-encoding" or (name == b"content-length" and value.strip(b" 0"))
            for name, value in self.headers
        ):
            raise UpgradeWithBody  # the parser takes the body for the other protocol
        super().on_headers_complete()
        self._in_headers, self._payload = False, 0
        # The parser has checked it: one number, and no chunks beside it.
        self._body_left = next((int(value) for name, value in self.headers if name == b"content-length"), 0)

    def on_body(self, body: bytes) -> None:
        """Called by the parser with a part of the body."""
        self._overhead -= len(body)
        self._payload += len(body)
        self._body_left = max(0, self._body_left - len(body))
        super().on_body(body)

    def on_message_complete(self) -> None:
        """Called by the parser at the end of a request."""
        self._overhead = self._payload = self._body_left = 0
        super().on_message_complete()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        """Run the application on a request; the connection is closed afterwards if the body has not arrived by then."""
        cycle.transport = self._responses

        async def answer(scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
            async def send_or_close(message: ASGISendEvent) -> None:
                if cycle.more_body or (self._is_stopping and not self.pipeline):
                    cycle.keep_alive = False
                await send(message)

            await app(scope, receive, send_or_close)

        super()._start_asgi_task(cycle, answer)

    def on_response_complete(self) -> None:
        """Begin with the next request.

        Takes the place of uvicorn's function, whose timer for idle connections starts anew with every byte.
        """
        if self.is_closing:
            return
        self._since = time.monotonic()
        self.flow.resume_reading()
        if self.pipeline:
            self._start_asgi_task(*self.pipeline.pop())
        self._parse()


class _ResponseTransport:
    """The functions of a transport that uvicorn calls for a response; closing it is the connection's decision."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def write(self, data: bytes) -> None:
        self._connection.write(data)

    def close(self) -> None:
        self._connection.finish()

    def is_closing(self) -> bool:
        return self._connection.is_closing
