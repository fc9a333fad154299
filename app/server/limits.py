"""What one connection may cost before it is closed."""

from dataclasses import dataclass
from typing import Any

import uvicorn

from app.settings import Settings
from app.web.metrics.requests import RequestMetrics


@dataclass(frozen=True)
class Limits:
    """The bounds of connections. The request's body has its own (app/web/middleware/body_timeout.py)."""

    max_connections: int = 1000
    """Open connections. To accept one more, the one that has been idle for longest is closed; without an idle one, the
    new one is refused."""
    keep_alive_s: float = 75.0
    """Seconds for which a connection may be idle: before its first request, or between two requests."""
    header_s: float = 10.0
    """Seconds from the first byte of a request until its headers are complete."""
    header_bytes: int = 65_536
    """Bytes of the request line and headers. The framing of a chunked body (sizes of the chunks, their extensions,
    trailers) may have as many, and as many again as there are bytes in the body."""
    header_fields: int = 128
    """Number of header fields: each one costs time in every search for a header."""
    stalled_reader_s: float = 60.0
    """Seconds for which a client may read nothing of a response that is ready for it."""
    reader_bytes_per_s: int = 5_000
    """Least rate at which a client reads a response, apart from stalled_reader_s seconds, while it has more than
    small_response_bytes to read that are ready for it: so long they take memory."""
    small_response_bytes: int = 200_000
    """Bytes that a client may read as slowly as it likes; an event stream has no more, since it leaves events out."""
    linger_s: float = 5.0
    """Seconds for which the rest of a request is read and thrown away after the response, before the connection is
    closed. A connection that is closed while data arrive is reset, and the client may lose the response."""
    linger_bytes: int = 20_000_000
    """Bytes of that rest after which the connection is closed at once."""

    @staticmethod
    def of(settings: Settings) -> "Limits":
        """The limits with those that the operator may set."""
        return Limits(
            max_connections=settings.max_connections,
            keep_alive_s=settings.keep_alive_s,
            linger_bytes=settings.max_bytes,
        )


class BoundedConfig(uvicorn.Config):
    """uvicorn's configuration, with the limits of connections, and the metrics in which refusals are counted."""

    def __init__(self, limits: Limits, metrics: RequestMetrics | None = None, **options: Any) -> None:
        super().__init__(**options)
        self.limits = limits
        self.metrics = metrics
