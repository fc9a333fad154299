"""The service over HTTP: start, idle CPU, attacks and how /classify confirms them, shared batches, ideal pictures.

    python -m benchmarks.service --data cats-vs-dogs.zip --photos 100
    python -m benchmarks.service --models imagenet/mobilenet_v2 --ideals zebra,flamingo,volcano

The photos are from the test split of the served model, which it was not trained on.
"""

import argparse
import base64
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import torch
from rich.console import Console

from benchmarks.measure import machine
from models.pictures import decode
from training.data.layout.layout import layout
from training.data.scan.scan_source import scan_files
from training.data.sources.open_source import open_source
from training.evaluate import choose_photos, load_model

EPSILON_LEVELS = 8


@contextmanager
def service(models: str) -> Iterator[tuple[httpx.Client, int, float]]:
    """A service in a process of its own: a client for it, its process, and the seconds until it was ready.

    Its cache is empty, so that no picture is one that was drawn before.
    """
    with tempfile.TemporaryDirectory() as cache, _service(models, cache) as running:
        yield running


@contextmanager
def _service(models: str, cache: str) -> Iterator[tuple[httpx.Client, int, float]]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = {**os.environ, "MIRAGE_PORT": str(port), "MIRAGE_LOG_LEVEL": "error", "MIRAGE_CACHE": cache}
    environment["MIRAGE_DRAIN_S"] = "0"  # nobody else asks it
    if models:
        environment["MIRAGE_MODELS"] = models
    begun = time.monotonic()
    process = subprocess.Popen([sys.executable, "-m", "app"], env=environment, stdout=subprocess.DEVNULL)
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=600) as client:
            while not _ready(client):
                if process.poll() is not None or time.monotonic() - begun > 600:
                    raise SystemExit("the service did not become ready: see its log above")
                time.sleep(0.05)
            yield client, process.pid, time.monotonic() - begun
    finally:
        process.terminate()
        process.wait(30)


def _ready(client: httpx.Client) -> bool:
    try:
        return client.get("/health/ready").status_code == 200
    except httpx.ConnectError:
        return False


def cpu_seconds(process: int) -> float:
    """User and system time of a process so far (Linux)."""
    fields = Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def test_photos(data: Path, model: str, count: int) -> list[bytes]:
    """The first `count` photos of the model's test split, one class after the other in turn."""
    source = open_source(data)
    labels = layout(source)
    scan = scan_files(source, labels, workers=os.cpu_count() or 1, console=Console(quiet=True))
    _, photos = choose_photos("test", scan, labels, load_model(model, torch.device("cpu")))
    by_folder = [[photo for photo in photos if photo.folder == folder] for folder in labels.folders]
    in_turn = [photo for group in zip(*by_folder, strict=False) for photo in group]
    return [source.read(photo.name) for photo in in_turn[:count]]


def counters(client: httpx.Client) -> dict[str, float]:
    """The engine's counters."""
    lines = [line for line in client.get("/metrics").text.splitlines() if not line.startswith("#")]
    return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines)}


def attack(client: httpx.Client, photo: bytes) -> dict[str, Any]:
    """The report of one attack with default options, with checks of whether it is true of the returned file."""
    answer = client.post("/adversarial", files={"image": photo}, data={"format": "json", "attack": "pgd"})
    report: dict[str, Any] = answer.raise_for_status().json()
    returned = base64.b64decode(report["image"].partition(",")[2])
    before, after = decode(photo), decode(returned)
    again = client.post("/classify", files={"image": returned}, params={"top": 1}).json()["predictions"][0]
    report["same_size"] = before.shape == after.shape
    report["levels"] = int((after.int() - before.int()).abs().max())
    report["as_reported"] = again["label"] == report["adversarial"]["label"]
    return report


