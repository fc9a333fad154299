"""Stops a service under load in three ways: SIGTERM, SIGTERM twice, and kill -9 with another start."""

import asyncio
import json
import signal
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from soak import watch
from soak.bundled_model import write_bundled
from soak.memory_use import children
from soak.outcome import Outcome
from soak.service import RunningService, running_service, start
from soak.stop.judgement import Probe, Stop, judge_hurry, judge_kill, judge_stop
from soak.stop.stalling import stalling_clients
from soak.traffic.client import Client, Exchange
from soak.traffic.connection import Connection, NoAnswer, NoConnection
from soak.traffic.requests import Mix, Request, get, picture, post, quick, slow

CLIENTS = 8
STALLING = 3
"""Stalling clients of each kind."""
PROBE_EVERY_S = 0.05
PROBE_S = 5.0
"""Seconds that a probe may take."""
OVER_S = 30.0
"""Seconds beyond its time for which the end of a process is waited for."""
SECOND_AFTER_S = 1.0
"""Seconds between two signals."""
ORPHANS_S = 5.0
"""Seconds after kill -9 within which the decoder processes must have ended."""


def stop(*, load_s: float = 10.0, drain_s: float = 5.0, stop_s: float = 25.0) -> Outcome:
    """Load a service for so many seconds and end it, in each of the three ways."""
    whole = Outcome()
    for part in (_in_steps, _twice, _killed):
        with (
            tempfile.TemporaryDirectory() as folder,
            running_service(
                Path(folder) / "service",
                write_models=write_bundled,
                drain_s=drain_s,
                stop_s=stop_s,
                log_level="warning",
            ) as service,
        ):
            outcome = asyncio.run(part(service, load_s, drain_s, stop_s))
        whole.figures |= outcome.figures
        whole.problems += outcome.problems
    return whole


async def _in_steps(service: RunningService, load_s: float, drain_s: float, stop_s: float) -> Outcome:
    exchanges: list[Exchange] = []
    async with stalling_clients(service.port, STALLING):
        load = asyncio.gather(*_clients(service, exchanges, load_s + stop_s + OVER_S))
        probes = asyncio.create_task(_probe(service.port))
        await asyncio.sleep(load_s)
        signalled_at = time.monotonic()
        service.process.send_signal(signal.SIGTERM)
        exit_code = await _ended(service, stop_s + OVER_S)
        ended_at = time.monotonic()
        await load
    return judge_stop(Stop(signalled_at, ended_at, exit_code, await probes, exchanges, drain_s, stop_s))


async def _twice(service: RunningService, load_s: float, drain_s: float, stop_s: float) -> Outcome:
    """Signals two times while attacks of minutes run; requests after the first signal do not count."""
    exchanges: list[Exchange] = []
    long = post("/adversarial", picture("chelsea.png"), attack="pgd", steps=1000)
    mix = Mix({"long": (1, lambda _: long)})
    clients = [Client(service.port, mix, exchanges.append, seed=seed) for seed in range(CLIENTS)]
    load = asyncio.gather(*(client.run(time.monotonic() + load_s) for client in clients))
    await asyncio.sleep(load_s)
    service.process.send_signal(signal.SIGTERM)
    await asyncio.sleep(SECOND_AFTER_S)
    second_at = time.monotonic()
    service.process.send_signal(signal.SIGTERM)
    exit_code = await _ended(service, stop_s + OVER_S)
    ended_s = time.monotonic() - second_at
    await load
    return judge_hurry(exchanges, ended_s, exit_code)


async def _killed(service: RunningService, load_s: float, drain_s: float, stop_s: float) -> Outcome:
    before = await _known_answers(service.port)
    exchanges: list[Exchange] = []
    load = asyncio.gather(*_clients(service, exchanges, load_s + OVER_S))
    await asyncio.sleep(load_s)
    decoders = children(service.process.pid)
    service.process.kill()
    await _ended(service, OVER_S)
    await load  # nobody listens any more
    orphans = await _still_alive(decoders)
    begun = time.monotonic()
    again = start(service.folder, port=service.port, drain_s=drain_s, stop_s=stop_s, log_level="warning")
    try:
        await asyncio.to_thread(again.wait_until_ready)
        ready_s = time.monotonic() - begun
        after = await _known_answers(again.port)
    finally:
        again.end()
    return judge_kill(ready_s, orphans, before, after)


def _clients(service: RunningService, exchanges: list[Exchange], seconds: float) -> list["asyncio.Task[None]"]:
    until, mixes = time.monotonic() + seconds, (quick(), slow())
    clients = [Client(service.port, mixes[seed % 2], exchanges.append, seed=seed) for seed in range(CLIENTS)]
    return [asyncio.create_task(client.run(until)) for client in clients]


async def _probe(port: int) -> list[Probe]:
    """Ask the readiness probe again and again, each time on a new connection, until nobody listens."""
    probes: list[Probe] = []
    while not probes or probes[-1].status is not None:
        begun = time.monotonic()
        try:
            connection = await Connection.open(port)
        except NoConnection:
            probes.append(Probe(begun, None))
            break
        try:
            async with asyncio.timeout(PROBE_S):
                probes.append(Probe(begun, (await connection.ask(get("/health/ready"))).status))
        except (NoAnswer, TimeoutError):
            probes.append(Probe(begun, 0))  # it was accepted and not answered
        finally:
            connection.abort()
        await asyncio.sleep(PROBE_EVERY_S)
    return probes


async def _ended(service: RunningService, seconds: float) -> int | None:
    """The exit code of the process; None if it has not ended after so many seconds."""
    until = time.monotonic() + seconds
    while (code := service.process.poll()) is None and time.monotonic() < until:
        await asyncio.sleep(0.02)
    return code


async def _still_alive(processes: Sequence[int]) -> int:
    until = time.monotonic() + ORPHANS_S
    while (alive := sum(map(watch.is_alive, processes))) and time.monotonic() < until:
        await asyncio.sleep(0.05)
    return alive


async def _known_answers(port: int) -> list[object]:
    """What the service says of two pictures, rounded, and an ideal picture, whose bytes its seed decides."""
    pictures: list[Request] = [post("/classify", picture(name)) for name in ("chelsea.png", "ideal-dog.png")]
    connection = await Connection.open(port)
    try:
        async with asyncio.timeout(OVER_S * 4):
            classified = [json.loads((await connection.ask(request)).body) for request in pictures]
            drawn = await connection.ask(get("/ideal/cat", method="pixel", steps=4, crops=0, seed=1))
    finally:
        connection.abort()
    rounded = [
        (answer["version"], [(one["label"], round(one["probability"], 3)) for one in answer["predictions"]])
        for answer in classified
    ]
    return [*rounded, (drawn.status, drawn.body)]
