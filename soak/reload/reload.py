"""Replaces a checkpoint every few seconds under load, and compares each answer with those of the two versions alone."""

import asyncio
import base64
import json
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from soak.outcome import Outcome
from soak.reload.judgement import (
    VISIBLE_S,
    Asked,
    Changed,
    Json,
    Swap,
    Version,
    agree,
    changed_picture,
    faults_of,
    judge,
    probabilities,
    result_of,
)
from soak.reload.versions import NAME, VERSIONS, Files, put, write_versions
from soak.service import RunningService, running_service
from soak.traffic.client import Client, Exchange
from soak.traffic.connection import Connection
from soak.traffic.requests import Mix, Request, form, get, picture, post

PICTURES = ("chelsea.png", "ideal-dog.png", "ideal-cat.png")
QUICK, SLOW = 4, 4
"""Clients that classify, and that ask for attacks and explanations."""
EVERY_S = 5.0
"""Seconds between two files."""
LOOK_S = 0.5
"""MIRAGE_RELOAD_S."""
VERIFIED = 100
"""Pictures of attacks that are shown to their version again after the run."""
ASK_S = 60.0
LAST_S = 180.0
"""Seconds for the last answers."""


def reload(*, seconds: float) -> Outcome:
    """Replace the file for so many seconds, and judge all answers."""
    with (
        tempfile.TemporaryDirectory() as folder,
        running_service(
            Path(folder) / "service", write_models=write_versions, reload_s=LOOK_S, log_level="warning"
        ) as service,
    ):
        return asyncio.run(_run(service, seconds))


async def _run(service: RunningService, seconds: float) -> Outcome:
    connection = await Connection.open(service.port)
    known = {version.version: version for version in [await _alone(connection, name) for name in VERSIONS]}
    named = dict(zip(VERSIONS, known, strict=True))
    asked = _requests()
    judged = _Judged(asked, known)
    until = time.monotonic() + seconds
    load = asyncio.gather(*(client.run(until) for client in _clients(service.port, asked, judged)))
    swaps = await _swap(connection, service.folder / "models", named, until)
    async with asyncio.timeout(LAST_S):
        await load
    judged.faults += await _verify(connection, judged.changed, {version: name for name, version in named.items()})
    connection.abort()
    outcome = judge(swaps, judged.exchanges, judged.faults, judged.versions)
    outcome.figures["attacks_verified"] = min(VERIFIED, len(judged.changed))
    return outcome


class _Judged:
    """Notes each exchange, and judges its answer at once, so that bodies need not be kept."""

    def __init__(self, asked: dict[Request, Asked], known: dict[str, Version]) -> None:
        self.exchanges: list[Exchange] = []
        self.faults: list[str] = []
        self.versions: Counter[str] = Counter()
        self.changed: list[Changed] = []
        self._asked = asked
        self._known = known

    def note(self, exchange: Exchange) -> None:
        """Called after each exchange."""
        self.exchanges.append(exchange)
        if exchange.answer is None or exchange.status != 200:
            return
        asked = self._asked[exchange.request]
        try:
            result = result_of(exchange)
            self.faults += faults_of(asked, exchange, self._known)
        except (ValueError, KeyError, IndexError) as error:
            self.faults.append(f"{asked.operation} was not answered with a result: {error!r}")
            return
        self.versions[result["version"]] += 1
        if asked.operation == "/adversarial" and len(self.changed) < VERIFIED:
            self.changed.append(changed_picture(result))


def _requests() -> dict[Request, Asked]:
    """All requests, with what they ask for; each is to the model that changes."""
    data = {name: picture(name) for name in PICTURES}
    requests = {
        post("/classify/batch", *form([*data.values(), *data.values()]), model=NAME): Asked(
            "/classify/batch", (*PICTURES, *PICTURES)
        )
    }
    for name in PICTURES:
        requests[post("/classify", data[name], model=NAME)] = Asked("/classify", (name,))
        requests[post("/explain", data[name], model=NAME, format="json")] = Asked("/explain", (name,))
        for steps, format in ((10, "json"), (10, "events"), (60, "events")):
            request = post("/adversarial", data[name], model=NAME, attack="pgd", steps=steps, format=format)
            requests[request] = Asked("/adversarial", (name,))
    return requests


def _clients(port: int, asked: dict[Request, Asked], judged: _Judged) -> list[Client]:
    quick = [request for request, one in asked.items() if one.operation.startswith("/classify")]
    slow = [request for request in asked if request not in quick]
    return [
        Client(port, _any_of(requests), judged.note, seed=seed)
        for seed, requests in enumerate([quick] * QUICK + [slow] * SLOW)
    ]


def _any_of(requests: Sequence[Request]) -> Mix:
    return Mix({"any": (1, lambda random: random.choice(requests))})


async def _swap(connection: Connection, models: Path, named: dict[str, str], until: float) -> list[Swap]:
    """Put one file after the other, each when the one before is served or refused."""
    swaps: list[Swap] = []
    files, serving = Files(models), named[VERSIONS[0]]
    while (begun := time.monotonic()) < until:
        name, data = files.draw(len(swaps))
        await asyncio.to_thread(put, models, data)
        expected = serving if name is None else named[name]
        seconds = await _visible(connection, expected, is_good=name is not None)
        swaps.append(Swap(name is not None, seconds))
        serving = expected
        await asyncio.sleep(max(0.0, begun + EVERY_S - time.monotonic()))
    return swaps


async def _visible(connection: Connection, version: str, *, is_good: bool) -> float | None:
    """The seconds until GET /models has the version, and a problem if the file is bad; None after VISIBLE_S."""
    begun = time.monotonic()
    while (passed := time.monotonic() - begun) < VISIBLE_S:
        models = (await _json(connection, get("/models")))["models"]
        (model,) = (one for one in models if one["name"] == NAME)
        if (model["state"], model["version"], model["problem"] is None) == ("ready", version, is_good):
            return passed
        await asyncio.sleep(0.1)
    return None


async def _alone(connection: Connection, name: str) -> Version:
    """What the version says of each picture while nothing else runs."""
    found = {data: await _json(connection, post("/classify", picture(data), model=name)) for data in PICTURES}
    (version,) = {result["version"] for result in found.values()}
    return Version(version, {data: probabilities(result["predictions"]) for data, result in found.items()})


async def _verify(connection: Connection, changed: Sequence[Changed], names: dict[str, str]) -> list[str]:
    """Show each picture of an attack to the version that the attack named, under that version's own name."""
    faults = []
    for one in changed:
        image = base64.b64decode(one.image.partition(",")[2])
        result = await _json(connection, post("/classify", image, model=names[one.version]))
        if not agree({one.label: one.probability}, probabilities(result["predictions"])):
            faults.append("/adversarial: its picture does not give this probability in the version that it names")
    return faults


async def _json(connection: Connection, request: Request) -> Json:
    async with asyncio.timeout(ASK_S):
        answer = await connection.ask(request)
    result: Json = json.loads(answer.body)
    return result
