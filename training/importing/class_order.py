"""Whether the names of a model's classes are in another order than its outputs, by the confusion matrix."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor

from models.spec import Spec
from training.paired import mcnemar

SURE = 1e-4
"""Largest p of McNemar's test for an order to count as better."""
NAMED = "the classes in {} order"


@dataclass(frozen=True)
class Reordering:
    """Another order of the classes: output i belongs to the class with the index `order[i]` in the list of names.

    `accuracy` is that of the photos which did not decide about the order, `before` that with the order as it is.
    `name` says in words which order it is.
    """

    name: str
    order: tuple[int, ...]
    accuracy: float
    before: float

    def renamed(self, classes: Sequence[str]) -> tuple[str, ...]:
        """The names in the order of the outputs."""
        return tuple(classes[index] for index in self.order)


def find_reordering(logits: Float[Tensor, "n k"], labels: Int64[Tensor, " n"], spec: Spec) -> Reordering | None:
    """The order of the classes with which significantly more photos are classified correctly; None if there is none.

    Orders in which scripts put classes are tried first: by name, by name in capitals, by the names of numbers, and
    reversed. Otherwise the assignment of outputs to classes that fits best (Kuhn 1955, the Hungarian method) is found
    on one half of the photos and judged on the other one, and the other way round, since it fits any photos that it
    has seen.
    """
    predicted = logits.argmax(dim=1)
    right = predicted == labels
    best: Reordering | None = None
    for name, order in _named_orders(spec.classes):
        found = _judged(name, torch.tensor(order)[predicted] == labels, right, order)
        if found is not None and (best is None or found.accuracy > best.accuracy):
            best = found
    if best is not None:
        return best
    return _assigned(predicted, labels, right, len(spec.classes))


def _judged(name: str, then: Tensor, before: Tensor, order: Sequence[int]) -> Reordering | None:
    only_then, only_before = int((then & ~before).sum()), int((before & ~then).sum())
    if only_then <= only_before or mcnemar(only_before, only_then) > SURE:
        return None
    return Reordering(name, tuple(order), then.double().mean().item(), before.double().mean().item())


def _named_orders(classes: Sequence[str]) -> Iterator[tuple[str, tuple[int, ...]]]:
    """Orders of the outputs that scripts make, as the index of the class in the list of names for each output."""
    indices = range(len(classes))
    sorted_by = {
        "alphabetical": lambda index: classes[index],
        "alphabetical, without regard to capitals,": lambda index: classes[index].casefold(),
        "alphabetical order of the numbers of the classes,": lambda index: str(index),
    }
    seen = {tuple(indices)}
    for name, key in sorted_by.items():
        order = tuple(sorted(indices, key=key))
        inverse = tuple(int(place) for place in np.argsort(order))
        for words, candidate in ((name, order), (f"{name} undone,", inverse)):
            if candidate not in seen:
                seen.add(candidate)
                yield words, candidate
    reverse = tuple(reversed(indices))
    if reverse not in seen:
        yield "reversed", reverse


def _assigned(predicted: Tensor, labels: Tensor, right: Tensor, classes: int) -> Reordering | None:
    """The best assignment, judged by photos that had no part in it."""
    halves = _halves(labels)
    then = right.clone()
    for fitted, judged in ((0, 1), (1, 0)):
        order = _best_assignment(predicted[halves == fitted], labels[halves == fitted], classes)
        then[halves == judged] = order[predicted[halves == judged]] == labels[halves == judged]
    return _judged("another", then, right, tuple(_best_assignment(predicted, labels, classes).tolist()))


def _halves(labels: Tensor) -> Tensor:
    """0 or 1 for each photo, so that the photos of each class are in both halves."""
    halves = torch.zeros_like(labels)
    for label in labels.unique().tolist():
        members = (labels == label).nonzero().squeeze(1)
        halves[members[1::2]] = 1
    return halves


def _best_assignment(predicted: Tensor, labels: Tensor, classes: int) -> Tensor:
    """The class of each output; outputs that no photo decides about keep their own where it is free."""
    from scipy.optimize import linear_sum_assignment  # late: it takes a second to import

    counts = torch.bincount(predicted * classes + labels, minlength=classes * classes).reshape(classes, classes)
    # A little for the order as it is, and less than a photo is worth.
    preferred = counts.double() + torch.eye(classes, dtype=torch.float64) / (2 * classes)
    _, columns = linear_sum_assignment(preferred.numpy(), maximize=True)
    return torch.from_numpy(columns)
