"""create_app: builds the application from its parts."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from fastapi import Depends, FastAPI
from prometheus_client import CollectorRegistry, ProcessCollector, disable_created_metrics

from app import openapi_document
from app.adversarial import adversarial, curve, targets
from app.engine.registry import Registry
from app.ideal import ideal
from app.inside import explain, features
from app.keys.key_ring import KeyRing
from app.lifespan import Lifespan
from app.memory.budget import MemoryBudget
from app.middleware import Application, add_middleware
from app.operations import classify, classify_batch, health, metrics, models
from app.page import page
from app.settings import Settings
from app.web import docs, openapi, problems
from app.web.metrics.batches import BatchMetrics, ModelNames
from app.web.metrics.collectors import KeyCollector, ServiceCollector
from app.web.metrics.requests import RequestMetrics
from app.web.security import KeyCheck, require_full_key, require_key
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

MODELS_SHARE = 0.5
"""Part of MIRAGE_MEMORY that all models together may take; beyond it, those that are rarely used are unloaded."""


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
    registry, memory, stopping = _registry(settings), MemoryBudget(settings.memory), Stopping()
    collected, traces, names = CollectorRegistry(), _traces(settings), ModelNames(registry)
    batches = BatchMetrics(collected, names)
    app = _application(Lifespan(settings, registry, memory, stopping, batches, names, traces, on_loaded, on_broken))
    app.state.key_check = KeyCheck(KeyRing(settings.api_keys, settings.api_keys_file))
    app.state.stopping = stopping
    _add_metrics(app, collected)
    _add_routes(app)
    openapi_document.install(app, registry, app.state.key_check.ring)
    problems.install(app)
    app.state.request_metrics = RequestMetrics(collected)
    add_middleware(app, settings, memory, stopping, app.state.request_metrics, traces)
    return app


def _registry(settings: Settings) -> Registry:
    """The registry, which has loaded no model yet."""
    device = choose_device(settings.device)
    for source in settings.architectures:
        architectures.register(source)
    return Registry(
        settings.models,
        folder=settings.checkpoints,
        device=device,
        max_rows=settings.max_rows,
        reload_s=settings.reload_s,
        model_bytes=round(MODELS_SHARE * settings.memory),
        idle_s=settings.deadline_s,
    )


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


def _application(lifespan: Lifespan) -> Application:
    return Application(
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


def _add_metrics(app: FastAPI, collected: CollectorRegistry) -> None:
    app.state.metrics = collected
    collected.register(ServiceCollector(lambda: app.state.service))
    collected.register(KeyCollector(app.state.key_check))
    ProcessCollector(registry=collected)


def _add_routes(app: FastAPI) -> None:
    for routes in (classify, classify_batch, models):  # what the keys with the role `classify` are for
        app.include_router(routes.router, dependencies=[Depends(require_key)], responses=openapi.problems(401, 429))
    refusals = openapi.problems(401, 403, 429)
    for routes in (ideal, adversarial, curve, targets, features, explain, metrics):
        app.include_router(routes.router, dependencies=[Depends(require_full_key)], responses=refusals)
    app.include_router(health.router)
    page.install(app)
    docs.install(app)
