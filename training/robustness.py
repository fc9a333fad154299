"""Accuracy under attack: the fraction of photos that a classifier still gets right, as a curve over budgets."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from jaxtyping import UInt8
from torch import Tensor

from models.attacks.options import attack_options
from models.attacks.task import adversarial
from models.classifier import Classifier
from models.classify import classify
from models.figures import balanced_accuracy
from models.query import Task
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
AT_ONCE = 16
"""Number of photos that are attacked at the same time."""

Track = Callable[[Iterable[tuple[int, float]]], Iterable[tuple[int, float]]]


def robustness(
    classifier: Classifier,
    photos: Iterable[tuple[UInt8[Tensor, "3 _ _"], int]],
    *,
    attack: str = "apgd",
    norm: str = "linf",
    epsilons: Sequence[float] | None = None,
    track: Track = lambda results: results,
    **options: Any,
) -> dict[str, Any]:
    """Accuracy on photos [3, h, w] with their labels, without an attack and within each budget: plain JSON.

    Each row of the curve also has Wilson's 95 % interval and the balanced accuracy. Budgets are in the unit of the
    norm, with pixel values from 0 to 1; by default those in EPSILONS.

    The attack is that of the service: it changes the photo at its own resolution, and it has succeeded if the
    classifier misclassifies the 8-bit picture. A photo that is misclassified within one budget counts as misclassified
    within all larger ones. Raises BadAttack.
    """
    budgets = sorted(epsilons or default_epsilons(norm))
    options = checked_options(attack=attack, norm=norm, epsilons=budgets, **options)
    labels: list[int] = []
    tasks = (
        _smallest_budget(pixels, label, classifier.spec, attack, norm, budgets, options)
        for pixels, label in _recording_labels(photos, labels)
    )
    smallest = dict(track(run_all(tasks, classifier.fold(), at_once=AT_ONCE)))
    rows = [
        _row(epsilon, {number: budget > epsilon for number, budget in smallest.items()}, labels)
        for epsilon in (0.0, *budgets)
    ]
    return {"attack": attack, "norm": norm, "options": options, "photos": len(smallest), "curve": rows}


def _recording_labels(
    photos: Iterable[tuple[UInt8[Tensor, "3 _ _"], int]], labels: list[int]
) -> Iterator[tuple[UInt8[Tensor, "3 _ _"], int]]:
    """Pass the photos on, and append their labels to `labels` as they are drawn."""
    for pixels, label in photos:
        labels.append(label)
        yield pixels, label


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
    """`count` photos with their labels, evenly spaced over the data, each decoded only when it is needed."""
    for index in evenly_spaced(count, len(data)):
        yield data.pixels(index), data.label(index)


def _smallest_budget(
    pixels: Tensor, label: int, spec: Spec, attack: str, norm: str, budgets: list[float], options: dict[str, Any]
) -> Task[float]:
    """The smallest budget within which the photo is misclassified: 0 without any attack, infinite if there is none."""
    predictions = yield from classify(pixels, spec, top=1)
    if predictions[0].index != label:
        return 0.0
    for epsilon in budgets:
        result = yield from adversarial(pixels, spec, attack=attack, norm=norm, epsilon=epsilon, **options)
        if result.success:
            return epsilon
    return float("inf")
