"""create_app: builds the service, loads its models in the background, drains it at the end."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from fastapi import Depends, FastAPI
from starlette.concurrency import run_in_threadpool

from app import docs, middleware, openapi, problems
from app.cache import Cache
from app.engine import Engine
from app.registry import Registry
from app.routes import adversarial, classify, curve, explain, features, health, ideal, metrics, models
from app.security import require_key
from app.service import Service
from app.settings import Settings
from models.classifier import choose_device

DESCRIPTION = """See what an image classifier sees: **classify** a picture, draw the **ideal** picture of a class,
find the **adversarial** picture that looks like one thing to a person and like another to the model."""


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
        await run_in_threadpool(engine.close)

    app = FastAPI(
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
    app.add_middleware(middleware.BodyLimit, max_bytes=settings.max_bytes)
    app.add_middleware(middleware.RequestId)
    return app
