"""What the routes share: settings, models, the engine; and waiting for a task on behalf of a client."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Annotated, Any, TypeVar, cast

from anyio import CapacityLimiter
from fastapi import Depends, Request

from app.engine.cache import Cache
from app.engine.engine import Engine
from app.engine.progress import Listener
from app.engine.registry import Registry, State
from app.engine.shared_computations import Shared
from app.settings import Settings
from app.web.problems import ClientLeft
from models.query import Task
from models.store import Model

Result = TypeVar("Result")


@dataclass(frozen=True)
class Service:
    """One running service; `create_app` builds it and keeps it in the application's state."""

    settings: Settings
    registry: Registry
    engine: Engine
    cache: Cache
    # What is being computed for whoever asks the same.
    shared: Shared[Any] = field(default_factory=Shared)
    # Decoding takes 14 to 25 bytes a pixel for a moment, and the pool has 40 threads.
    decoders: CapacityLimiter = field(default_factory=lambda: CapacityLimiter(4))
    # A large photo's report takes seconds of encoding and comparing, and a few copies of the photo.
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
        """Hand a task to the engine under the service's own deadline, or the client's where that is sooner."""
        limit = min(deadline_s or self.settings.deadline_s, self.settings.deadline_s)
        return self.engine.submit(
            task, model.classifier, deadline_s=limit, on_progress=on_progress, weight=weight, sequel=sequel
        )

    def readiness(self) -> State:
        """`ready` once every model is loaded or has failed, and the default one is loaded."""
        states = [self.registry.state(name) for name in self.registry.names]
        return "loading" if "loading" in states else states[0]


def the_service(request: Request) -> Service:
    """The dependency by which routes get the service."""
    return cast(Service, request.app.state.service)


ServiceDependency = Annotated[Service, Depends(the_service)]


async def result_for(request: Request, future: "Future[Result]") -> Result:
    """The future's result, or ClientLeft, with the task cancelled, if the client leaves first."""
    result: asyncio.Future[Result] = asyncio.wrap_future(future)
    try:
        return await result_while_there(request, result)
    finally:
        result.cancel()  # and with it the engine's future; nothing, where it is done


async def result_while_there(request: Request, result: "asyncio.Future[Result]") -> Result:
    """The result, or ClientLeft if the client leaves first; what is waited for goes on."""
    async with _watch(request) as left:
        await asyncio.wait([cast("asyncio.Future[Any]", result), left], return_when=asyncio.FIRST_COMPLETED)
    if not result.done():
        raise ClientLeft
    return result.result()


@contextlib.asynccontextmanager
async def _watch(request: Request) -> AsyncIterator["asyncio.Task[None]"]:
    """A task that ends when the client leaves; uvicorn tells nobody who does not ask."""
    watch = asyncio.create_task(_until_left(request))
    try:
        yield watch
    finally:
        watch.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await watch


async def _until_left(request: Request) -> None:
    message: dict[str, Any] = {}
    while message.get("type") != "http.disconnect":
        message = dict(await request.receive())
