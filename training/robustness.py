"""How many photos a classifier still gets right when each is attacked within a budget: one curve over budgets."""

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
"""Budgets in each norm's unit, where none are chosen."""
AT_ONCE = 16

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
    """Accuracy on photos [3, h, w] with their labels, clean and by budget: plain JSON.

    Each has Wilson's 95 % interval and the balanced accuracy beside it.

    Budgets are in the norm's own unit, of pixels from 0 to 1; by default EPSILONS of the norm.

    The attack is the service's own: on the photo at its own resolution, and a success is what the classifier says of
    the 8-bit picture. A photo that falls at one budget counts as fallen at all larger ones. Raises BadAttack.
    """
    budgets = sorted(epsilons or usual_epsilons(norm))
    options = checked_options(attack=attack, norm=norm, epsilons=budgets, **options)
    labels: list[int] = []
    tasks = (
        _least(pixels, label, classifier.spec, attack, norm, budgets, options)
        for pixels, label in _noted(photos, labels)
    )
    least = dict(track(run_all(tasks, classifier.fold(), at_once=AT_ONCE)))
    rows = [
        _row(epsilon, {number: found > epsilon for number, found in least.items()}, labels)
        for epsilon in (0.0, *budgets)
    ]
    return {"attack": attack, "norm": norm, "options": options, "photos": len(least), "curve": rows}


def _noted(
    photos: Iterable[tuple[UInt8[Tensor, "3 _ _"], int]], labels: list[int]
) -> Iterator[tuple[UInt8[Tensor, "3 _ _"], int]]:
    """The photos, whose labels are written down in the order in which they are drawn."""
    for pixels, label in photos:
        labels.append(label)
        yield pixels, label


def _row(epsilon: float, right: Mapping[int, bool], labels: Sequence[int]) -> dict[str, Any]:
    """The figures at one budget, from whether each photo, by its number, is still right."""
    per_class = {label: {"photos": 0, "correct": 0} for label in labels}
    for number, still in right.items():
        per_class[labels[number]]["photos"] += 1
        per_class[labels[number]]["correct"] += still
    correct = sum(right.values())
    return {
        "epsilon": epsilon,
        "accuracy": correct / len(right),
        "balanced_accuracy": balanced_accuracy({"per_class": per_class}),
        "interval": list(wilson(correct, len(right))),
    }


def checked_options(
    *, attack: str = "apgd", norm: str = "linf", epsilons: Sequence[float] | None = None, **given: Any
) -> dict[str, Any]:
    """What was given, with the number of steps where the attack has any; raises BadAttack."""
    budgets = epsilons or usual_epsilons(norm)
    found = [attack_options(attack, norm, {**given, "epsilon": epsilon})[1] for epsilon in budgets]
    return {**given, **{name: found[0][name] for name in ("steps",) if name in found[0]}}


def usual_epsilons(norm: str) -> tuple[float, ...]:
    """Budgets where none are chosen; of a norm that no attack has, which its options refuse, any."""
    return EPSILONS.get(norm, EPSILONS["linf"])


def sampled(data: LabelledPhotos, count: int) -> Iterator[tuple[UInt8[Tensor, "3 _ _"], int]]:
    """So many photos with their labels, spread evenly over the data, each decoded when it is its turn."""
    for index in evenly_spaced(count, len(data)):
        yield data.pixels(index), data.label(index)


def _least(
    pixels: Tensor, label: int, spec: Spec, attack: str, norm: str, budgets: list[float], options: dict[str, Any]
) -> Task[float]:
    """The first budget within which the photo is taken for another class; 0 where it is as it stands."""
    said = yield from classify(pixels, spec, top=1)
    if said[0].index != label:
        return 0.0
    for epsilon in budgets:
        found = yield from adversarial(pixels, spec, attack=attack, norm=norm, epsilon=epsilon, **options)
        if found.success:
            return epsilon
    return float("inf")
