"""Many pictures through the client: pictures a second, and how full the batches of the service are.

    python -m benchmarks client_many --photos 1000 --rounds 5

Interleaved, in each round once: `Mirage.classify_many`, which sends groups of pictures, and as many requests at a
time of one picture each. The pictures are drawn: JPEGs of 240 x 180 pixels.
"""

import argparse
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO

import httpx
import numpy as np
import torch
from PIL import Image

from benchmarks.attacks_results import spread
from benchmarks.measure import machine
from benchmarks.service import counters, service
from mirage import Mirage
from mirage.many import CONCURRENCY

MODEL = "cats-dogs"


def main() -> None:
    """Print a row for each way: pictures a second and rows in a batch, the median of the rounds and their spread."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    files = [photo(number) for number in range(options.photos)]
    with service(MODEL) as (http, *_), Mirage(str(http.base_url)) as client:
        ways: dict[str, Callable[[Sequence[bytes]], None]] = {
            "classify_many": lambda pictures: exhaust(client, pictures),
            "one picture a request": lambda pictures: one_by_one(client, pictures),
        }
        for way in ways.values():
            way(files[:100])
        results: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
        for _ in range(options.rounds):
            for name, way in ways.items():
                results[name].append(measured(http, way, files))
        knee = counters(http)[f'mirage_pass_knee_rows{{kind="forward",model="{MODEL}"}}']
    print(machine(torch.device("cpu")))
    print(f"{options.photos} pictures, {CONCURRENCY} requests at a time; batches of up to {knee:.0f} rows pay off")
    for name, rounds in results.items():
        speeds, rows = map(list, zip(*rounds, strict=True))
        print(f"{name:22} {spread(speeds, 1)} pictures/s, {spread(rows, 1)} rows in a batch")


def photo(seed: int) -> bytes:
    """A drawn picture as a JPEG file."""
    coarse = np.random.default_rng(seed).integers(0, 256, (9, 12, 3), dtype=np.uint8)
    buffer = BytesIO()
    Image.fromarray(coarse).resize((240, 180), Image.Resampling.BICUBIC).save(buffer, "JPEG", quality=90)
    return buffer.getvalue()


def exhaust(client: Mirage, pictures: Sequence[bytes]) -> None:
    """Classify all pictures by `classify_many`."""
    for _, result in client.classify_many(pictures):
        if isinstance(result, Exception):
            raise result


def one_by_one(client: Mirage, pictures: Sequence[bytes]) -> None:
    """Classify all pictures, each in a request of its own."""
    with ThreadPoolExecutor(CONCURRENCY) as threads:
        list(threads.map(client.classify, pictures))


def measured(http: httpx.Client, way: Callable[[Sequence[bytes]], None], files: Sequence[bytes]) -> tuple[float, float]:
    """Pictures a second, and rows in a batch of the service on average."""
    before, begun = counters(http), time.perf_counter()
    way(files)
    seconds, after = time.perf_counter() - begun, counters(http)
    batches, rows = (
        after[f"mirage_engine_forward_{name}_total"] - before[f"mirage_engine_forward_{name}_total"]
        for name in ("batches", "rows")
    )
    return len(files) / seconds, rows / batches


if __name__ == "__main__":
    main()
