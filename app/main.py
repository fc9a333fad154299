"""create_app: builds the service, loads its models in the background and finishes its requests at the end."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import torch
from fastapi import Depends, FastAPI
from starlette.concurrency import run_in_threadpool
from starlette.types import ASGIApp

from app import openapi_document
from app.adversarial import adversarial, curve, targets
from app.engine.allocator import return_freed_memory_regularly
from app.engine.cache import ResultCache
from app.engine.engine import Engine
from app.engine.registry import Registry
from app.engine.threads import compute_alone
from app.ideal import ideal
from app.inside import explain, features
from app.operations import classify, classify_batch, health, metrics, models
from app.page import page
from app.settings import Settings
from app.web import docs, openapi, problems
from app.web.middleware.body_limit import BodyLimit
from app.web.middleware.cancellation import CancelledRequests
from app.web.middleware.cors import Cors
from app.web.middleware.encodings import DecodedBodies
from app.web.middleware.head import Head
from app.web.middleware.proxy import BehindProxy, RelativeRedirects, TrustedHosts
from app.web.middleware.request_id import RequestId
from app.web.middleware.security_headers import SecurityHeaders
from app.web.pixel_budget import PixelBudget
from app.web.security import require_key
from app.web.service import Service
from models import architectures
from models.classifier import choose_device
from models.version import project_version

DESCRIPTION = """Mirage shows what an image classifier sees: **classify** a picture, draw the **ideal** picture of a
class, or find an **adversarial** picture, which looks unchanged to a person and is classified differently by the model.

Every operation that takes a picture accepts it as the form field `image`, as the request body itself, or in JSON as
base64. Options may stand in the form, in the JSON or in the query. Errors are problem details (RFC 9457); their
`detail` says what is wrong and what to do next."""


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


def create_app(settings: Settings | None = None, *, on_loaded: Callable[[Registry], None] | None = None) -> FastAPI:
    """The application; it calls `on_loaded` on another thread when all models are loaded or have failed to load."""
    settings = settings or Settings()
    device = choose_device(settings.device)
    for source in settings.architectures:
        architectures.register(source)
    registry = Registry(settings.models, folder=settings.checkpoints, device=device, max_rows=settings.max_rows)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        threads = torch.get_num_threads()
        compute_alone()  # on this thread and those to come: only the engine and the loader compute in parallel
        engine = Engine(
            max_rows=settings.max_rows,
            max_tasks=settings.max_waiting,
            max_weight=settings.max_pixels,
            threads=threads,
        )
        cache = ResultCache(settings.cache, settings.cache_bytes)
        # The largest picture alone, or as many smaller ones at once as have no more pixels together.
        service = Service(settings, registry, engine, cache, PixelBudget(settings.max_pixels))
        app.state.service = service
        registry.load_in_background(on_loaded, threads=threads)
        returning = asyncio.create_task(return_freed_memory_regularly())
        yield
        returning.cancel()
        await run_in_threadpool(registry.stop)
        await run_in_threadpool(service.decoders.shutdown)
        await run_in_threadpool(engine.close)
        torch.set_num_threads(threads)

    app = Application(
        title="Mirage",
        description=DESCRIPTION,
        version=project_version(),
        openapi_tags=openapi_document.TAGS,
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        swagger_ui_oauth2_redirect_url=None,
        generate_unique_id_function=lambda route: route.name,
    )
    for routes in (classify, classify_batch, ideal, adversarial, curve, targets, features, explain, models, metrics):
        app.include_router(routes.router, dependencies=[Depends(require_key)], responses=openapi.problems(401))
    app.include_router(health.router)
    page.install(app)
    docs.install(app)
    openapi_document.install(app, registry)
    problems.install(app)
    _add_middleware(app, settings)
    return app


def _add_middleware(app: Application, settings: Settings) -> None:
    """From the inside out. The outer middleware also applies to the responses of the handler of unexpected errors."""
    app.add_middleware(DecodedBodies, max_bytes=settings.max_bytes)
    app.add_middleware(BodyLimit, max_bytes=settings.max_bytes)
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
    app.add_outer_middleware(RequestId)
    app.add_outer_middleware(SecurityHeaders)
