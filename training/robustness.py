"""Accuracy under attack: the fraction of photos that a classifier still gets right, as a curve over budgets."""

import json
import math
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import torch
from jaxtyping import UInt8
from torch import Tensor

from models.attacks.options import ATTACKS, attack_options
from models.attacks.task import adversarial
from models.classifier import Classifier
from models.classify import classify
from models.figures import balanced_accuracy
from models.query import Result, Task
from models.run import run_all
from models.spec import Spec
from training.data.loading.batches import LabelledPhotos, evenly_spaced
from training.metrics import wilson

EPSILONS = {
    "linf": tuple(level / 255 for level in (1, 2, 4, 8)),
    "l2": (0.5, 1.0, 2.0, 4.0),
    "l1": (10.0, 30.0, 100.0, 300.0),
}
"""Default budgets in each norm, for pixel values from 0 to 1."""
AT_ONCE, AT_ONCE_ON_CPU = 16, 8
"""Number of photos that are attacked at the same time. More of them gain nothing on a CPU, and end later."""

Track = Callable[[Iterable[tuple[int, float]]], Iterable[tuple[int, float]]]


def robustness(
    classifier: Classifier,
    photos: Iterable[tuple[UInt8[Tensor, "3 _ _"], int]],
    *,
    attack: str = "apgd",
    norm: str = "linf",
    epsilons: Sequence[float] | None = None,
    seconds: float = math.inf,
    track: Track = lambda results: results,
    **options: Any,
) -> dict[str, Any]:
    """Accuracy on photos [3, h, w] with their labels, without an attack and within each budget: plain JSON.

    Each row of the curve also has Wilson's 95 % interval and the balanced accuracy. Budgets are in the unit of the
    norm, with pixel values from 0 to 1; by default those in EPSILONS. Photos are taken in their order until the next
    one would probably end after `seconds`; every photo that has been taken counts, so that the choice of photos does
    not depend on how hard they are to attack. At least one is measured.

    The attack is that of the service: it changes the photo at its own resolution, and it has succeeded if the
    classifier misclassifies the 8-bit picture. A photo that is misclassified within one budget counts as misclassified
    within all larger ones. Raises BadAttack.
    """
    budgets = sorted(epsilons or default_epsilons(norm))
    options = checked_options(attack=attack, norm=norm, epsilons=budgets, **options)
    # The first success is enough for the counts, and the search for a stronger one would take most of the passes.
    stop = {"stop": "first"} if "stop" in ATTACKS[attack].options else {}
    pace = _Pace(photos, seconds)
    tasks = (
        _smallest_budget(pixels, label, classifier.spec, attack, norm, budgets, {**stop, **options})
        for pixels, label in pace.photos()
    )
    smallest = dict(track(pace.counted(run_all(tasks, classifier.fold(), at_once=at_once(classifier.device)))))
    rows = [
        _row(epsilon, {number: budget > epsilon for number, budget in smallest.items()}, pace.labels)
        for epsilon in (0.0, *budgets)
    ]
    return {"attack": attack, "norm": norm, "options": options, "photos": len(smallest), "curve": rows}


def at_once(device: torch.device) -> int:
    """Number of photos that are attacked at the same time on this device."""
    return AT_ONCE_ON_CPU if device.type == "cpu" else AT_ONCE


class _Pace:
    """Hands out photos as long as all that have been handed out will probably end within `seconds`."""

    def __init__(self, photos: Iterable[tuple[UInt8[Tensor, "3 _ _"], int]], seconds: float) -> None:
        self.all, self.seconds, self.start = photos, seconds, time.monotonic()
        self.labels: list[int] = []
        self.ended = 0

    def photos(self) -> Iterator[tuple[UInt8[Tensor, "3 _ _"], int]]:
        """The photos; their labels are in `labels` once they have been handed out."""
        for pixels, label in self.all:
            if self.labels and self._seconds_with_one_more() > self.seconds:
                return
            self.labels.append(label)
            yield pixels, label

    def counted(self, results: Iterable[Result]) -> Iterator[Result]:
        """The results as they are; each one is that of a photo that has ended."""
        for result in results:
            self.ended += 1
            yield result

    def _seconds_with_one_more(self) -> float:
        """The expected time of all photos so far and another one, where those under way are half done on average."""
        done = (self.ended + len(self.labels)) / 2
        return (time.monotonic() - self.start) / done * (len(self.labels) + 1)


