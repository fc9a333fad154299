"""What all endpoints share: settings, models and the engine; and waiting for a result while the client is there."""

import asyncio
import contextlib
import math
import time
from collections.abc import AsyncIterator
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal, TypeVar, cast

from anyio import CapacityLimiter
from fastapi import Depends, Request

from app.decoding.decoders import Decoders
from app.engine.cache import ResultCache
from app.engine.catalogue import State
from app.engine.engine import Engine
from app.engine.registry import Registry
from app.engine.shared_computations import SharedComputations
from app.memory.budget import MemoryBudget
from app.settings import Settings
from app.telemetry.record import current_record
from app.web.problems import ClientLeft
from app.web.stopping import Stopping
from models.query import DeadlineExceeded
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
    memory: MemoryBudget
    decoders: Decoders
    # Computations that are under way, by key: requests for the same thing wait for the same computation.
    shared: SharedComputations[Any] = field(default_factory=SharedComputations)
    # Threads that write responses. A large photo takes seconds to encode and compare, and memory for several copies.
    presenters: CapacityLimiter = field(default_factory=lambda: CapacityLimiter(2))
    stopping: Stopping = field(default_factory=Stopping)

    def query_rows(self, model: Model) -> int:
        """How many pictures a task should ask the model about at once, where it can look at several."""
        return min(model.classifier.pass_times.query_rows, self.engine.max_rows)

    def model(self, name: str | None) -> Model:
        """The model for which a request asks, None for the default one; it is noted in the request's record.

        Raises what `Registry.get` raises.
        """
        if (record := current_record()) is not None:
            asked = name or self.registry.default
            record.model = asked if asked in self.registry.names else "other"
        return self.registry.get(name)

    def readiness(self) -> State | Literal["draining"]:
        """`draining` when the service is about to stop, `loading` while a model is being loaded, `failed` while the
        engine does not work; else the state of the default model.
        """
        if self.stopping.is_draining:
            return "draining"
        if not self.engine.works:
            return "failed"
        return self.registry.state(self.registry.default) if self.registry.loaded else "loading"


async def the_service(request: Request) -> Service:
    """The dependency through which endpoints get the service; async, since FastAPI runs others on threads."""
    return cast(Service, request.app.state.service)


ServiceDependency = Annotated[Service, Depends(the_service)]


async def result_for(
    request: Request, work: "Future[Result] | asyncio.Future[Result]", until: float = math.inf
) -> Result:
    """The result of the work; if the client leaves first, the work is cancelled and ClientLeft is raised.

    Raises DeadlineExceeded if the work is not done at the time `until`, on the clock of time.monotonic().
    """
    result: asyncio.Future[Result] = asyncio.wrap_future(work)
    try:
        return await result_while_connected(request, result, until)
    finally:
        result.cancel()  # which cancels the engine's future as well; has no effect where it is done


async def result_while_connected(request: Request, result: "asyncio.Future[Result]", until: float = math.inf) -> Result:
    """The result; if the client leaves first, ClientLeft is raised and the work goes on. `until` as in `result_for`."""
    work = cast("asyncio.Future[Any]", result)
    await asyncio.wait([work], timeout=min(UNWATCHED_S, until - time.monotonic()))
    if not work.done():
        async with _watch(request) as client_left:
            await asyncio.wait([work, client_left], return_when=asyncio.FIRST_COMPLETED, timeout=_seconds(until))
            left = client_left.done()
        if not work.done() and not left:
            raise DeadlineExceeded("not done in time: ask for fewer steps, or allow more time")
    if not result.done():
        raise ClientLeft
    return result.result()


def _seconds(until: float) -> float | None:
    """Seconds until a time, at least 0; None for an infinite time."""
    return None if until == math.inf else max(0.0, until - time.monotonic())


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
