"""Ideal pictures by effort, interleaved class by class: seconds, passes, and what two networks see in them.

    python -m benchmarks ideals_efforts --classes zebra volcano --seeds 2

MobileNetV2 draws and SqueezeNet judges, with torchvision's weights in TORCH_HOME. `thorough` is what the service did by
default before there were efforts. Each picture is drawn alone, as for a single user.
"""

import argparse
import statistics
import sys
import time
from pathlib import Path
from typing import get_args

import torch

from app.memory.allocator import keep_freed_memory
from benchmarks.ideals_subjects import CLASSES, Two, load_two
from benchmarks.measure import machine
from benchmarks.parts import SKIPPED
from benchmarks.results import Figure, write_figures
from models.effort import Effort
from models.ideal import ideal
from models.run import run
from models.store import EXPECTED

Samples = dict[tuple[Effort, str], list[float]]


def measure(two: Two, label: str, seed: int, effort: Effort, samples: Samples) -> None:
    """Draw one picture and add its figures to the samples."""
    model, begun = two.draws, time.perf_counter()
    result = run(ideal(two.index(label), model.spec, effort=effort, seed=seed), model.classifier)
    seconds, drawn = time.perf_counter() - begun, result.pictures[0]
    other = two.judgement(drawn.picture, label)
    row = {
        "seconds": seconds,
        "rows with gradients": float(result.passes.backward),
        "R, the mean probability of changed views": drawn.score.robust,
        "T, the probability under SqueezeNet": other.probability,
    }
    for figure, value in row.items():
        samples.setdefault((effort, figure), []).append(value)
    print(f"{label}, seed {seed}, {effort}: {seconds:.1f} s, R {drawn.score.robust:.3f}", file=sys.stderr, flush=True)


def figures_of(samples: Samples) -> list[Figure]:
    """All figures, and the share of `thorough`'s seconds that the other efforts take for the same picture."""
    figures = []
    for effort in get_args(Effort):
        mine = {figure: values for (of, figure), values in samples.items() if of == effort}
        share = [own / whole for own, whole in zip(mine["seconds"], samples["thorough", "seconds"], strict=True)]
        figures += [
            Figure(f"{effort}: {figure}", "s" if figure == "seconds" else "", values) for figure, values in mine.items()
        ]
        figures.append(Figure(f"{effort}: share of thorough's seconds", "ratio", share))
        figures.append(
            Figure(f"{effort}: mean of T", "", [statistics.fmean(mine["T, the probability under SqueezeNet"])])
        )
    return figures


def main() -> None:
    """Draw the classes' pictures with every effort and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--classes", nargs="+", default=list(CLASSES))
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--json", type=Path, help="file for the figures")
    options = parser.parse_args()
    keep_freed_memory()  # as the service does
    device = torch.device("cpu")
    print(machine(device))
    try:
        two = load_two(device)
    except EXPECTED as error:
        print(f"there are no weights to draw and to judge with: {error}")
        sys.exit(SKIPPED)
    for model in (two.draws, two.judges):
        model.classifier.warm_up()
        model.classifier.pass_times.measure(model.classifier, size=model.spec.size, most=32)
    samples: Samples = {}
    for seed in range(options.seeds):
        for label in options.classes:
            for effort in get_args(Effort):
                measure(two, label, seed, effort, samples)
    figures = figures_of(samples)
    print("\n".join(f"{figure.name:60} {figure.text}" for figure in figures))
    if options.json:
        write_figures(options.json, figures)


if __name__ == "__main__":
    main()
