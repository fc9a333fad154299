"""What all endpoints share: settings, models and the engine; and waiting for a result while the client is there."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Annotated, Any, TypeVar, cast

from anyio import CapacityLimiter
from fastapi import Depends, Request

from app.engine.cache import ResultCache
from app.engine.engine import Engine
from app.engine.progress import Listener
from app.engine.registry import Registry, State
from app.engine.shared_computations import SharedComputations
from app.settings import Settings
from app.web.pixel_budget import PixelBudget
from app.web.problems import ClientLeft
from models.query import Task
from models.store import Model

Result = TypeVar("Result")
UNWATCHED_S = 0.05
"""Seconds until it is watched whether the client of a request leaves: a watch costs more than a short wait is worth."""


@dataclass(frozen=True)
class Service:
    """One running service; `create_app` builds it and keeps it in the application's state."""

    settings: Settings
    registry: Registry
    engine: Engine
    cache: ResultCache
    # Pixels of uploads that are decoded at once.
    pixels: PixelBudget
    # Computations that are under way, by key: requests for the same thing wait for the same computation.
    shared: SharedComputations[Any] = field(default_factory=SharedComputations)
    # Threads that decode uploads, or wait until `pixels` has room for theirs.
    decoders: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(16, "decoder"))
    # Threads that write responses. A large photo takes seconds to encode and compare, and memory for several copies.
    presenters: CapacityLimiter = field(default_factory=lambda: CapacityLimiter(2))

    def submit(
        self,
        task: Task[Result],
        model: Model,
        *,
        deadline_s: float | None = None,
        on_progress: Listener | None = None,
        weight: int = 0,
        sequel: bool = False,
    ) -> "Future[Result]":
        """Hand a task to the engine, with the service's deadline or the client's, whichever is sooner.

        The other options are those of `Engine.submit`.
        """
        limit = min(deadline_s or self.settings.deadline_s, self.settings.deadline_s)
        return self.engine.submit(
            task, model.classifier, deadline_s=limit, on_progress=on_progress, weight=weight, sequel=sequel
        )

    def query_rows(self, model: Model) -> int:
        """How many pictures a task should ask the model about at once, where it can look at several."""
        return min(model.classifier.pass_times.query_rows, self.settings.max_rows)

    def readiness(self) -> State:
        """`loading` while a model is being loaded; then the state of the default model."""
        states = [self.registry.state(name) for name in self.registry.names]
        return "loading" if "loading" in states else states[0]


async def the_service(request: Request) -> Service:
    """The dependency through which endpoints get the service; async, since FastAPI runs others on threads."""
    return cast(Service, request.app.state.service)


ServiceDependency = Annotated[Service, Depends(the_service)]


async def result_for(request: Request, work: "Future[Result] | asyncio.Future[Result]") -> Result:
    """The result of the work; if the client leaves first, the work is cancelled and ClientLeft is raised."""
    result: asyncio.Future[Result] = asyncio.wrap_future(work)
    try:
        return await result_while_connected(request, result)
    finally:
        result.cancel()  # which cancels the engine's future as well; has no effect where it is done


async def result_while_connected(request: Request, result: "asyncio.Future[Result]") -> Result:
    """The result; if the client leaves first, ClientLeft is raised and the work goes on."""
    work = cast("asyncio.Future[Any]", result)
    await asyncio.wait([work], timeout=UNWATCHED_S)
    if not work.done():
        async with _watch(request) as client_left:
            await asyncio.wait([work, client_left], return_when=asyncio.FIRST_COMPLETED)
    if not result.done():
        raise ClientLeft
    return result.result()


@contextlib.asynccontextmanager
async def _watch(request: Request) -> AsyncIterator["asyncio.Task[None]"]:
    """A task that ends when the client leaves; uvicorn reports this only to an application that calls `receive`."""
    watch = asyncio.create_task(_until_left(request))
    try:
        yield watch
    finally:
        watch.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await watch


async def _until_left(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass  # what is left of the request's body
