"""How fast training is: an epoch of the probe, the loop compared with steps on data in memory, a second run's start.

python -m benchmarks.training_speed --data cats-vs-dogs.zip --weights mobilenet_v2-imagenet1k.safetensors
"""

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from torch import Tensor
from torch.nn import functional

from benchmarks.measure import machine
from models.classifier import choose_device
from training.cache import Cache
from training.data.loading.batches import Batch, training_batches
from training.data.loading.workers import default_workers
from training.options import TrainingOptions
from training.prepare import prepare
from training.probe import fit_linear
from training.recipe import Recipe
from training.run import Run

PHOTOS, WIDTH = 7000, 1280
SIZE = 160
AGAIN = 5
"""Number of further runs after the first."""
BEGINS = "the first step begins"
ANNOUNCING = f"""
from training.data.loading.workers import warm_up
warm_up()
from training.__main__ import app
from training import run

class Announcing(run.Learner):
    def learn(self, *batch):
        print({BEGINS!r})
        return super().learn(*batch)

run.Learner = Announcing  # not the one that choosing a precision takes
app()
"""
"""A script that runs `python -m training` and prints BEGINS when training begins."""


def probe_epoch(classes: int = 2) -> tuple[float, int]:
    """Seconds per pass of L-BFGS over 7,000 features of MobileNetV2's width, and how many passes there were."""
    torch.manual_seed(0)
    labels = torch.randint(0, classes, (PHOTOS,))
    features = torch.randn(PHOTOS, WIDTH) + 0.05 * labels.unsqueeze(1)
    passes, whole = 0, functional.cross_entropy

    def counted(*arguments: Any, **options: Any) -> Tensor:
        nonlocal passes
        passes += 1
        return whole(*arguments, **options)

    functional.cross_entropy = counted
    try:
        begun = time.perf_counter()
        fit_linear(features, labels, classes=classes, penalty=0.1)
        return (time.perf_counter() - begun) / passes, passes
    finally:
        functional.cross_entropy = whole


def loop_beside_memory(options: TrainingOptions, steps: int, rounds: int) -> tuple[list[float], float]:
    """Per round the loop's images per second over those of the same steps on a batch in memory; and the latter.

    The loader lives through all rounds and has a second after each to have its batches ready again: what it does for a
    round it does within it, and nothing while the steps from memory are timed.
    """
    run = Run(prepare(options, Console(quiet=True)), Console(quiet=True))
    learner = run.learner("bfloat16" if options.device.type != "mps" else "float32", rate=lambda step: 1e-6)
    data = run.prepared.data.labelled(run.prepared.split.train)
    batch_in_memory = next(iter(training_batches(data, run.plan, 0, workers=0)))
    batches = iter(training_batches(data, run.plan, 0, workers=options.workers))
    ratios, rates = [], []

    def seconds(batch: Callable[[], Batch]) -> float:
        time.sleep(1)
        begun = time.perf_counter()
        for _ in range(steps):
            learner.learn(*batch())  # waits for the device, since it returns the loss
        return time.perf_counter() - begun

    seconds(lambda: next(batches))
    for _ in range(rounds):
        fed, looped = seconds(lambda: batch_in_memory), seconds(lambda: next(batches))
        ratios.append(fed / looped)
        rates.append(steps * run.plan.batch_size / fed)
    return ratios, statistics.median(rates)


def starts(options: argparse.Namespace, place: Path) -> list[float]:
    """Seconds until the first step begins: of a run whose photos are not decoded yet, and of AGAIN later runs."""
    seconds = []
    for name in map(str, range(1 + AGAIN)):
        arguments = ["fit", str(options.data), "--output", f"{name}.safetensors", "--weights", str(options.weights)]
        arguments += ["--cache", "cache", "--device", options.device]
        begun = time.perf_counter()
        command = [sys.executable, "-u", "-c", ANNOUNCING, *arguments]
        with subprocess.Popen(command, cwd=place, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            for line in process.stdout:
                if line.strip() == BEGINS:
                    seconds.append(time.perf_counter() - begun)
                    break
            process.kill()
        time.sleep(3)  # its workers end after it, and would slow the next run down
    return seconds


def main() -> None:
    """Print the figures of all three measurements."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="folder or zip of photos; without it only the probe is measured")
    parser.add_argument("--weights", type=Path, help="pretrained weights of MobileNetV2")
    parser.add_argument("--steps", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=9, help="number of measurements of the loop; 0 leaves it out")
    parser.add_argument("--device", default="auto")
    options = parser.parse_args()
    device = choose_device(options.device)
    print(machine(device))
    seconds, passes = probe_epoch()
    print(f"an epoch of the probe over {PHOTOS:,} features of {WIDTH}: {seconds:.3f} s ({passes} passes)")
    if options.data is None or options.weights is None:
        print("with --data and --weights also: the loop, and a second run's start")
        return
    options.data, options.weights = options.data.resolve(), options.weights.resolve()
    cache = Cache()
    recipe = Recipe(full_size_epochs=0, precision="bfloat16")
    training_options = TrainingOptions(
        data=options.data,
        architecture="mobilenet_v2",
        recipe=recipe,
        weights=options.weights,
        workers=default_workers(),
        device=device,
        cache=cache,
    )
    if options.rounds:
        ratios, per_second = loop_beside_memory(training_options, options.steps, options.rounds)
        print(f"the loop at {SIZE} px: {_format_median(ratios, 3)} of {per_second:.0f} images/s")
    with tempfile.TemporaryDirectory() as place:
        first, *later = starts(options, Path(place))
    print(f"from the command to where its first step begins: {first:.1f} s, a later run {_format_median(later, 1)} s")


def _format_median(figures: list[float], digits: int) -> str:
    middle, least, most = (
        f"{figure:.{digits}f}" for figure in (statistics.median(figures), min(figures), max(figures))
    )
    return f"{middle} ({least} to {most})"


if __name__ == "__main__":
    main()
