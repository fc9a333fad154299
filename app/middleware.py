"""Through which middleware requests and responses pass, and in which order."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from fastapi import FastAPI
from starlette.types import ASGIApp

from app.memory.budget import MemoryBudget
from app.settings import Settings
from app.web.metrics.requests import RequestMetrics
from app.web.middleware.access_log import AccessLog, NotedRoute
from app.web.middleware.body_limit import BodyLimit
from app.web.middleware.body_memory import BodyMemory
from app.web.middleware.body_timeout import BodyTimeout
from app.web.middleware.cancellation import CancelledRequests
from app.web.middleware.cors import Cors
from app.web.middleware.encodings import DecodedBodies
from app.web.middleware.head import Head
from app.web.middleware.proxy import BehindProxy, RelativeRedirects, TrustedHosts
from app.web.middleware.request_id import RequestId
from app.web.middleware.security_headers import SecurityHeaders
from app.web.stopping import Stopping

if TYPE_CHECKING:
    from app.telemetry.opentelemetry_traces import OpenTelemetryTraces  # of the extra `otel`


class Application(FastAPI):
    """FastAPI with middleware that also wraps FastAPI's own handler of unexpected errors."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._outer_middleware: list[Callable[[ASGIApp], ASGIApp]] = []

    def add_outer_middleware(self, middleware: Callable[[ASGIApp], ASGIApp]) -> None:
        """Wrap the whole application, with the middleware that was added before, in one more."""
        self._outer_middleware.append(middleware)

    def build_middleware_stack(self) -> ASGIApp:
        """Build the middleware; Starlette calls this once, before the first request."""
        stack = super().build_middleware_stack()
        for middleware in self._outer_middleware:
            stack = middleware(stack)
        return stack


def add_middleware(
    app: Application,
    settings: Settings,
    memory: MemoryBudget,
    stopping: Stopping,
    request_metrics: RequestMetrics,
    traces: "OpenTelemetryTraces | None",
) -> None:
    """Add all middleware, from the inside out.

    The outer middleware also applies to the responses of the handler of unexpected errors.
    """
    app.add_middleware(NotedRoute)
    app.add_middleware(BodyMemory, memory=memory)
    app.add_middleware(DecodedBodies, max_bytes=settings.max_bytes)
    app.add_middleware(BodyLimit, max_bytes=settings.max_bytes)
    app.add_middleware(BodyTimeout, stopping, idle_s=settings.body_idle_s, deadline_s=settings.deadline_s)
    app.add_outer_middleware(CancelledRequests)
    if settings.trusted_hosts:
        app.add_outer_middleware(lambda inner: TrustedHosts(inner, settings.trusted_hosts))
    if settings.cors_origins:
        app.add_outer_middleware(lambda inner: Cors(inner, settings.cors_origins))
    app.add_outer_middleware(RelativeRedirects)
    app.add_outer_middleware(Head)
    # Only a local proxy can connect to a unix socket: the permissions of its file decide who may.
    proxies = ("*",) if settings.unix_socket is not None else settings.forwarded_allow_ips
    app.add_outer_middleware(lambda inner: BehindProxy(inner, settings.root_path, proxies))
    app.add_outer_middleware(lambda inner: AccessLog(inner, request_metrics))
    if traces is not None:
        from app.web.middleware.traced import Traced  # imports what the extra `otel` installs

        app.add_outer_middleware(lambda inner: Traced(inner, traces))
    app.add_outer_middleware(RequestId)
    app.add_outer_middleware(SecurityHeaders)
