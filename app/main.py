"""create_app: builds the service, loads its models in the background, drains it at the end."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from fastapi import Depends, FastAPI
from starlette.concurrency import run_in_threadpool
from starlette.types import ASGIApp

from app.adversarial import curve
from app.adversarial import route as adversarial
from app.engine.cache import Cache
from app.engine.engine import Engine
from app.engine.registry import Registry
from app.ideal import route as ideal
from app.inside import explain, features
from app.operations import classify, health, metrics, models
from app.settings import Settings
from app.web import docs, openapi, problems
from app.web.middleware import middleware
from app.web.middleware.cors import Cors
from app.web.middleware.encodings import DecodedBodies
from app.web.middleware.head import Head
from app.web.middleware.proxy import BehindProxy, RelativeRedirects, TrustedHosts
from app.web.security import require_key
from app.web.service import Service
from models.classifier import choose_device

DESCRIPTION = """See what an image classifier sees: **classify** a picture, draw the **ideal** picture of a class,
find the **adversarial** picture that looks like one thing to a person and like another to the model."""


class Application(FastAPI):
    """FastAPI with middleware also around its handler of unforeseen errors."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._around: list[Callable[[ASGIApp], ASGIApp]] = []

    def surround_by(self, middleware: Callable[[ASGIApp], ASGIApp]) -> None:
        """Put a middleware around all that is there so far."""
        self._around.append(middleware)

    def build_middleware_stack(self) -> ASGIApp:
        """Starlette's hook, called once."""
        stack = super().build_middleware_stack()
        for each in self._around:
            stack = each(stack)
        return stack


def create_app(settings: Settings | None = None, *, on_loaded: Callable[[Registry], None] | None = None) -> FastAPI:
    """The application; `on_loaded` is called, on a thread of its own, when the models are loaded or have failed."""
    settings = settings or Settings()
    device = choose_device(settings.device)
    registry = Registry(settings.models, folder=settings.checkpoints, device=device)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        engine = Engine(max_rows=settings.max_rows, max_waiting=settings.max_waiting, max_weight=settings.max_pixels)
        app.state.service = Service(settings, registry, engine, Cache(settings.cache, settings.cache_bytes))
        registry.load_in_background(on_loaded)
        yield
        await run_in_threadpool(registry.stop)
        await run_in_threadpool(engine.close)

    app = Application(
        title="Mirage",
        description=DESCRIPTION,
        version="0.1.0",
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        swagger_ui_oauth2_redirect_url=None,
        generate_unique_id_function=lambda route: route.name,
    )
    for routes in (classify, ideal, adversarial, curve, features, explain, models, metrics):
        app.include_router(routes.router, dependencies=[Depends(require_key)], responses=openapi.problems(401))
    app.include_router(health.router)
    docs.install(app)
    openapi.install(app, registry)
    problems.install(app)
    app.add_middleware(DecodedBodies, max_bytes=settings.max_bytes)
    app.add_middleware(middleware.BodyLimit, max_bytes=settings.max_bytes)
    # From the inside out, and all of them around the handler of what fails unforeseen: its answers want them too.
    app.surround_by(middleware.EndedEarly)
    if settings.trusted_hosts:
        app.surround_by(lambda inner: TrustedHosts(inner, settings.trusted_hosts))
    if settings.cors_origins:
        app.surround_by(lambda inner: Cors(inner, settings.cors_origins))
    app.surround_by(RelativeRedirects)
    app.surround_by(Head)
    proxies = settings.forwarded_allow_ips if settings.unix_socket is None else ("*",)  # its file says who may connect
    app.surround_by(lambda inner: BehindProxy(inner, settings.root_path, proxies))
    app.surround_by(middleware.RequestId)
    return app
