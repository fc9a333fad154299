"""create_app: builds the service, loads its models in the background and finishes its requests at the end."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import torch
from fastapi import Depends, FastAPI
from prometheus_client import CollectorRegistry, ProcessCollector, disable_created_metrics
from starlette.concurrency import run_in_threadpool
from starlette.types import ASGIApp

from app import openapi_document
from app.adversarial import adversarial, curve, targets
from app.decoding.decoders import Decoders
from app.engine.allocator import return_freed_memory_regularly
from app.engine.cache import ResultCache
from app.engine.engine import Engine
from app.engine.failing import FailingModels
from app.engine.observer import FinishedBatch, Observer
from app.engine.registry import Registry
from app.engine.threads import compute_alone
from app.ideal import ideal
from app.inside import explain, features
from app.keys.key_ring import KeyRing
from app.memory.base import Base
from app.memory.budget import MemoryBudget
from app.operations import classify, classify_batch, health, metrics, models
from app.page import page
from app.settings import Settings
from app.web import docs, openapi, problems
from app.web.metrics.batches import BatchMetrics, ModelNames
from app.web.metrics.collectors import KeyCollector, ServiceCollector
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
from app.web.security import KeyCheck, require_full_key, require_key
from app.web.service import Service
from app.web.stopping import Stopping
from models import architectures
from models.classifier import choose_device
from models.version import project_version

if TYPE_CHECKING:
    from app.telemetry.opentelemetry_traces import OpenTelemetryTraces  # of the extra `otel`

DESCRIPTION = """Mirage shows what an image classifier sees: **classify** a picture, draw the **ideal** picture of a
class, or find an **adversarial** picture, which looks unchanged to a person and is classified differently by the model.

Every operation that takes a picture accepts it as the form field `image`, as the request body itself, or in JSON as
base64. Options may stand in the form, in the JSON or in the query; an empty value counts as left out. Bodies may be
compressed with gzip or deflate, as their Content-Encoding says. Where GET works, HEAD works as well. Errors are
problem details (RFC 9457); their `detail` says what is wrong and what to do next."""

LOADER_ENDS_S = 1.0
"""Seconds for which the end of the service waits for a model that is being loaded."""


MODELS_SHARE = 0.5
"""Part of MIRAGE_MEMORY that all models together may take; beyond it, those that are rarely used are unloaded."""


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


def create_app(
    settings: Settings | None = None,
    *,
    on_loaded: Callable[[Registry], None] | None = None,
    on_broken: Callable[[], None] | None = None,
) -> FastAPI:
    """The application; it calls `on_loaded` on another thread when all models are loaded or have failed to load.

    `on_broken` is called, on another thread, when the engine has failed too often to go on: the process should end.
    """
    settings = settings or Settings()
    disable_created_metrics()  # type: ignore[no-untyped-call]  # series that nobody reads
    device = choose_device(settings.device)
    for source in settings.architectures:
        architectures.register(source)
    memory = MemoryBudget(settings.memory)
    metrics_registry, traces = CollectorRegistry(), _traces(settings)
    stopping = Stopping()
    registry = Registry(
        settings.models,
        folder=settings.checkpoints,
        device=device,
        max_rows=settings.max_rows,
        reload_s=settings.reload_s,
        model_bytes=round(MODELS_SHARE * settings.memory),
        idle_s=settings.deadline_s,
    )

    names = ModelNames(registry)
    batches = BatchMetrics(metrics_registry, names)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        threads = torch.get_num_threads()
        compute_alone()  # on this thread and those to come: only the engine and the loader compute in parallel
        engine = Engine(
            max_rows=settings.max_rows,
            max_tasks=settings.max_waiting,
            threads=threads,
            on_not_finite=FailingModels(registry),
            on_broken=on_broken,
            observer=_observer(batches, names, traces),
        )
        cache = ResultCache(settings.cache, settings.cache_bytes)
        decoders = Decoders()
        app.state.service = Service(settings, registry, engine, cache, memory, decoders, stopping=stopping)

        base: Base | None = None

        def loaded(registry: Registry) -> None:
            nonlocal base
            base = Base(memory, decoders.processes, registry.model_bytes)
            if on_loaded is not None:
                on_loaded(registry)

        registry.load_in_background(loaded, threads=threads)

        def follow_models() -> None:
            if base is not None:
                base.update(registry.model_bytes)

        returning = asyncio.create_task(return_freed_memory_regularly(follow_models))
        yield
        returning.cancel()
        await run_in_threadpool(registry.stop, LOADER_ENDS_S)
        await run_in_threadpool(decoders.close)
        await run_in_threadpool(engine.close)
        if traces is not None:
            await run_in_threadpool(traces.close)
        torch.set_num_threads(threads)

    app = Application(
        title="Mirage",
        description=DESCRIPTION,
        version=project_version(),
        license_info={"name": "Apache License 2.0", "identifier": "Apache-2.0"},
        openapi_tags=openapi_document.TAGS,
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        swagger_ui_oauth2_redirect_url=None,
        generate_unique_id_function=lambda route: route.name,
    )
    app.state.key_check = KeyCheck(KeyRing(settings.api_keys, settings.api_keys_file))
    app.state.metrics = metrics_registry
    metrics_registry.register(ServiceCollector(lambda: app.state.service))
    metrics_registry.register(KeyCollector(app.state.key_check))
    ProcessCollector(registry=metrics_registry)
    for routes in (classify, classify_batch, models):  # what the keys with the role `classify` are for
        app.include_router(routes.router, dependencies=[Depends(require_key)], responses=openapi.problems(401, 429))
    refusals = openapi.problems(401, 403, 429)
    for routes in (ideal, adversarial, curve, targets, features, explain, metrics):
        app.include_router(routes.router, dependencies=[Depends(require_full_key)], responses=refusals)
    app.state.stopping = stopping
    app.include_router(health.router)
    page.install(app)
    docs.install(app)
    openapi_document.install(app, registry, app.state.key_check.ring)
    problems.install(app)
    _add_middleware(app, settings, memory, stopping, RequestMetrics(metrics_registry), traces)
    return app


def _traces(settings: Settings) -> "OpenTelemetryTraces | None":
    """What makes traces, if they are switched on; raises RuntimeError where the extra for them is missing."""
    if settings.traces == "off":
        return None
    try:
        from app.telemetry import opentelemetry_traces
    except ImportError as error:
        raise RuntimeError(
            f"MIRAGE_TRACES is {settings.traces}, which needs the extra otel ({error}): run make extras EXTRAS=otel, "
            "or set MIRAGE_TRACES=off"
        ) from error
    return opentelemetry_traces.OpenTelemetryTraces(opentelemetry_traces.otlp_exporter())


def _observer(batches: BatchMetrics, names: ModelNames, traces: "OpenTelemetryTraces | None") -> Observer:
    """What the engine calls after each batch."""

    def observe(batch: FinishedBatch) -> None:
        batches.add(batch)
        if traces is not None and batch.spans:
            attributes: dict[str, str | int] = {
                "mirage.model": names.of(batch.network),
                "mirage.batch.kind": batch.kind,
                "mirage.batch.rows": batch.rows,
            }
            traces.add_batch(batch.spans, attributes, batch.begun, batch.ended)

    return observe


def _add_middleware(
    app: Application,
    settings: Settings,
    memory: MemoryBudget,
    stopping: Stopping,
    request_metrics: RequestMetrics,
    traces: "OpenTelemetryTraces | None",
) -> None:
    """From the inside out. The outer middleware also applies to the responses of the handler of unexpected errors."""
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
