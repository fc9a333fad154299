"""What a new user waits for: the README's first attack, its curve and its ideal picture, over HTTP, by effort.

    python -m benchmarks first_results --rounds 3

The picture is scikit-image's chelsea. The first figures are of services that have just become ready and still import
libraries; each answers one request. All others are of a service that has answered an attack before. Each round
runs all efforts in turn, and `thorough`, which has the former defaults of the attack and of the ideal picture, is the
baseline of the others.
"""

import argparse
import json
import statistics
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import get_args

import httpx
import torch

from benchmarks.measure import machine
from benchmarks.results import Figure, write_figures
from benchmarks.service import service
from models.effort import Effort

PHOTO = Path(__file__).parent.parent / "docs" / "pictures" / "chelsea.png"
Request = Callable[[httpx.Client, str, int], httpx.Response]


def attack(client: httpx.Client, effort: str, number: int) -> httpx.Response:
    """The README's first attack."""
    return client.post("/adversarial", files={"image": PHOTO.read_bytes()}, data={"effort": effort})


def curve(client: httpx.Client, effort: str, number: int) -> httpx.Response:
    """The README's curve."""
    form = {"effort": effort, "steps": "20"}
    return client.post("/adversarial/curve", files={"image": PHOTO.read_bytes()}, data=form)


def ideal(client: httpx.Client, effort: str, number: int) -> httpx.Response:
    """The README's ideal cat; each round has another seed, because the service keeps finished pictures."""
    query = {"model": "cats-dogs-robust", "effort": effort, "seed": str(number)}
    return client.get("/ideal/cat", params=query)


REQUESTS: dict[str, Request] = {"first attack": attack, "curve": curve, "ideal cat": ideal}


def seconds_of(request: Callable[[], httpx.Response]) -> float:
    """Seconds from the request to the whole response; raises httpx.HTTPStatusError if it is no success."""
    begun = time.perf_counter()
    request().raise_for_status()
    return time.perf_counter() - begun


def first_success(client: httpx.Client) -> float:
    """Seconds until the stream of the README's first attack reports a success that is verified in the file."""
    begun = time.perf_counter()
    files, form = {"image": PHOTO.read_bytes()}, {"format": "events"}
    with client.stream("POST", "/adversarial", files=files, data=form) as response:
        for line in response.raise_for_status().iter_lines():
            if line.startswith("data:") and json.loads(line.removeprefix("data:")).get("success"):
                return time.perf_counter() - begun
    raise SystemExit("the attack ended without a success")


def main() -> None:
    """Start a service and time the requests."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=Path, help="file for the figures")
    options = parser.parse_args()
    print(machine(torch.device("cpu")))
    samples: dict[str, list[float]] = {}

    def note(name: str, seconds: float) -> None:
        samples.setdefault(name, []).append(seconds)
        print(f"{name}: {seconds:.2f} s", flush=True)

    for _ in range(options.rounds):
        for name in ("first attack", "ideal cat"):
            with service("") as (client, _, ready_s):
                soon = seconds_of(partial(REQUESTS[name], client, "standard", 0))
            note("from the start of the process until it is ready", ready_s)
            note(f"{name} as soon as the service is ready", soon)
    with service("") as (client, _, _):
        seconds_of(partial(attack, client, "quick", 0))  # so that no effort pays for what is loaded once
        for number in range(options.rounds):
            note("first verified success in the stream of the first attack", first_success(client))
            for name, request in REQUESTS.items():
                for effort in get_args(Effort):
                    note(f"{name}, effort={effort}", seconds_of(partial(request, client, effort, number)))
    figures = [Figure(name, "s", seconds) for name, seconds in samples.items()]
    for name in REQUESTS:
        base = samples[f"{name}, effort=thorough"]
        for effort in ("quick", "standard"):
            ratios = [mine / its for mine, its in zip(samples[f"{name}, effort={effort}"], base, strict=True)]
            figures.append(Figure(f"{name}, effort={effort} to thorough in the same round", "ratio", ratios))
            print(f"{figures[-1].name}: {statistics.median(ratios):.2f}")
    if options.json:
        write_figures(options.json, figures)


if __name__ == "__main__":
    main()
