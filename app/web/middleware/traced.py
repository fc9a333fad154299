"""Middleware that begins and ends the trace of each request; it is there only where traces are switched on."""

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from app.telemetry.opentelemetry_traces import OpenTelemetryTraces
from app.telemetry.record import current_record

METHODS = ("GET", "HEAD", "POST", "OPTIONS", "PUT", "DELETE", "PATCH", "TRACE", "CONNECT")
"""The methods of HTTP; any other is noted as _OTHER, as OpenTelemetry's conventions say."""


UNTRACED = ("/health/", "/metrics")
"""Paths that are asked for every few seconds, and would hide all else."""


class Traced:
    """Gives the record of each request a trace, which continues that of the client's header `traceparent`.

    It is outside `AccessLog`, which notes the status and the route.
    """

    def __init__(self, app: ASGIApp, traces: OpenTelemetryTraces) -> None:
        self.app = app
        self.traces = traces

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        record = current_record()
        if scope["type"] != "http" or record is None or scope["path"].startswith(UNTRACED):
            return await self.app(scope, receive, send)
        method = scope["method"] if scope["method"] in METHODS else "_OTHER"
        trace = record.trace = self.traces.begin(method, Headers(scope=scope))
        try:
            await self.app(scope, receive, send)
        finally:
            attributes = {"mirage.request_id": record.request_id, "mirage.model": record.model}
            attributes |= {"http.route": record.route} if record.route else {}
            attributes |= {"error.type": record.problem} if record.problem else {}
            trace.end(f"{method} {record.route}".strip(), record.status, attributes)
