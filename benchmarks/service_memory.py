"""How soon the service is ready, and its memory: at ready, at its peak, and after a minute without requests.

    python -m benchmarks.service_memory
    python -m benchmarks.service_memory --mixed-seconds 3600

The very first start has no compiled bytecode. The later ones have it, and all files are in the system's cache.
"""

import argparse
import io
import os
import random
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import httpx
import numpy as np
import torch
from PIL import Image

from benchmarks.measure import machine
from benchmarks.results import Figure, write_figures
from benchmarks.service import service

PHOTO = Path(__file__).parent.parent / "docs" / "pictures" / "chelsea.png"
LARGE = (6000, 4133)
"""Width and height of a photo of 24.8 megapixels."""
UPLOADS = 12
CLIENTS = 4
IDLE_S = 60


def memory(process: int) -> dict[str, float]:
    """Resident memory of a process in MB (10^6 bytes): all of it, and the part that is no file's (Linux)."""
    lines = Path(f"/proc/{process}/status").read_text().splitlines()
    fields = {name: value.split() for name, _, value in (line.partition(":") for line in lines)}
    return {name: int(fields[key][0]) * 1024 / 1e6 for name, key in (("all", "VmRSS"), ("anonymous", "RssAnon"))}


@contextmanager
def watching(process: int) -> Iterator[Callable[[], float]]:
    """A function that returns the largest resident memory in MB since the block began, read every 20 ms."""
    most, ended = [memory(process)["all"]], threading.Event()

    def watch() -> None:
        while not ended.wait(0.02):
            most[0] = max(most[0], memory(process)["all"])

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield lambda: most[0]
    finally:
        ended.set()
        thread.join()


def photo(width: int, height: int, *, progressive: bool = False) -> bytes:
    """A JPEG with smooth shapes and some noise."""
    noise = np.random.default_rng(0)
    small = Image.fromarray(noise.integers(0, 256, (height // 40, width // 40, 3), np.uint8))
    large = np.asarray(small.resize((width, height), Image.Resampling.BICUBIC)).astype(np.int16)
    large += noise.integers(-8, 9, (height, width, 1), np.int16)
    file = io.BytesIO()
    Image.fromarray(large.clip(0, 255).astype(np.uint8)).save(file, "JPEG", quality=90, progressive=progressive)
    return file.getvalue()


def large_uploads(client: httpx.Client, process: int) -> dict[str, float]:
    """Peak memory of 12 uploads of 24.8 megapixels at once, and what is left of it after a minute."""
    figures = {}
    for kind, file in (("baseline", photo(*LARGE)), ("progressive", photo(*LARGE, progressive=True))):
        with watching(process) as most, ThreadPoolExecutor(UPLOADS) as pool:
            answers = [pool.submit(client.post, "/classify", files={"image": file}) for _ in range(UPLOADS)]
            assert all(answer.result().status_code == 200 for answer in answers)
            figures[f"{UPLOADS} {kind} JPEGs of 24.8 megapixels at once: peak"] = most()
        time.sleep(IDLE_S)
        figures[f"{UPLOADS} {kind} JPEGs of 24.8 megapixels at once: a minute later"] = memory(process)["all"]
    return figures


def mixed_load(client: httpx.Client, process: int, seconds: float) -> dict[str, float]:
    """Memory after clients have sent requests of many kinds, and a minute after the last one."""
    small, large = PHOTO.read_bytes(), photo(*LARGE)
    kinds: Mapping[str, Callable[[int], httpx.Response]] = {
        "classify": lambda seed: client.post("/classify", files={"image": small}),
        "classify a large photo": lambda seed: client.post("/classify", files={"image": large}),
        "attack": lambda seed: client.post("/adversarial", files={"image": small}, data={"seed": seed}),
        "attack, as JSON": lambda seed: client.post(
            "/adversarial", files={"image": small}, data={"attack": "pgd", "format": "json", "steps": 10}
        ),
        "curve": lambda seed: client.post("/adversarial/curve", files={"image": small}),
        "ideal": lambda seed: client.get("/ideal/cat", params={"seed": seed}),
        "explain": lambda seed: client.post("/explain", files={"image": small}),
    }
    weights = [10, 3, 2, 2, 1, 1, 2]
    end, done = time.monotonic() + seconds, dict.fromkeys(kinds, 0)

    def work(number: int) -> None:
        order = random.Random(number)
        while time.monotonic() < end:
            (kind,) = order.choices(list(kinds), weights)
            answer = kinds[kind](order.randrange(1000))
            assert answer.status_code in (200, 503, 504), answer.text
            done[kind] += answer.status_code == 200

    with watching(process) as most, ThreadPoolExecutor(CLIENTS) as pool:
        list(pool.map(work, range(CLIENTS)))
        peak, at_end = most(), memory(process)["all"]
    print(f"mixed load: {done}", flush=True)
    time.sleep(IDLE_S)
    name = f"{seconds:.0f} s of mixed work by {CLIENTS} clients"
    return {f"{name}: peak": peak, f"{name}: at its end": at_end, f"{name}: a minute later": memory(process)["all"]}


def main() -> None:
    """Start the service several times, then measure the memory of the last one."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", default="", help="as MIRAGE_MODELS")
    parser.add_argument("--starts", type=int, default=3, help="number of starts with bytecode (3)")
    parser.add_argument("--mixed-seconds", type=float, default=60, help="seconds of mixed work (60)")
    parser.add_argument("--json", type=Path, help="file for the figures")
    options = parser.parse_args()
    print(machine(torch.device("cpu")))
    with tempfile.TemporaryDirectory() as folder:
        os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
        os.environ["PYTHONPYCACHEPREFIX"] = folder
        seconds, sizes = [], []
        for start in range(options.starts + 1):
            with service(options.models) as (client, process, ready_s):
                seconds.append(ready_s)
                sizes.append(memory(process))
                if start == options.starts:
                    measured = large_uploads(client, process)
                    measured |= mixed_load(client, process, options.mixed_seconds)
    figures = [
        Figure("ready: the very first start, which compiles the bytecode", "s", seconds[:1]),
        Figure("ready: later starts", "s", seconds[1:]),
        *(Figure(f"memory at ready: {name}", "MB", [size[name] for size in sizes]) for name in ("all", "anonymous")),
        *(Figure(name, "MB", [value]) for name, value in measured.items()),
    ]
    for figure in figures:
        print(f"{figure.name}: {', '.join(f'{sample:.1f}' for sample in figure.samples)} {figure.unit}")
    if options.json:
        write_figures(options.json, figures)


if __name__ == "__main__":
    main()
