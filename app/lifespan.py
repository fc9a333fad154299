"""What is started before the first request of an application, and ended after the last one."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from fastapi import FastAPI
from starlette.concurrency import run_in_threadpool

from app.decoding.decoders import Decoders
from app.engine.cache import ResultCache
from app.engine.engine import Engine
from app.engine.failing import FailingModels
from app.engine.observer import FinishedBatch, Observer
from app.engine.registry import Registry
from app.engine.threads import compute_alone
from app.memory.allocator import return_freed_memory_regularly
from app.memory.base import Base
from app.memory.budget import MemoryBudget
from app.memory.pressure import Pressure
from app.settings import Settings
from app.web.metrics.batches import BatchMetrics, ModelNames
from app.web.service import Service
from app.web.stopping import Stopping

if TYPE_CHECKING:
    from app.telemetry.opentelemetry_traces import OpenTelemetryTraces  # of the extra `otel`

LOADER_ENDS_S = 1.0
"""Seconds for which the end of the service waits for a model that is being loaded."""


@dataclass(frozen=True)
class Lifespan:
    """Starts the service of an application, which `app.state.service` then is, and ends it.

    `on_loaded` and `on_broken` are those of `app.main.create_app`.
    """

    settings: Settings
    registry: Registry
    memory: MemoryBudget
    stopping: Stopping
    batches: BatchMetrics
    names: ModelNames
    traces: "OpenTelemetryTraces | None"
    on_loaded: Callable[[Registry], None] | None
    on_broken: Callable[[], None] | None

    @asynccontextmanager
    async def __call__(self, app: FastAPI) -> AsyncIterator[None]:
        """From the start of the application to its end."""
        threads = torch.get_num_threads()
        compute_alone()  # on this thread and those to come: only the engine and the loader compute in parallel
        service = app.state.service = self._service(threads)
        returning = asyncio.create_task(return_freed_memory_regularly(self._load_models(service, threads)))
        yield
        returning.cancel()
        await self._end(service)
        torch.set_num_threads(threads)

    def _service(self, threads: int) -> Service:
        """The service, whose engine computes on so many threads; its models are not loaded yet."""
        settings = self.settings
        engine = Engine(
            max_rows=settings.max_rows,
            max_tasks=settings.max_waiting,
            threads=threads,
            on_not_finite=FailingModels(self.registry),
            on_broken=self.on_broken,
            observer=_observer(self.batches, self.names, self.traces, Pressure(settings.memory)),
        )
        cache = ResultCache(settings.cache, settings.cache_bytes)
        return Service(settings, self.registry, engine, cache, self.memory, Decoders(), stopping=self.stopping)

    def _load_models(self, service: Service, threads: int) -> Callable[[], None]:
        """Begin to load the models; what is returned takes account of the memory of those that are loaded by then."""
        registry, base = self.registry, list[Base]()

        def limited_batch() -> int:
            """Limit the rows of batches, and return the bytes of the largest."""
            batches, engine = registry.batch_memory, service.engine
            engine.limit_rows(batches.most_rows(self.memory.total, engine.max_rows))
            return round(engine.max_rows * batches.row_bytes)

        def loaded(registry: Registry) -> None:
            base.append(Base(self.memory, service.decoders.processes, registry.model_bytes, limited_batch()))
            if self.on_loaded is not None:
                self.on_loaded(registry)

        def follow_models() -> None:
            for one in base:
                one.update(registry.model_bytes, limited_batch())

        registry.load_in_background(loaded, threads=threads)
        return follow_models

    async def _end(self, service: Service) -> None:
        await run_in_threadpool(service.registry.stop, LOADER_ENDS_S)
        await run_in_threadpool(service.decoders.close)
        await run_in_threadpool(service.engine.close)
        if self.traces is not None:
            await run_in_threadpool(self.traces.close)


def _observer(
    batches: BatchMetrics, names: ModelNames, traces: "OpenTelemetryTraces | None", pressure: Pressure
) -> Observer:
    """What the engine calls after each batch."""

    def observe(batch: FinishedBatch) -> None:
        pressure.relieve()
        batches.add(batch)
        if traces is not None and batch.spans:
            attributes: dict[str, str | int] = {
                "mirage.model": names.of(batch.network),
                "mirage.batch.kind": batch.kind,
                "mirage.batch.rows": batch.rows,
            }
            traces.add_batch(batch.spans, attributes, batch.begun, batch.ended)

    return observe
