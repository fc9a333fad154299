"""What the Python of many tasks costs between passes: attacks and ideals on a network that costs nothing.

    python -m benchmarks steps_overhead --side 32 --tasks 1 16 64

On a fast accelerator this bounds the throughput: while one thread of Python prepares the next queries, the accelerator
waits. The pictures are small, so that arithmetic on pixels, which an accelerator does, counts for little here.
"""

import argparse
import cProfile
import pstats
import statistics
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import torch

from app.engine.engine import Engine
from benchmarks.measure import machine
from benchmarks.results import Figure, write_figures
from models.attacks.task import adversarial
from models.ideal import ideal
from models.query import Answer, Query, Task, joint_losses
from models.spec import Spec

CLASSES = 10
ATTACKS: dict[str, dict[str, Any]] = {
    "pgd": {"epsilon": 8 / 255},
    "apgd": {"epsilon": 8 / 255},
    "mi_fgsm": {"epsilon": 8 / 255},
    "ddn": {},
    "fmn": {},
    "carlini_wagner": {"searches": 1},
    "sigma_zero": {},
}
"""Attacks of one pass with gradients per step, with options that let them run all their steps."""


class FreeNetwork:
    """Answers at once: the same logits and the same gradients for every row, as views of tensors made before.

    Its first class always wins, so that no attack succeeds and ends early. `gradient_rows` counts steps.
    """

    def __init__(self, side: int, most_rows: int, device: torch.device) -> None:
        random = torch.Generator().manual_seed(0)
        self.logits = torch.linspace(5, -5, CLASSES, device=device).expand(most_rows, CLASSES).contiguous()
        self.gradients = torch.randn(most_rows, 3, side, side, generator=random).to(device)
        self.gradient_rows = 0

    def answer(self, queries: list[Query]) -> list[Answer]:
        """One answer per query; objectives are evaluated, since they are the tasks' own code."""
        logits = [self.logits[: query.pixels.shape[0]] for query in queries]
        losses = joint_losses([query.objective for query in queries], logits)
        answers = []
        for query_logits, query_losses in zip(logits, losses, strict=True):
            rows = query_logits.shape[0]
            if query_losses is None:
                answers.append(Answer(query_logits))
                continue
            self.gradient_rows += rows
            answers.append(Answer(query_logits, query_losses, self.gradients[:rows].clone()))
        return answers


def spec(side: int) -> Spec:
    """A model whose preprocessing changes nothing."""
    names = tuple(f"class {number}" for number in range(CLASSES))
    return Spec("squeezenet1_1", names, mean=(0.0,) * 3, std=(1.0,) * 3, input_size=side, resize=side)


def tasks_of(kind: str, side: int, steps: int, device: torch.device) -> Callable[[int], Task[Any]]:
    """A function that makes the task with a number: an attack of ATTACKS, or an ideal picture."""
    if kind == "ideal":
        options: dict[str, Any] = {"steps": steps, "patience": 0, "crops": 1}
        return lambda number: ideal(0, spec(side), size=side, seed=number, device=device, **options)
    pictures = torch.randint(0, 256, (3, side, side), generator=torch.Generator().manual_seed(1), dtype=torch.uint8)
    picture = pictures.to(device)
    return lambda number: adversarial(picture, spec(side), attack=kind, steps=steps, **ATTACKS[kind])


def microseconds(make: Callable[[int], Task[Any]], count: int, side: int, device: torch.device) -> float:
    """Microseconds per task and step of `count` tasks at once in one engine; a step is a row that has gradients.

    They are the CPU time of the process, whose work is that of the engine's thread, so that other processes do not
    count.
    """
    network = FreeNetwork(side, 64, device)
    engine = Engine(max_tasks=count)
    begun = time.process_time()
    futures = [engine.submit(make(number), network) for number in range(count)]
    for future in futures:
        future.result()
    seconds = time.process_time() - begun
    engine.close()
    return seconds / network.gradient_rows * 1e6


def main() -> None:
    """Print microseconds per task and step, and with --profile where they go."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kinds", nargs="+", default=[*ATTACKS, "ideal"], choices=[*ATTACKS, "ideal"])
    parser.add_argument("--side", type=int, default=32, help="side of the pictures in pixels (32)")
    parser.add_argument("--tasks", type=int, nargs="+", default=[1, 16, 64], help="numbers of tasks at once")
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--profile", action="store_true", help="also print the functions that take most of the time")
    parser.add_argument("--json", type=Path, help="file for the figures")
    options = parser.parse_args()
    torch.set_num_threads(1)
    device = torch.device(options.device)
    print(machine(device))
    figures = []
    for kind in options.kinds:
        make = tasks_of(kind, options.side, options.steps, device)
        for count in options.tasks:
            measure = partial(microseconds, make, count, options.side, device)
            measure()  # lazy initialisation
            samples = [measure() for _ in range(options.rounds)]
            figures.append(Figure(f"{kind}, {count} at once, per task and step", "µs", samples))
            print(f"{figures[-1].name}: {statistics.median(samples):.0f} µs", flush=True)
        if options.profile:
            _profile(make, max(options.tasks))
    if options.json:
        write_figures(options.json, figures)


def _profile(make: Callable[[int], Task[Any]], count: int) -> None:
    """Run the tasks on this thread, where a profiler sees them; drawn from models.run, as the engine does."""
    from models.run import run_all

    network = FreeNetwork(32, 64, torch.device("cpu"))
    profile = cProfile.Profile()
    profile.enable()
    for _ in run_all((make(number) for number in range(count)), network, at_once=count):
        pass
    profile.disable()
    pstats.Stats(profile).sort_stats("tottime").print_stats(25)


if __name__ == "__main__":
    main()
