"""Sends mutated pictures to a running service over several connections, while a neighbour sends good ones."""

import io
import re
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import httpx
from PIL import Image

from soak.memory_use import Peak, settled_bytes
from soak.outcome import Outcome
from soak.pictures.conversation import Answer, ask, judged
from soak.pictures.mutations.mutate import mutated
from soak.service import REPOSITORY, RunningService, running_service

PHOTO = REPOSITORY / "docs" / "pictures" / "chelsea.png"
CONNECTIONS = 8
DEADLINE_S = 60
"""MIRAGE_DEADLINE_S of the service."""
PATIENCE_S = 90
"""Seconds after which a client gives up."""
WARM_UP = 200
"""Number of mutated pictures that are sent before memory is measured: by then all libraries are loaded."""
REPLACED_S = 10
"""Seconds within which another decoder process must have taken the place of one that has ended."""
GROWTH = 1.1
"""How many times as much memory as before the service may take afterwards."""
SETTLING_S = 90
"""Seconds within which it must have given back the rest; every 30 s freed memory goes back to the system."""


def send_mutated(*, count: int, seed: int, settling_s: float = SETTLING_S) -> Outcome:
    """Send `count` mutated pictures in requests to /classify, /classify/batch and /adversarial.

    Promised are: each is answered, none with 500; the neighbour always gets 200; the service stays ready, keeps its
    process and all its decoders, and takes no more memory afterwards than GROWTH times that before.
    """
    with tempfile.TemporaryDirectory() as folder, running_service(Path(folder), deadline_s=DEADLINE_S) as service:
        _send(service, range(seed - WARM_UP, seed))
        before = settled_bytes(service.process.pid, 0, within_s=settling_s / 2)
        with (
            _beside(service, _good_picture) as neighbour,
            _beside(service, _probe) as probes,
            Peak(service.process.pid) as peak,
        ):
            answers = _send(service, range(seed, seed + count))
        outcome = judged(answers, neighbour, probes)
        after = settled_bytes(service.process.pid, GROWTH * before, within_s=settling_s)
        outcome.figures |= {
            "pss_before_mb": before // 10**6,
            "peak_rss_mb": peak.bytes // 10**6,
            "pss_after_mb": after // 10**6,
        }
        outcome.expect(
            f"the service took {after / 1e6:.0f} MB afterwards and {before / 1e6:.0f} MB before, and at most "
            f"{GROWTH} times as much is promised",
            kept=after <= GROWTH * before,
        )
        _judge_processes(service, outcome)
    return outcome


def _send(service: RunningService, seeds: range) -> list[Answer]:
    shares = [seeds[first::CONNECTIONS] for first in range(CONNECTIONS)]
    with ThreadPoolExecutor(CONNECTIONS) as pool:
        return [answer for share in pool.map(lambda share: _send_share(service, share), shares) for answer in share]


def _send_share(service: RunningService, seeds: range) -> list[Answer]:
    """Send the pictures one after the other over one connection; of ten requests two are batches and one an attack."""
    answers: list[Answer] = []
    waiting = list(seeds)
    with _client(service) as client:
        while waiting:
            number = len(answers) % 10
            taken, waiting = (waiting[:4], waiting[4:]) if number in (3, 6) else (waiting[:1], waiting[1:])
            name = f"seeds {', '.join(map(str, taken))}"
            pictures = [("image", (f"{seed}.bin", mutated(seed)[1])) for seed in taken]
            if len(pictures) > 1:
                answers.append(ask(client, f"/classify/batch, {name}", "/classify/batch", files=pictures))
            elif number == 9:
                options = {"attack": "pgd", "steps": "1"}
                answers.append(ask(client, f"/adversarial, {name}", "/adversarial", files=pictures, data=options))
            else:
                answers.append(ask(client, f"/classify, {name}", "/classify", files=pictures))
    return answers


def _client(service: RunningService) -> httpx.Client:
    return httpx.Client(base_url=service.url, timeout=PATIENCE_S, trust_env=False)


def _good_picture(client: httpx.Client) -> Answer:
    file = io.BytesIO()
    with Image.open(PHOTO) as photo:
        photo.convert("RGB").save(file, "JPEG")
    return ask(client, "a good picture", "/classify", files={"image": file.getvalue()}, timeout=DEADLINE_S)


def _probe(client: httpx.Client) -> Answer:
    begun = time.monotonic()
    try:
        response = client.get("/health/ready")
    except httpx.HTTPError as error:
        return Answer("probe", None, time.monotonic() - begun, text=f"{type(error).__name__}: {error}")
    return Answer("probe", response.status_code, time.monotonic() - begun, text=response.text[:200])


@contextmanager
def _beside(service: RunningService, once: Callable[[httpx.Client], Answer]) -> Iterator[list[Answer]]:
    """Ask again and again on another thread and connection until the block ends; at least once."""
    answers: list[Answer] = []
    ended = threading.Event()

    def repeat() -> None:
        with _client(service) as client:
            while True:
                answers.append(once(client))
                if ended.wait(0.1):
                    return

    thread = threading.Thread(target=repeat)
    thread.start()
    try:
        yield answers
    finally:
        ended.set()
        thread.join()


def _judge_processes(service: RunningService, outcome: Outcome) -> None:
    """The service is the same process, and all its decoders are there, whether they survived or were replaced."""
    outcome.expect(
        f"the service has ended with exit code {service.process.poll()}", kept=service.process.poll() is None
    )
    until = time.monotonic() + REPLACED_S
    with _client(service) as client:
        while (present := _decoders(text := client.get("/metrics").text)) < 2 and time.monotonic() < until:
            time.sleep(0.1)
    ended = dict(re.findall(r'^mirage_decoder_ended_total\{reason="(\w+)"\} ([\d.]+)$', text, re.MULTILINE))
    outcome.figures |= {f"decoders_{reason}": int(float(number)) for reason, number in ended.items()}
    outcome.expect(f"{present} decoder processes are left, and there were 2 at least", kept=present >= 2)
    outcome.expect(
        f"{ended['crashed']} decoder processes crashed, and none may by these files", kept=float(ended["crashed"]) == 0
    )


def _decoders(metrics: str) -> int:
    """The number of decoder processes, idle and busy ones, in a text of GET /metrics."""
    states = dict(re.findall(r'^mirage_decoder_processes\{state="(\w+)"\} ([\d.]+)$', metrics, re.MULTILINE))
    return int(float(states["idle"]) + float(states["busy"]))
