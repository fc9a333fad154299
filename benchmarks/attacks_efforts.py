"""The efforts of the default attack, interleaved picture by picture: seconds, passes and sizes against thorough.

    python -m benchmarks.attacks_efforts --limit 40 --json efforts.json

Attacks cats and dogs with the bundled checkpoint, and ImageNet photos with MobileNetV2 if TORCH_HOME has its weights,
at the photo's own size. Without ../shared the only picture is scikit-image's cat.
"""

import argparse
import statistics
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import torch
from skimage import data as skimage_data
from torch import Tensor

from app.memory.allocator import keep_freed_memory
from benchmarks.attacks_subjects import SAMPLES, open_photos
from benchmarks.parts import SKIPPED
from benchmarks.results import Figure, write_figures
from models import store
from models.attacks.geometry import NORMS
from models.attacks.task import Adversarial, AlreadyTarget, adversarial
from models.effort import Effort
from models.query import Progress
from models.run import run
from models.store import Model

CATS_AND_DOGS = SAMPLES.with_name("cats-vs-dogs.zip")
SUBJECTS = ["cats-dogs", "imagenet"]


def attack(
    model: Model, levels: Tensor, effort: Effort, norm: str, target: int | None
) -> tuple[Adversarial, float, float]:
    """The result, the seconds it took, and the seconds until a success was verified."""
    begun, first = time.perf_counter(), float("nan")

    def listen(report: Progress) -> None:
        nonlocal first
        if report.success and first != first:
            first = time.perf_counter() - begun

    result = run(
        adversarial(levels, model.spec, target=target, attack="auto", norm=norm, effort=effort),
        model.classifier,
        listen,
    )
    seconds = time.perf_counter() - begun
    return result, seconds, seconds if first != first else first


def compare(name: str, model: Model, photos: list[Tensor], norm: str, *, targeted: bool) -> Iterator[Figure]:
    """The figures of all efforts on these photos; a photo that shows the target already is left out."""
    samples: dict[tuple[Effort, str], list[float]] = {}
    for number, levels in enumerate(photos):
        target = number % len(model.spec.classes) if targeted else None
        for effort in get_args(Effort):
            try:
                result, seconds, first = attack(model, levels, effort, norm, target)
            except AlreadyTarget:
                break
            passes = result.passes
            row = {
                "seconds": seconds,
                "first success": first,
                "size": result.norms[norm] if result.success else float("inf"),
                "passes": passes.forward + 2 * passes.backward,
            }
            for figure, value in row.items():
                samples.setdefault((effort, figure), []).append(value)
        print(f"{name}: {number + 1} of {len(photos)}", file=sys.stderr, flush=True)
    for effort in get_args(Effort):
        mine = {figure: samples[effort, figure] for figure in ("seconds", "first success", "size", "passes")}
        share = [own / whole for own, whole in zip(mine["seconds"], samples["thorough", "seconds"], strict=True)]
        sizes = [statistics.median(mine["size"]) / statistics.median(samples["thorough", "size"])]
        yield Figure(f"{name}, {effort}: seconds", "s", mine["seconds"])
        yield Figure(f"{name}, {effort}: share of thorough's seconds", "ratio", share)
        yield Figure(f"{name}, {effort}: passes, one with gradients counted as three", "passes", mine["passes"])
        yield Figure(f"{name}, {effort}: seconds to the first verified success", "s", mine["first success"])
        yield Figure(f"{name}, {effort}: {norm}", "", mine["size"])
        yield Figure(f"{name}, {effort}: median {norm} over thorough's", "ratio", sizes)


def subjects(names: list[str], limit: int) -> Iterator[tuple[str, Model, list[Tensor]]]:
    """Each model with its photos."""
    if "cats-dogs" in names:
        cats_dogs = store.load("cats-dogs")
        if CATS_AND_DOGS.exists():
            yield "cats and dogs", cats_dogs, open_photos(CATS_AND_DOGS, limit)[1]
        else:
            yield "chelsea", cats_dogs, [torch.from_numpy(skimage_data.chelsea()).permute(2, 0, 1).contiguous()]
    if "imagenet" in names and SAMPLES.exists():
        try:
            yield "ImageNet", store.load("imagenet/mobilenet_v2"), open_photos(SAMPLES, limit)[1]
        except store.EXPECTED as error:
            print(f"ImageNet is left out: {error}", file=sys.stderr)


def main() -> None:
    """Measure all efforts and print their figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--limit", type=int, default=6, help="number of photos per model (6)")
    parser.add_argument("--subjects", nargs="+", choices=SUBJECTS, default=SUBJECTS, help="models with their photos")
    parser.add_argument("--norm", choices=NORMS, default="l2")
    parser.add_argument("--targeted", action="store_true", help="towards a class that follows from the photo's number")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    keep_freed_memory()  # as the service does
    figures: list[Figure] = []
    for name, model, photos in subjects(options.subjects, options.limit):
        new = list(compare(name, model, photos, options.norm, targeted=options.targeted))
        print("\n".join(f"{figure.name:75} {figure.text}" for figure in new), flush=True)
        figures += new
    if not figures:
        sys.exit(SKIPPED)
    if options.json:
        write_figures(options.json, figures)


if __name__ == "__main__":
    main()
