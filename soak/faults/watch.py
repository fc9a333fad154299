"""What others see while a fault is there: the statuses of their requests, and how long the service is not ready."""

import contextlib
import io
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache

import httpx
from PIL import Image

from soak.outcome import Figure, Outcome
from soak.service import RunningService
from soak.tiny_model import NAME as HEALTHY

READY_S = 1.0
"""Seconds after the end of a fault within which the service must be ready again."""
PROBE_S = 0.02
"""Seconds between two looks at the readiness probe."""
PAUSE_S = 0.05
"""Seconds between two requests of a neighbour."""
LONGEST_S = 150.0
"""Seconds after which a request without a response counts as lost."""
LOST = 0
"""In place of the status: there was no response."""
ROUTES = ("/models", f"/models/{HEALTHY}", "/health/live", "/metrics", "/openapi.json")
"""What a neighbour asks for, beside classifications by the healthy model."""


@cache
def client() -> httpx.Client:
    """What sends all requests, on any thread, each over a connection of its own."""
    return httpx.Client(
        timeout=LONGEST_S,
        trust_env=False,
        limits=httpx.Limits(max_connections=None, max_keepalive_connections=0),
        headers={"Connection": "close"},
    )


def picture(width: int = 40, height: int = 40) -> bytes:
    """A small picture as a PNG file, or one of another size."""
    file = io.BytesIO()
    Image.linear_gradient("L").resize((width, height)).convert("RGB").save(file, "PNG", compress_level=1)
    return file.getvalue()


def classify(url: str, model: str, file: bytes | None = None, **options: str) -> int:
    """The status of a classification by the model; LOST without one."""
    return status_of(
        lambda: client().post(f"{url}/classify", files={"image": file or picture()}, data={"model": model, **options})
    )


def get(url: str, **options: str) -> httpx.Response:
    """The response to a GET; raises httpx.TransportError."""
    return client().get(url, params=options)


def status_of(ask: Callable[[], httpx.Response]) -> int:
    """The status of the response; LOST without one."""
    try:
        return ask().status_code
    except httpx.TransportError:
        return LOST


def eventually(condition: Callable[[], object], within_s: float) -> float | None:
    """Seconds until the condition is true; None if it is not by then."""
    begun = time.monotonic()
    while not condition():
        if time.monotonic() - begun > within_s:
            return None
        time.sleep(PROBE_S)
    return time.monotonic() - begun


def exit_code(service: RunningService, within_s: float) -> int | None:
    """The code with which the process ends; None if it does not end by then."""
    with contextlib.suppress(subprocess.TimeoutExpired):
        return service.process.wait(within_s)
    return None


@dataclass
class Seen:
    """What was seen while a fault was there.

    `victims` are the statuses of the requests that met it, `classified` and `others` those of the neighbours.
    `longest_s` is the longest time that a neighbour waited, and `ready_again_s` the seconds from the end of the fault
    until the service was ready; None if it was not.
    """

    victims: list[int] = field(default_factory=list)
    classified: Counter[int] = field(default_factory=Counter)
    others: Counter[int] = field(default_factory=Counter)
    longest_s: float = 0.0
    ready_again_s: float | None = None

    def figures(self) -> dict[str, Figure]:
        """By name, with their units."""
        return {
            "victims": " ".join(map(str, self.victims)),
            "neighbours": ", ".join(f"{status}: {n}" for status, n in sorted((self.classified + self.others).items())),
            "neighbours_longest_s": round(self.longest_s, 2),
            "ready_again_s": None if self.ready_again_s is None else round(self.ready_again_s, 2),
        }


def judge(seen: Seen, *, victims: Sequence[Collection[int]], classified: Collection[int] = (200,)) -> Outcome:
    """Compare what was seen with what is documented: the statuses that each victim may get, and the neighbours."""
    outcome = Outcome(seen.figures())
    expected = " ".join("/".join(map(str, sorted(allowed))) for allowed in victims)
    outcome.expect(
        f"requests that met the fault got {seen.victims}, and should get {expected}",
        kept=len(seen.victims) == len(victims)
        and all(status in allowed for status, allowed in zip(seen.victims, victims, strict=True)),
    )
    for kind, statuses, allowed in (
        ("classifications by another model", seen.classified, classified),
        ("requests to other routes", seen.others, (200,)),
    ):
        wrong = {status: count for status, count in statuses.items() if status not in allowed}
        outcome.expect(f"{kind} got {wrong}", kept=not wrong)
        outcome.expect(f"no {kind} were made beside the fault", kept=bool(statuses))
    outcome.expect(
        f"the service was ready {seen.ready_again_s} s after the fault, and should be within {READY_S:g} s",
        kept=seen.ready_again_s is not None and seen.ready_again_s <= READY_S,
    )
    return outcome


@contextmanager
def neighbours(url: str) -> Iterator[Seen]:
    """Classify by the healthy model, and ask other routes, on two threads until the block ends; then wait until ready.

    The fault must have ended by the end of the block.
    """
    seen, ended = Seen(), threading.Event()

    def classify_on() -> None:
        while not ended.is_set():
            begun = time.monotonic()
            seen.classified[classify(url, HEALTHY)] += 1
            seen.longest_s = max(seen.longest_s, time.monotonic() - begun)
            ended.wait(PAUSE_S)

    def ask_on() -> None:
        number = 0
        while not ended.is_set():
            begun, route = time.monotonic(), ROUTES[number % len(ROUTES)]
            seen.others[status_of(lambda route=route: get(url + route))] += 1  # type: ignore[misc]
            seen.longest_s = max(seen.longest_s, time.monotonic() - begun)
            number += 1
            ended.wait(PAUSE_S)

    threads = [threading.Thread(target=ask) for ask in (classify_on, ask_on)]
    for thread in threads:
        thread.start()
    try:
        yield seen
        seen.ready_again_s = eventually(lambda: is_ready(url), 60)
        time.sleep(2 * PAUSE_S)  # a last look at how the neighbours fare afterwards
    finally:
        ended.set()
        for thread in threads:
            thread.join()


def is_ready(url: str) -> bool:
    """Whether the readiness probe says so."""
    return status_of(lambda: get(f"{url}/health/ready")) == 200
