"""Ideal cats and dogs of the two bundled models, judged by a network of 1000 classes that took no part in drawing them.

python -m benchmarks.ideals_pets --seeds 8, and for the pictures --seeds 4 --sheets docs/pictures

The judge's probability of a cat is the sum over its five breeds, of a dog over its 118: a network trained to withstand
attacks is expected to draw what people consider typical (Engstrom et al. 2019, arxiv.org/abs/1906.00945). The models
draw at their own sizes; the judge gets all pictures at SHOWN pixels, since it would judge their sharpness otherwise,
and in the views that score a picture (`models/ideal/views.py`): a JPEG may change its verdict on a single view.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import get_args

import torch
from torch import Tensor
from torch.nn import functional
from torchvision.transforms.v2 import functional as transform

from benchmarks.ideals_subjects import JUDGES, draw
from benchmarks.measure import machine
from models.classifier import choose_device
from models.effort import Effort
from models.ideal import METHODS
from models.ideal.sheet import GAP
from models.ideal.views import FAMILIES
from models.pictures import encode
from models.store import Model, load

NAMES = ("cats-dogs", "cats-dogs-robust")
BREEDS = {"cat": range(281, 286), "dog": range(151, 269)}
"""Class indices of ImageNet-1k: tabby to Egyptian cat, Chihuahua to Mexican hairless."""

SHOWN = 160
"""Side in pixels at which the judge sees all pictures: that of the smallest model's pictures."""


def judge_picture(picture: Tensor, judge: Model) -> tuple[dict[str, float], str]:
    """The judge's probabilities of any cat and of any dog, as means over the families of views, and its first class."""
    resized = transform.resize(picture, [SHOWN, SHOWN], antialias=True)
    families = [
        judge.classifier.logits(views(resized, judge.spec)).softmax(dim=1).mean(dim=0) for views in FAMILIES.values()
    ]
    mean = torch.stack(families).mean(dim=0)
    shares = {label: mean[list(breeds)].sum().item() for label, breeds in BREEDS.items()}
    return shares, judge.spec.classes[int(mean.argmax())]


def rows(pictures: Sequence[Sequence[Tensor]]) -> Tensor:
    """One picture of all rows, with GAP white pixels between the pictures."""
    padded = [[functional.pad(picture, (0, GAP, 0, GAP), value=255) for picture in row] for row in pictures]
    return torch.cat([torch.cat(row, dim=2) for row in padded], dim=1)[:, :-GAP, :-GAP]


def main() -> None:
    """Print a line per picture and the means; with --sheets also write a sheet per model, with a row per class."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="+", default=list(NAMES))
    parser.add_argument("--method", default="fourier", choices=list(METHODS))
    parser.add_argument("--effort", default="standard", choices=get_args(Effort))
    parser.add_argument("--seeds", type=int, default=4)
    parser.add_argument("--sheets", type=Path, help="folder for a picture of each model's pictures")
    parser.add_argument("--device", default="auto")
    options = parser.parse_args()
    device = choose_device(options.device)
    print(machine(device))
    judge = load(JUDGES, device=device)
    for name in options.models:
        model = load(name, device=device)
        print(f"\n{name}, {options.method}\nclass  seed  p      R      a cat  a dog  the judge sees")
        pictures: dict[str, list[Tensor]] = {label: [] for label in BREEDS}
        by_class: dict[str, list[float]] = {label: [] for label in BREEDS}
        for seed in range(options.seeds):
            for label, drawn in zip(
                BREEDS, draw(model, options.method, tuple(BREEDS), seed, options.effort), strict=True
            ):
                shares, top = judge_picture(drawn.picture, judge)
                pictures[label].append(drawn.picture)
                by_class[label].append(shares[label])
                score = f"{drawn.score.strength:.3f}  {drawn.score.robust:.3f}"
                print(f"{label:5}  {seed:4}  {score}  {shares['cat']:.3f}  {shares['dog']:.3f}  {top}", flush=True)
        means = ", ".join(
            f"{label} {sum(probabilities) / len(probabilities):.3f}" for label, probabilities in by_class.items()
        )
        print(f"the judge's probability of the class drawn, mean: {means}")
        if options.sheets is not None:
            (options.sheets / f"ideals-{name}.jpg").write_bytes(
                encode(rows(list(pictures.values())), format="jpeg", quality=88)
            )


if __name__ == "__main__":
    main()
