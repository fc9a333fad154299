"""The engine's batches: 16 attacks at once with batches to the knee and of fixed sizes, and /classify meanwhile.

    python -m benchmarks.engine_batches --json FILE

The attacks are the same in every variant, all variants are run in turn in one process, and the time of a variant ends
with its last attack. /classify is measured over HTTP against a service in a process of its own.
"""

import argparse
import statistics
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import torch
from torchvision.transforms.v2 import functional

from app.engine.engine import Engine
from app.engine.registry import Registry
from app.engine.threads import compute_alone
from app.memory.allocator import keep_freed_memory
from benchmarks.measure import interleaved
from benchmarks.results import Figure, write_figures
from benchmarks.service import counters, service
from models.attacks.task import adversarial
from models.classifier import Classifier
from models.pictures import decode, encode
from models.query import Answer, Network, Query
from models.store import BUNDLED, Model

MODEL = "cats-dogs"
PICTURE = Path("docs/pictures/chelsea.png")
ATTACKS = 16
LEARNING = 3
"""Runs to the knee that are not measured: in its first batches the engine tries which sizes pay off."""
FIXED = (1, 2, 4, 8, 16, 32)
"""Largest numbers of rows of the variants without a knee."""


class WithoutTimes:
    """A network that carries no pass times, so that the engine fills every batch to its largest number of rows."""

    def __init__(self, classifier: Classifier) -> None:
        self.classifier = classifier

    def answer(self, queries: list[Query]) -> list[Answer]:
        """The answers of the classifier."""
        return self.classifier.answer(queries)


def attacks_at_once(model: Model, network: Network, max_rows: int, steps: int, threads: int) -> None:
    """ATTACKS attacks with different seeds on one picture, through an engine of their own."""
    picture = decode(PICTURE.read_bytes())
    engine = Engine(max_rows=max_rows, threads=threads)
    futures = [
        engine.submit(adversarial(picture, model.spec, attack="pgd", seed=seed, steps=steps), network)
        for seed in range(ATTACKS)
    ]
    for future in futures:
        future.result()
    engine.close()


def batchings(rounds: int, steps: int) -> list[Figure]:
    """Seconds of the attacks at the knee and at each fixed size, and the ratio to the best fixed size."""
    threads = torch.get_num_threads()
    compute_alone()  # this thread, as in the service
    registry = Registry([MODEL], folder=BUNDLED, device=torch.device("cpu"), max_rows=32)
    registry.load_in_background(threads=threads)
    registry.wait()
    model = registry.get(MODEL)
    classifier = model.classifier
    variants: dict[str, Any] = {"to the knee": partial(attacks_at_once, model, classifier, 32, steps, threads)}
    for rows in FIXED:
        variants[f"of {rows} rows"] = partial(attacks_at_once, model, WithoutTimes(classifier), rows, steps, threads)
    for _ in range(LEARNING):
        variants["to the knee"]()
    timings = interleaved(variants, rounds=rounds, device=torch.device("cpu"))
    figures = [
        Figure(f"{ATTACKS} attacks at once, batches {name}", "s", timing.seconds) for name, timing in timings.items()
    ]
    best = min((timings[f"of {rows} rows"] for rows in FIXED), key=lambda timing: timing.median)
    ratios = [mine / theirs for mine, theirs in zip(timings["to the knee"].seconds, best.seconds, strict=True)]
    figures.append(Figure(f"{ATTACKS} attacks at once, to the knee: best fixed size", "ratio", ratios))
    knee = classifier.pass_times.gradients.knee
    figures.append(Figure("Knee of passes with gradients", "rows", [float(knee or 0)]))
    return figures


def classify_meanwhile(seconds: float) -> list[Figure]:
    """Milliseconds of /classify alone and while ATTACKS attacks run, with those of a gradient batch at the knee."""
    picture = functional.resize(decode(PICTURE.read_bytes()), [180, 180], antialias=True)
    photo = encode(picture, format="jpeg")
    with service(MODEL) as (client, _, _), ThreadPoolExecutor(ATTACKS) as pool:
        for _ in range(5):
            classify_ms(client, photo)
        alone = [classify_ms(client, photo) for _ in range(30)]
        stop = threading.Event()
        attackers = [pool.submit(attack_until, str(client.base_url), photo, seed, stop) for seed in range(ATTACKS)]
        time.sleep(3)
        busy, batches = [], []
        ends = time.monotonic() + seconds
        while time.monotonic() < ends:
            busy.append(classify_ms(client, photo))
            batches.append(knee_batch_ms(client))
            time.sleep(0.03)
        stop.set()
        for attacker in attackers:
            attacker.result()
    own = statistics.median(alone)
    ratios = [ms / (batch + own) for ms, batch in zip(busy, batches, strict=True)]
    return [
        Figure("/classify alone", "ms", alone),
        Figure(f"/classify beside {ATTACKS} attacks", "ms", busy),
        Figure(f"/classify beside {ATTACKS} attacks, 95th percentile", "ms", [percentile_95(busy)]),
        Figure("A batch with gradients at the knee, as /metrics shows it then", "ms", batches),
        Figure("/classify: this batch and /classify alone, 95th percentile", "ratio", [percentile_95(ratios)]),
    ]


def percentile_95(samples: list[float]) -> float:
    """The value that 95 % of the samples are below."""
    return statistics.quantiles(samples, n=20)[-1]


def classify_ms(client: httpx.Client, photo: bytes) -> float:
    """Milliseconds of one classification over HTTP."""
    begun = time.perf_counter()
    client.post("/classify", files={"image": photo}).raise_for_status()
    return 1000 * (time.perf_counter() - begun)


def knee_batch_ms(client: httpx.Client) -> float:
    """Milliseconds that the engine expects of a batch with gradients at the knee.

    Where the knee is a size that was not judged yet, it is a batch of the largest size that was.
    """
    shown = counters(client)
    knee = shown[f'mirage_pass_knee_rows{{kind="gradients",model="{MODEL}"}}']
    known = {
        int(name.rsplit('rows="', 1)[1].removesuffix('"}')): value
        for name, value in shown.items()
        if name.startswith(f'mirage_pass_seconds{{kind="gradients",model="{MODEL}"')
    }
    return 1000 * known[min(int(knee), max(known))]


def attack_until(base_url: str, photo: bytes, seed: int, stop: threading.Event) -> None:
    """One attack after the other, until told to stop."""
    with httpx.Client(base_url=base_url, timeout=120) as client:
        while not stop.is_set():
            options = {"attack": "pgd", "steps": 40, "seed": seed, "format": "json"}
            client.post("/adversarial", files={"image": photo}, data=options).raise_for_status()


def run(*, rounds: int = 6, steps: int = 6, seconds: float = 20.0) -> dict[str, dict[str, Any]]:
    """All figures by name, each with its unit and the samples of the rounds."""
    figures = [*batchings(rounds, steps), *classify_meanwhile(seconds)]
    return {figure.name: {"unit": figure.unit, "samples": figure.samples} for figure in figures}


def main() -> None:
    """Print the figures, and write them as JSON if asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--steps", type=int, default=6, help="steps of each attack")
    parser.add_argument("--seconds", type=float, default=20.0, help="how long /classify is asked beside the attacks")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    keep_freed_memory()
    results = run(rounds=options.rounds, steps=options.steps, seconds=options.seconds)
    figures = [Figure(name, **values) for name, values in results.items()]
    for figure in figures:
        print(f"{figure.name}: {figure.text}")
    if options.json is not None:
        write_figures(options.json, figures)


if __name__ == "__main__":
    main()
