"""Middleware that writes one line to the log for each request, counts it in the metrics, and tells browsers its times.

The line says where the time went (app/telemetry/record.py). It has the route and not the path, and nothing else of the
client's own choice but the method, so that no client can fill the log or write lines of its own.
"""

import logging
import re
import time
from contextvars import copy_context

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.telemetry.logs import Value, clean
from app.telemetry.record import Phase, Record, begin_record, current_record
from app.web import problems
from app.web.metrics.requests import RequestMetrics
from app.web.problems import CLIENT_LEFT
from app.web.schemas import Problem

logger = logging.getLogger("app.access")
QUIET = ("/health/live", "/health/ready", "/metrics", "/page/{path}", "/docs/files/{path}")
"""Routes that are asked for every few seconds or by the dozen: logged at the level debug, unless they fail."""
TIMINGS: tuple[tuple[Phase, str], ...] = (
    ("received", "receive"),
    ("queued", "queue"),
    ("decoded", "decode"),
    ("computed", "compute"),
    ("encoded", "encode"),
)
"""The phases in the order in which a request has them, and their names in the header Server-Timing."""
ADDRESS = re.compile(r"[A-Za-z0-9.:%_-]{1,64}")
"""An IP address, or what a test or a unix socket has in place of one."""
NO_ROUTE = "(none)"
"""The route of what was refused before its path was known."""
REFUSED = "refused"
"""Name in the state of a request whose connection was told a problem, and then closed, while its body arrived."""
NO_ERROR = 400
"""Statuses below this one are those of requests that did not fail."""


class AccessLog:
    """Logs and counts requests; it is outside all other middleware that may answer."""

    def __init__(self, app: ASGIApp, metrics: RequestMetrics) -> None:
        self.app = app
        self.metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        record = current_record()
        if scope["type"] != "http" or record is None:
            return await self.app(scope, receive, send)
        exchange = _Exchange(record, receive, send)
        failed = False
        try:
            await self.app(scope, exchange.receive, exchange.send)
        except BaseException:
            failed = True
            raise
        finally:
            refused = scope.get("state", {}).get(REFUSED)
            record.status = exchange.final_status(failed=failed)
            if record.status == CLIENT_LEFT and refused is not None:
                record.status, record.problem = refused.status, problems.short_type(refused)
            seconds = exchange.ended - record.arrived
            self.metrics.add(record, seconds)
            _log(scope, record, exchange, seconds)
            record.is_over = not failed  # the server still logs the traceback of a failure


class NotedRoute:
    """Notes which route a request took; it is inside all other middleware, which may pass on copies of the scope."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        outside = scope.get("root_path", "")
        try:
            await self.app(scope, receive, send)
        finally:
            if (record := current_record()) is not None:
                record.route = _route(scope, outside)


def note_answer_to_request(scope: Scope, details: Problem) -> None:
    """Note that the connection itself has answered this request, to which the application does not reply any more."""
    scope.setdefault("state", {})[REFUSED] = details


def note_refusal(
    metrics: RequestMetrics | None,
    details: Problem,
    *,
    client: tuple[str, int] | None,
    sent_bytes: int,
    seconds: float,
) -> None:
    """Log and count what a connection has refused before it was a request, `seconds` after its first byte."""

    def note() -> None:
        record = begin_record(details.request_id)
        record.route, record.status, record.problem = NO_ROUTE, details.status, problems.short_type(details)
        if metrics is not None:
            metrics.add(record, seconds)
        fields: dict[str, Value] = {
            "route": record.route,
            "status": record.status,
            "problem": record.problem,
            **({"client": _address(client[0])} if client else {}),
            "sent_bytes": sent_bytes,
            "total_ms": _milliseconds(seconds),
        }
        logger.info("request", extra={"fields": fields})

    copy_context().run(note)  # the connection's own context may be that of an earlier request


def _route(scope: Scope, outside: str) -> str:
    """The route as the documentation has it, or the folder of a file: the root path has grown by its name."""
    folder = scope.get("root_path", "").removeprefix(outside)
    return f"{folder}/{{path}}" if folder else str(getattr(scope.get("route"), "path_format", ""))


class _Exchange:
    """The messages of one request and its response, with their bytes and times."""

    def __init__(self, record: Record, receive: Receive, send: Send) -> None:
        self.received_bytes = self.sent_bytes = 0
        self.ended = 0.0
        self._status = 0
        self._record = record
        self._receive, self._send = receive, send
        self._is_received = False

    async def receive(self) -> Message:
        message = await self._receive()
        if message["type"] == "http.request" and not self._is_received:
            self.received_bytes += len(message.get("body", b""))
            if not message.get("more_body", False):
                self._is_received = True
                if self.received_bytes:
                    self._record.spend("received", self._record.arrived, time.monotonic())
        return message

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._status = message["status"]
            if self._record.seconds:
                MutableHeaders(scope=message)["Server-Timing"] = self._timings()
        elif message["type"] == "http.response.body":
            self.sent_bytes += len(message.get("body", b""))
        await self._send(message)
        if message["type"] == "http.response.body" and not message.get("more_body", False):
            self.ended = time.monotonic()

    def final_status(self, *, failed: bool) -> int:
        """The status of the response, or what became of a request without a whole response."""
        if self.ended:
            return self._status
        self.ended = time.monotonic()
        return 500 if failed else CLIENT_LEFT

    def _timings(self) -> str:
        seconds = {name: self._record.seconds.get(phase) for phase, name in TIMINGS}
        seconds["total"] = time.monotonic() - self._record.arrived
        return ", ".join(f"{name};dur={1000 * value:.1f}" for name, value in seconds.items() if value is not None)


def _log(scope: Scope, record: Record, exchange: _Exchange, seconds: float) -> None:
    quiet = record.route in QUIET and (record.status < NO_ERROR or record.route.startswith("/health/"))
    level = logging.DEBUG if quiet else logging.INFO
    if not logger.isEnabledFor(level):
        return
    client = scope.get("client")
    fields: dict[str, Value] = {
        "method": clean(scope["method"], 20),
        "route": clean(record.route) or None,
        "status": record.status,
        "model": clean(record.model) or None,
        "problem": record.problem or None,
        "cached": record.from_cache,
        "key": clean(scope.get("state", {}).get("key_name", "")) or None,
        "client": _address(client[0]) if client else None,
        "received_bytes": exchange.received_bytes,
        "sent_bytes": exchange.sent_bytes,
        "total_ms": _milliseconds(seconds),
    }
    fields |= {f"{phase}_ms": _milliseconds(record.seconds[phase]) for phase, _ in TIMINGS if phase in record.seconds}
    if record.trace is not None:
        fields["trace_id"] = record.trace.trace_id
    known = {name: value for name, value in fields.items() if value is not None}
    logger.log(level, "request", extra={"fields": known})


def _address(host: str) -> str:
    """The address of a client, which a proxy may have passed on unchecked: only what looks like one can be logged."""
    return host if ADDRESS.fullmatch(host) else "invalid"


def _milliseconds(seconds: float) -> float:
    return round(1000 * seconds, 2)
