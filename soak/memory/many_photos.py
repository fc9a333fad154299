"""Many large photos at once: what the service answers, and how much memory it takes and gives back. On Linux."""

import tempfile
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path

import httpx

from soak.memory.container import Container
from soak.memory.photos import LARGEST_SIDE, photo
from soak.memory_use import Peak, memory_bytes, settled_bytes
from soak.outcome import Figure, Outcome
from soak.pictures.conversation import Answer, ask
from soak.service import RunningService, running_service

BUDGET = 2_500_000_000
"""MIRAGE_MEMORY of the service, in bytes."""
GIVEN_BACK = 1.1
"""How many times as much memory as at the start the service may take a minute later."""
TEXT_CHARACTERS = 300
"""How much is shown of what refusals say."""
SETTLING_S = 60
SMALL_SIDE = 200
"""Side in pixels of the photo that is sent before and after the others."""
PAUSE_S = 2
"""Seconds after which a request that got 503 is sent again."""
DEADLINE_S = 600
"""MIRAGE_DEADLINE_S of the service: how long all of it takes depends on the machine, and is not judged."""


@dataclass(frozen=True)
class Request:
    """A request about a square photo with this side in pixels."""

    path: str
    side: int
    options: Mapping[str, str] = field(default_factory=dict)


def photos(count: int) -> list[Request]:
    """Requests to classify photos of 24.9 megapixels, which take 0.8 GB each while they are decoded."""
    return [Request("/classify", LARGEST_SIDE)] * count


MIXED = [
    request
    for _ in range(3)
    for request in (
        Request("/adversarial", 2828, {"deadline_s": "60"}),  # 8 megapixels, for which there is never enough memory
        Request("/adversarial", 2000, {"deadline_s": "60"}),
        Request("/adversarial", 1000, {"attack": "patch", "steps": "3"}),
        Request("/explain", 2500, {"method": "grad_cam"}),
        Request("/explain", 2500, {"method": "smooth_grad"}),
        Request("/classify", LARGEST_SIDE),
        Request("/classify", LARGEST_SIDE),
    )
]
"""Attacks and explanations of large photos, which take up to 1.3 GB each, and photos to classify, all at once."""


def send_at_once(
    requests: Sequence[Request],
    *,
    come_back_s: float = 0,
    settling_s: float = SETTLING_S,
    inside: Container | None = None,
) -> Outcome:
    """Send all requests at the same time to a service with BUDGET bytes of memory, or in a container.

    Those that get 503 are sent again for `come_back_s` seconds. Promised are: each gets 200, 503 with Retry-After, or
    413 with the memory that it needs; each operation gets 200 at least once; the service and its decoders never take
    more than BUDGET; a minute later they take nearly as little as before; and in a container nothing is ended for want
    of memory.
    """
    before: tuple[str, ...] = () if inside is None else inside.before
    with (
        tempfile.TemporaryDirectory() as folder,
        running_service(Path(folder), before, memory=BUDGET, deadline_s=DEADLINE_S) as service,
    ):
        files = {side: photo(side) for side in {request.side for request in requests}}
        small = {SMALL_SIDE: photo(SMALL_SIDE)}
        for request in requests:  # what is imported at the first request of each kind stays
            _send(service, replace(request, side=SMALL_SIDE), small)
        at_start = memory_bytes(service.process.pid)
        with Peak(service.process.pid) as peak, ThreadPoolExecutor(len(requests)) as pool:
            sent = pool.map(lambda request: _send(service, request, files, come_back_s), requests)
            answers = [answer for share in sent for answer in share]
        after = settled_bytes(service.process.pid, GIVEN_BACK * at_start, within_s=settling_s)
        (still,) = _send(service, Request("/classify", SMALL_SIDE), small)
        outcome = judged(answers, at_start=at_start, peak=peak.bytes, after=after)
        outcome.expect(f"afterwards a small photo got {still.status} ({still.text})", kept=still.status == 200)
        code = service.process.poll()
        outcome.expect(f"the process of the service has ended with exit code {code}", kept=code is None)
    if inside is not None:
        outcome.figures |= {"limited_by": inside.means, "group_peak_mb": _megabytes(inside.peak_bytes)}
        outcome.figures["killed_for_memory"] = inside.kills
        outcome.expect(f"{inside.kills} processes were ended for want of memory", kept=not inside.kills)
    return outcome


def judged(answers: Sequence[Answer], *, at_start: int, peak: int, after: int) -> Outcome:
    """The figures and broken promises: `at_start` and `after` are sums of Pss, `peak` of resident sets, in bytes."""
    figures: dict[str, Figure] = {
        "requests": len(answers),
        **{f"answers_{status}": count for status, count in sorted(Counter(str(one.status) for one in answers).items())},
        "refusals": "; ".join(sorted({one.text for one in answers if one.status != 200}))[:TEXT_CHARACTERS],
        "longest_answer_s": round(max(one.seconds for one in answers), 1),
        "pss_before_mb": _megabytes(at_start),
        "peak_rss_mb": _megabytes(peak),
        "pss_after_mb": _megabytes(after),
    }
    outcome = Outcome(figures)
    for one in answers:
        kept = one.status in (200, 413) or (one.status == 503 and one.has_retry_after)
        outcome.expect(f"{one.name} got {one.status} ({one.text}), with Retry-After: {one.has_retry_after}", kept=kept)
    for path in sorted({one.name.split()[0] for one in answers}):
        kept = any(one.status == 200 for one in answers if one.name.split()[0] == path)
        outcome.expect(f"{path} was never answered with 200", kept=kept)
    outcome.expect(f"the service took {peak / 1e6:.0f} MB, of {BUDGET / 1e6:.0f} MB", kept=peak <= BUDGET)
    outcome.expect(
        f"the service took {after / 1e6:.0f} MB afterwards, and {at_start / 1e6:.0f} MB before",
        kept=after <= GIVEN_BACK * at_start,
    )
    return outcome


def _send(
    service: RunningService, request: Request, files: Mapping[int, bytes], come_back_s: float = 0
) -> list[Answer]:
    """Send the request until it gets another answer than 503, for so many seconds at most; all answers."""
    answers: list[Answer] = []
    until = time.monotonic() + come_back_s
    with httpx.Client(base_url=service.url, timeout=DEADLINE_S + 60, trust_env=False) as client:
        while not answers or (answers[-1].status == 503 and time.monotonic() < until):
            if answers:
                time.sleep(PAUSE_S)
            answers.append(
                ask(
                    client,
                    f"{request.path} of {request.side} x {request.side} pixels",
                    request.path,
                    files={"image": ("photo.jpg", files[request.side], "image/jpeg")},
                    data=dict(request.options),
                )
            )
    return answers


def _megabytes(size: int | None) -> int | None:
    return None if size is None else round(size / 1e6)