def _row(epsilon: float, right: Mapping[int, bool], labels: Sequence[int]) -> dict[str, Any]:
    """The figures at one budget, from whether each photo, by its number, is still classified correctly."""
    per_class = {label: {"photos": 0, "correct": 0} for label in labels}
    for number, is_right in right.items():
        per_class[labels[number]]["photos"] += 1
        per_class[labels[number]]["correct"] += is_right
    correct = sum(right.values())
    return {
        "epsilon": epsilon,
        "accuracy": correct / len(right),
        "balanced_accuracy": balanced_accuracy({"per_class": per_class}),
        "interval": list(wilson(correct, len(right))),
    }


def checked_options(
    *, attack: str = "apgd", norm: str = "linf", epsilons: Sequence[float] | None = None, **options: Any
) -> dict[str, Any]:
    """The options of the attack, with its number of steps if it has one; raises BadAttack."""
    budgets = epsilons or default_epsilons(norm)
    complete = [attack_options(attack, norm, {**options, "epsilon": epsilon})[1] for epsilon in budgets]
    return {**options, **({"steps": complete[0]["steps"]} if "steps" in complete[0] else {})}


def default_epsilons(norm: str) -> tuple[float, ...]:
    """The default budgets of a norm; any for an unknown norm, which the check of the attack's options refuses."""
    return EPSILONS.get(norm, EPSILONS["linf"])


def sampled(data: LabelledPhotos, count: int) -> Iterator[tuple[UInt8[Tensor, "3 _ _"], int]]:
    """`count` photos with their labels, evenly spaced over the data, each decoded only when it is needed.

    They come in an order of which every beginning is spread over the data too.
    """
    indices = evenly_spaced(count, len(data))
    for number in scattered(len(indices)):
        yield data.pixels(indices[number]), data.label(indices[number])


def scattered(count: int) -> list[int]:
    """The numbers below `count` ordered by their bits in reverse (van der Corput 1935): 0, 4, 2, 6, 1, ... below 8."""
    bits = max(1, (count - 1).bit_length())
    return sorted(range(count), key=lambda number: int(f"{number:0{bits}b}"[::-1], 2))


def _smallest_budget(
    pixels: Tensor, label: int, spec: Spec, attack: str, norm: str, budgets: list[float], options: dict[str, Any]
) -> Task[float]:
    """The smallest budget within which the photo is misclassified: 0 without any attack, infinite if there is none."""
    predictions = yield from classify(pixels, spec, top=1)
    lost = spec.multi_label and predictions[0].probability <= 0.5  # the model finds no label: none is to be removed
    if predictions[0].index != label or lost:
        return 0.0
    for epsilon in budgets:
        result = yield from adversarial(pixels, spec, attack=attack, norm=norm, epsilon=epsilon, **options)
        if result.success:
            return epsilon
    return float("inf")


def budget_text(epsilon: float, norm: str) -> str:
    """A budget as people write it: `8/255` in linf, and a plain number in other norms."""
    return f"{epsilon * 255:g}/255" if norm == "linf" else f"{epsilon:g}"


def curve_text(curve: Mapping[str, Any]) -> str:
    """Accuracy by budget, as lines for a terminal."""
    lines = [f"under {curve['attack']} ({curve['norm']}, {json.dumps(curve['options'])}), {curve['photos']} photos:"]
    lines += [
        f"  within {budget_text(row['epsilon'], curve['norm'])}: {row['accuracy']:.2%} "
        f"({row['interval'][0]:.2%} to {row['interval'][1]:.2%}), balanced {row['balanced_accuracy']:.2%}"
        for row in curve["curve"]
    ]
    return "\n".join(lines)
