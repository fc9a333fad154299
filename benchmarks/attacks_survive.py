"""How many results survive JPEG, written by the real encoder, with and without the option `survive`."""

import argparse
import statistics
import sys
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import torch
from torch import Tensor
from tqdm.auto import tqdm

from benchmarks.attacks_results import Results, median_size
from benchmarks.attacks_subjects import Bench, Case, whole
from models.attacks.geometry import Norm
from models.attacks.survive import parse_survive
from models.attacks.task import Adversarial
from models.pictures import decode, encode
from models.preprocessing import to_float
from models.run import run_all

QUALITIES = (50, 60, 70, 75, 80, 85, 90, 95)
SURVIVE_OPTIONS = ("png", "jpeg:75")
ATTACKS: tuple[tuple[str, Norm], ...] = (("ddn", "l2"), ("pgd", "linf"))


@dataclass
class Outlived:
    """Per photo: whether it fools the model by file ("png", or a JPEG's quality), its perturbation norm, its passes."""

    won: dict[str, list[bool]]
    size: list[float] = field(default_factory=list)
    forward: list[int] = field(default_factory=list)
    backward: list[int] = field(default_factory=list)


def part_survive(bench: Bench, photos: list[Tensor], results: Results, options: argparse.Namespace) -> None:
    """Measure which results survive JPEG and print each line as soon as it is measured."""
    print("photos at their own sizes that fool the model as a PNG, and as a JPEG of each quality by the real encoder;")
    print("size: median over all photos, in levels for linf; medians of the passes per photo")
    titles = "".join(f"{quality:>6}" for quality in QUALITIES)
    print(f"{'attack':8}{'norm':6}{'survive':10}{'png':>6}{titles}{'size':>9}{'forward':>9}{'backward':>9}", flush=True)
    cases = bench.cases(photos)
    for attack, norm in ATTACKS:
        for survive in SURVIVE_OPTIONS:
            measure = partial(outlived, bench, cases, options.at_once, attack, norm, survive)
            figures = results.of(f"survive {attack} {survive}", measure)
            print(f"{attack:8}{norm:6}{survive:10}{_line(figures, norm)}", flush=True)


def _line(figures: dict[str, Any], norm: Norm) -> str:
    if "failed" in figures:
        return f"  failed: {figures['failed']}"
    rates = "".join(f"{statistics.fmean(won):6.0%}" for won in figures["won"].values())
    passes = "".join(f"{statistics.median(figures[name]):9.0f}" for name in ("forward", "backward"))
    return f"{rates}{median_size(figures['size'], figures['won']['png'], norm):>9}{passes}"


def outlived(bench: Bench, cases: list[Case], at_once: int, attack: str, norm: Norm, survive: str) -> Outlived:
    """Attack all cases as the service does, and judge the results as PNG and as JPEG of each quality."""
    survivals = parse_survive(survive)
    tasks = (whole(bench, case, attack, norm, survivals) for case in cases)
    results: dict[int, Adversarial] = {}
    with tqdm(total=len(cases), desc=f"{attack} {survive}", unit="photo", leave=False, file=sys.stderr) as bar:
        for number, result in run_all(tasks, bench.classifier, at_once=at_once):
            results[number] = result
            bar.update()
    outcome = Outlived({"png": [], **{str(quality): [] for quality in QUALITIES}})
    for number, case in enumerate(cases):
        result = results[number]
        label = torch.tensor([case.label], device=bench.classifier.device)
        for name, fooled in outcome.won.items():
            file = encode(result.picture) if name == "png" else _jpeg(result.picture, int(name))
            pixels = to_float(decode(file).unsqueeze(0)).to(bench.classifier.device)
            fooled += bench.won(pixels, case.spec, label).tolist()
        outcome.size.append(result.norms[norm])
        outcome.forward.append(result.passes.forward)
        outcome.backward.append(result.passes.backward)
    return outcome


def _jpeg(levels: Tensor, quality: int) -> bytes:
    return encode(levels, format="jpeg", quality=quality)
