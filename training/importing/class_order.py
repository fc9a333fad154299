"""Whether the names of a model's classes are in another order than its outputs, by the confusion matrix."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from models.architectures.timm_networks import imagenet_names
from models.classes import ClassNames, UnknownClass
from training.paired import mcnemar

SURE = 1e-3
"""Largest p of McNemar's test with which an order counts as better."""


@dataclass(frozen=True)
class Reordering:
    """Another order of the classes: output i belongs to the class with the index `order[i]` in the list of names.

    `accuracy` is that with this order and `before` that without it, of photos that had no part in finding the order.
    `name` says in words which order it is. If it `is_fitted`, it is the one that fits the photos best, and otherwise a
    usual one.
    """

    name: str
    order: tuple[int, ...]
    accuracy: float
    before: float
    is_fitted: bool = False

    def renamed(self, classes: Sequence[str]) -> tuple[str, ...]:
        """The names in the order of the outputs."""
        return tuple(classes[index] for index in self.order)

    def outputs_of(self, labels: Int64[Tensor, " n"]) -> Int64[Tensor, " n"]:
        """The output that belongs to each class of the list of names."""
        return torch.tensor(self.order).argsort()[labels]


def find_reordering(
    logits: Float[Tensor, "n k"], labels: Int64[Tensor, " n"], classes: Sequence[str]
) -> Reordering | None:
    """The order of the classes with which significantly more photos are classified correctly; None if there is none.

    It is one that scripts make, or else the assignment of outputs to classes that fits best (Kuhn 1955, the Hungarian
    method). That is found on one half of the photos and judged on the other one, and the other way round, since it fits
    any photos that it has seen.
    """
    predicted = logits.argmax(dim=1)
    right = predicted == labels
    best, then = None, right
    for name, order in usual_orders(classes):
        usual = torch.tensor(order)[predicted] == labels
        if _is_better(usual, right) and usual.sum() > then.sum():
            best, then = Reordering(name, order, _share(usual), _share(right)), usual
    fitted = _judged_apart(predicted, labels, len(classes))
    if not _is_better(fitted, then):
        return best
    order = tuple(_best_assignment(predicted, labels, len(classes)).tolist())
    return Reordering("the classes in another order", order, _share(fitted), _share(right), is_fitted=True)


def _is_better(then: Bool[Tensor, " n"], before: Bool[Tensor, " n"]) -> bool:
    only_then, only_before = int((then & ~before).sum()), int((before & ~then).sum())
    return only_then > only_before and mcnemar(only_before, only_then) <= SURE


def _share(right: Bool[Tensor, " n"]) -> float:
    return right.double().mean().item()


def usual_orders(classes: Sequence[str]) -> Iterator[tuple[str, tuple[int, ...]]]:
    """Orders of the outputs that scripts make, in words, and as the index in the list of names for each output."""
    indices = range(len(classes))
    if len(classes) == 2:
        yield "the two classes swapped", (1, 0)
        return
    as_texts = sorted(indices, key=str)
    orders: list[tuple[str, Sequence[int]]] = [
        ("each class one output later", [*indices[-1:], *indices[:-1]]),
        ("each class one output earlier", [*indices[1:], *indices[:1]]),
        ("the classes in alphabetical order", sorted(indices, key=lambda index: classes[index])),
        (
            "the classes in alphabetical order without regard to capitals",
            sorted(indices, key=lambda index: classes[index].casefold()),
        ),
        ("the classes in the order of the numbers in their names", sorted(indices, key=lambda i: _natural(classes[i]))),
        ("the classes in the order of their numbers as texts (0, 1, 10, 100, ...)", as_texts),
        ("the classes sorted by number, and not by their numbers as texts", sorted(indices, key=as_texts.__getitem__)),
        ("the classes in the reverse order", indices[::-1]),
    ]
    if (numbers := _imagenet_indices(classes)) is not None:
        orders.append(("the classes in ImageNet's order", sorted(indices, key=numbers.__getitem__)))
    known = {tuple(indices)}
    for name, order in orders:
        if tuple(order) not in known:
            known.add(tuple(order))
            yield name, tuple(order)


def _natural(name: str) -> list[tuple[int, int, str]]:
    """Numbers in the name count by their values: `dog 9` comes before `dog 10`."""
    parts = re.findall(r"[0-9]+|[^0-9]+", name.casefold())
    return [(0, int(part), "") if part[0] in "0123456789" else (1, 0, part) for part in parts]


def _imagenet_indices(classes: Sequence[str]) -> list[int] | None:
    """The index in ImageNet of each class; None where one is no class of ImageNet."""
    imagenet = ClassNames(imagenet_names())
    try:
        return [imagenet.by_name(name) for name in classes]
    except UnknownClass:
        return None


def _judged_apart(predicted: Int64[Tensor, " n"], labels: Int64[Tensor, " n"], classes: int) -> Bool[Tensor, " n"]:
    """Whether each photo is classified correctly with the assignment that fits the other half of the photos best."""
    halves, then = _halves(labels), torch.zeros_like(labels, dtype=torch.bool)
    for half in (halves, ~halves):
        order = _best_assignment(predicted[half], labels[half], classes)
        then[~half] = order[predicted[~half]] == labels[~half]
    return then


def _halves(labels: Int64[Tensor, " n"]) -> Bool[Tensor, " n"]:
    """Which photos are in the first half, so that the photos of each class are in both."""
    halves = torch.zeros_like(labels, dtype=torch.bool)
    for label in labels.unique():
        halves[(labels == label).nonzero()[::2, 0]] = True
    return halves


def _best_assignment(predicted: Int64[Tensor, " n"], labels: Int64[Tensor, " n"], classes: int) -> Int64[Tensor, " k"]:
    """The class of each output; outputs that no photo decides about keep their own where it is free."""
    from scipy.optimize import linear_sum_assignment  # late: it takes a second to import

    some, places = torch.cat([predicted, labels]).unique(return_inverse=True)
    size = len(some)
    counts = torch.bincount(places[: len(labels)] * size + places[len(labels) :], minlength=size * size)
    # A little for the order as it is, and less than a photo is worth.
    preferred = counts.reshape(size, size).double() + torch.eye(size, dtype=torch.float64) / (2 * size)
    rows, columns = (torch.from_numpy(indices) for indices in linear_sum_assignment(preferred.numpy(), maximize=True))
    order = torch.arange(classes)
    order[some[rows]] = some[columns]
    return order
