"""Runs a service at its capacity, then with four times as many clients, and looks at it a minute later.

Capacity is as many clients as the service has places for requests (MIRAGE_MAX_WAITING): each has one request under way,
so all places are taken and nobody is refused. Fewer clients would leave a part of the machine idle at times, and one
more could be refused. Six of ten clients classify, and four ask for attacks, explanations and ideal pictures; both are
within what their kind may have (three quarters of the places).

Four times as many clients in place of four times as many requests a second: a client that is refused waits as
Retry-After says before it sends another request. With arrivals that never slow down, three of four requests could not
be served whatever the service says, and no time at which to come back could be kept for each of them.
"""

import asyncio
import itertools
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import httpx

from soak import watch
from soak.bundled_model import write_bundled
from soak.load.judgement import Measured, judge, quantile, seconds_of
from soak.memory_use import Peak, memory_bytes
from soak.outcome import Outcome
from soak.service import RunningService, running_service
from soak.traffic.client import Client, Exchange
from soak.traffic.requests import Mix, quick, slow

PLACES = 64
"""MIRAGE_MAX_WAITING, as by default."""
CLASSIFYING = 0.6
"""Part of the clients that classify."""
OVERLOAD = 4
"""How many times as many clients as at capacity."""
LEAVE = 0.3
"""Part of the requests in whose middle the client leaves."""
DEADLINE_S = 60.0
MEMORY_BYTES = 4_000_000_000
"""MIRAGE_MEMORY: as much as 64 places need, since attacks reserve 38 MB each for a picture of 451 x 300 pixels."""
LOG_CHARACTERS = 4000
"""How much of the log of the service is shown where a promise is broken."""
LAST_S = 120.0
"""Seconds that clients may still wait for their last answers, beyond the deadline of the service."""


@dataclass(frozen=True)
class Times:
    """Seconds of each phase; memory settles twice, before the run and after it."""

    warm_up_s: float = 20.0
    settle_s: float = 35.0
    capacity_s: float = 45.0
    overload_s: float = 600.0
    afterwards_s: float = 60.0

    @classmethod
    def within(cls, seconds: float) -> "Times":
        """The usual times, with an overload that lets the whole run take so many seconds: at least ten."""
        rest = cls(overload_s=0)
        others = rest.warm_up_s + rest.settle_s + rest.capacity_s + rest.afterwards_s
        return replace(rest, overload_s=max(10.0, seconds - others))


def load(*, times: Times, places: int = PLACES) -> Outcome:
    """Measure a service with so many places, and judge what was measured."""
    with (
        tempfile.TemporaryDirectory() as folder,
        running_service(
            Path(folder) / "service",
            write_models=write_bundled,
            max_waiting=places,
            deadline_s=DEADLINE_S,
            memory=MEMORY_BYTES,
            log_level="warning",
        ) as service,
    ):
        outcome = judge(asyncio.run(measure(service, times, places)))
        if outcome.problems and service.log:
            outcome.problems.append(f"the log of the service ends with:\n{service.log[-LOG_CHARACTERS:]}")
        return outcome


async def measure(service: RunningService, times: Times, places: int) -> Measured:
    """Take a running service with so many places through all phases."""
    await _phase(service, places, times.warm_up_s)
    await asyncio.sleep(times.settle_s)
    pid = service.process.pid
    memory_before = await asyncio.to_thread(memory_bytes, pid)
    at_capacity = await _phase(service, places, times.capacity_s)
    usual_s = {name: quantile(seconds_of(at_capacity, name), 0.5) for name in _operations(at_capacity)}
    computed_before = await _computed(service)
    with Peak(pid, every_s=1.0) as peak:
        overloaded = await _phase(service, OVERLOAD * places, times.overload_s, leave=LEAVE, usual_s=usual_s)
    computed_s = {name: value - computed_before.get(name, 0.0) for name, value in (await _computed(service)).items()}
    await asyncio.sleep(times.afterwards_s)
    return Measured(
        at_capacity,
        overloaded,
        await asyncio.to_thread(documented_statuses, service.url),
        computed_s,
        DEADLINE_S,
        MEMORY_BYTES,
        memory_before,
        peak.bytes,
        await asyncio.to_thread(memory_bytes, pid),
        watch.under_way(await asyncio.to_thread(watch.read_metrics, service.url)),
    )


def documented_statuses(url: str) -> dict[str, set[int]]:
    """The statuses of each path's operations in the service's OpenAPI document."""
    paths = httpx.get(f"{url}/openapi.json", timeout=60, trust_env=False).raise_for_status().json()["paths"]
    return {
        path: {int(status) for operation in operations.values() for status in operation["responses"]}
        for path, operations in paths.items()
    }


async def _phase(
    service: RunningService,
    number: int,
    seconds: float,
    *,
    leave: float = 0.0,
    usual_s: Mapping[str, float] | None = None,
) -> list[Exchange]:
    """Run so many clients for so many seconds, until the last of them has its answer."""
    exchanges: list[Exchange] = []
    mixes = (quick(), slow())
    classifying = round(CLASSIFYING * number)
    clients = [
        Client(service.port, mix, exchanges.append, seed=seed, leave=leave, usual_s=usual_s)
        for seed, mix in enumerate(_assigned(mixes, classifying, number - classifying))
    ]
    until = time.monotonic() + seconds
    async with asyncio.timeout(seconds + DEADLINE_S + LAST_S):
        await asyncio.gather(*(client.run(until) for client in clients))
    return exchanges


def _assigned(mixes: tuple[Mix, Mix], *numbers: int) -> list[Mix]:
    return list(itertools.chain(*([mix] * number for mix, number in zip(mixes, numbers, strict=True))))


def _operations(exchanges: list[Exchange]) -> set[str]:
    return {one.request.operation for one in exchanges}


async def _computed(service: RunningService) -> dict[str, float]:
    return watch.computed_seconds(await asyncio.to_thread(watch.read_metrics, service.url))