def report_attacks(client: httpx.Client, photos: list[bytes]) -> None:
    """Print over all photos how many attacks succeed, stay within the budget and report the truth."""
    begun = time.monotonic()
    reports = [attack(client, photo) for photo in photos]
    seconds = time.monotonic() - begun
    successes = [report for report in reports if report["success"]]
    print(f"attacks with defaults: {len(successes)} of {len(reports)} fool the model")
    print(
        f"  successes that /classify confirms: {sum(report['as_reported'] for report in successes)} of {len(successes)}"
    )
    print(
        f"  all verdicts that /classify confirms: {sum(report['as_reported'] for report in reports)} of {len(reports)}"
    )
    print(f"  largest change: {max(report['levels'] for report in reports)} levels (allowed: {EPSILON_LEVELS})")
    print(f"  of the upload's size: {sum(report['same_size'] for report in reports)} of {len(reports)}")
    print(f"  median l2: {statistics.median(report['norms']['l2'] for report in reports):.3f}")
    print(f"  seconds each, one after the other, with the check: {seconds / len(reports):.2f}")


def report_sharing(client: httpx.Client, photos: list[bytes]) -> None:
    """Run 16 attacks at once; print rows per batch, and the gradient steps during one classification request."""
    before = counters(client)
    steps: list[float] = []
    with ThreadPoolExecutor(16) as pool:
        attacks = [pool.submit(attack, client, photo) for photo in photos[:16]]
        while not all(future.done() for future in attacks):
            time.sleep(0.5)
            start = counters(client)
            client.post("/classify", files={"image": photos[0]})
            end = counters(client)
            if start["mirage_engine_alive"] >= 16:
                steps.append(
                    end["mirage_engine_gradient_batches_total"] - start["mirage_engine_gradient_batches_total"]
                )
    after = counters(client)
    rows, batches = (
        after[f"mirage_engine_gradient_{what}_total"] - before[f"mirage_engine_gradient_{what}_total"]
        for what in ("rows", "batches")
    )
    print(f"16 attacks at once: {rows / batches:.1f} rows a batch on average ({rows:.0f} in {batches:.0f})")
    if not steps:
        print("  no /classify was sent while all 16 were at work: not measured")
    else:
        print(f"  a /classify meanwhile spans {statistics.median(steps):.0f} gradient steps, {max(steps):.0f} at most"
              f" (of {len(steps)} tries)")  # fmt: skip


def report_ideals(client: httpx.Client, names: list[str], folder: Path | None) -> None:
    """Print the reported probability of each ideal picture, and that of /classify for the returned file."""
    for name in names:
        answer = client.get(f"/ideal/{name}")
        again = client.post("/classify", files={"image": answer.content}, params={"top": 1}).json()["predictions"][0]
        reported = answer.headers["X-Mirage-Probability"]
        print(f"ideal {name}: reported {reported}; /classify says {again['label']} {again['probability']:.4f}")
        if folder is not None:
            (folder / f"ideal-{name}.png").write_bytes(answer.content)


def main() -> None:
    """Start a service and run the measurements that the options select."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", default="", help="as MIRAGE_MODELS")
    parser.add_argument("--data", type=Path, help="folder or zip of photos; without it no attacks are measured")
    parser.add_argument("--photos", type=int, default=100)
    parser.add_argument("--ideals", default="cat,dog")
    parser.add_argument("--idle-seconds", type=int, default=30)
    parser.add_argument("--save", type=Path, help="folder for the ideal pictures")
    options = parser.parse_args()
    print(machine(torch.device("cpu")))
    with service(options.models) as (client, process, ready_s):
        print(f"ready after {ready_s:.1f} s")
        used = cpu_seconds(process)
        time.sleep(options.idle_seconds)
        print(
            f"idle: {(cpu_seconds(process) - used) / options.idle_seconds:.2%} of a core over {options.idle_seconds} s"
        )
        if options.data:
            photos = test_photos(options.data, client.get("/models").json()["default"], options.photos)
            report_attacks(client, photos)
            report_sharing(client, photos)
        report_ideals(client, options.ideals.split(","), options.save)


if __name__ == "__main__":
    main()
