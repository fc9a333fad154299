"""Queries to a network, their answers, and tasks, which are generators of queries.

A task yields queries, is sent the answer to each, and returns its result; `models.run` drives it. It must not block,
hold a lock or yield inside a `with` that changes the state of its thread, such as torch.no_grad(): the engine of the
service interleaves many tasks on one thread.
"""

from collections.abc import Callable, Generator, Hashable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Protocol, TypeVar, runtime_checkable

import torch
from jaxtyping import Float, Int
from torch import Tensor

Objective = Callable[[Tensor], Tensor]
"""A loss per row: logits [n, k], or activations [n, ...] of a layer, to losses [n]. Loss i depends on row i alone."""


@dataclass(frozen=True)
class LabelObjective:
    """An objective with one label per row: a score of logits [n, k] and labels [n], or its negative.

    Those of several queries that have the same `kind` are computed together (`joint_losses`).
    """

    score: Callable[[Tensor, Tensor], Tensor]
    labels: Int[Tensor, " n"]
    negative: bool = False

    @property
    def kind(self) -> Hashable:
        """Objectives of equal kinds differ in their labels only."""
        return self.score, self.negative

    def __call__(self, logits: Float[Tensor, "n k"]) -> Float[Tensor, " n"]:
        losses = self.score(logits, self.labels)
        return -losses if self.negative else losses


def joint_losses(objectives: Sequence[Objective | None], values: Sequence[Tensor]) -> list[Tensor | None]:
    """The losses of the rows of several queries, each from its objective (None without one) and its values.

    Label objectives of one kind are computed at once: tiny operations, with their nodes for autograd, take several
    times as long when each row has its own.
    """
    groups: dict[Hashable, list[int]] = {}
    for number, objective in enumerate(objectives):
        groups.setdefault(objective.kind if isinstance(objective, LabelObjective) else number, []).append(number)
    losses: list[Tensor | None] = [None] * len(objectives)
    for numbers in groups.values():
        objective = _joined_objective([objectives[number] for number in numbers])
        if objective is not None:
            parts = [values[number] for number in numbers]
            joint = objective(parts[0] if len(parts) == 1 else torch.cat(parts))
            for number, part in zip(numbers, joint.split([part.shape[0] for part in parts]), strict=True):
                losses[number] = part
    return losses


def _joined_objective(objectives: Sequence[Objective | None]) -> Objective | None:
    first = objectives[0]
    if len(objectives) == 1 or not isinstance(first, LabelObjective):
        return first
    labels = [objective.labels for objective in objectives if isinstance(objective, LabelObjective)]
    return replace(first, labels=torch.cat(labels))


@dataclass(frozen=True)
class Query:
    """What a task asks the network: logits of `pixels`, and the gradient of an objective if there is one."""

    pixels: Float[Tensor, "n 3 i j"]
    """In [0, 1], at the model's input size."""
    objective: Objective | None = None
    """What to differentiate with respect to the pixels; None asks for logits alone."""
    layer: str | None = None
    """Name of a layer whose activations the answer shall contain."""
    within: bool = False
    """Whether the objective reads the activations of `layer` instead of the logits."""
    apart: bool = False
    """Whether the query must not share a batch with queries of other requests.

    The size of a batch changes how sums are rounded. A result that shall be the same byte for byte must not depend on
    the requests that happen to run beside it (docs/decisions/0012).
    """

    def parts(self, most: int) -> "list[Query]":
        """The query as few queries of nearly equal size, in order, of at most `most` rows each."""
        rows = self.pixels.shape[0]
        if rows <= most:
            return [self]
        count = -(-rows // most)
        bounds = [rows * number // count for number in range(count + 1)]
        return [self._part(start, stop) for start, stop in pairwise(bounds)]

    @staticmethod
    def join(queries: "Sequence[Query]") -> "Query":
        """One query for all; a single one is returned as it is.

        Either all have an objective or none has, and `layer`, `within` and `apart` are the same in all.
        """
        if len(queries) == 1:
            return queries[0]
        sizes = [len(query.pixels) for query in queries]
        objectives = [query.objective for query in queries if query.objective is not None]

        def joined(values: Tensor) -> Tensor:
            parts = zip(objectives, values.split(sizes), strict=True)
            return torch.cat([objective(part) for objective, part in parts])

        return replace(
            queries[0],
            pixels=torch.cat([query.pixels for query in queries]),
            objective=joined if objectives else None,
        )

    def _part(self, start: int, stop: int) -> "Query":
        objective, rows = self.objective, len(self.pixels)
        if objective is None:
            return replace(self, pixels=self.pixels[start:stop])

        def part(values: Tensor) -> Tensor:
            # An objective may hold one label per row, so it gets values for all rows, zeros where they are not known.
            whole = values.new_zeros(rows, *values.shape[1:])
            whole[start:stop] = values
            return objective(whole)[start:stop]

        return replace(self, pixels=self.pixels[start:stop], objective=part)


@dataclass(frozen=True)
class Answer:
    """The network's answer to a query of n rows; k is the number of classes."""

    logits: Float[Tensor, "n k"]
    losses: Float[Tensor, " n"] | None = None
    """Values of the objective, if the query has one."""
    gradients: Float[Tensor, "n 3 i j"] | None = None
    """Gradients of the objective with respect to the pixels."""
    activations: Float[Tensor, "n *shape"] | None = None
    """Activations of the layer that the query names."""
    activation_gradients: Float[Tensor, "n *shape"] | None = None
    """Gradients of an objective of the logits with respect to the activations."""

    def parts(self, sizes: list[int]) -> "list[Answer]":
        """Split the answer to a query that `Query.join` made: one answer per original query, of `sizes` rows."""
        columns = [
            [None] * len(sizes) if values is None else values.split(sizes)
            for values in (self.logits, self.losses, self.gradients, self.activations, self.activation_gradients)
        ]
        return [Answer(*rows) for rows in zip(*columns, strict=True)]

    @staticmethod
    def join(answers: "Sequence[Answer]") -> "Answer":
        """The answer to a query from the answers to its parts; a single one is returned as it is."""
        if len(answers) == 1:
            return answers[0]
        return Answer(
            torch.cat([answer.logits for answer in answers]),
            _joined([answer.losses for answer in answers]),
            _joined([answer.gradients for answer in answers]),
            _joined([answer.activations for answer in answers]),
            _joined([answer.activation_gradients for answer in answers]),
        )


def _joined(parts: Sequence[Tensor | None]) -> Tensor | None:
    tensors = [part for part in parts if part is not None]
    return torch.cat(tensors) if tensors else None


ClassProbability = tuple[int, float]
"""The index of a class, and its probability from 0 to 1."""


@dataclass(frozen=True)
class Progress:
    """A task's report after one of its steps: `step` of `steps`, counted from 1, with a score and a preview.

    Most reports have no reader, so all that takes time is computed only when a listener calls `score`, `probabilities`,
    `render`, `render_start` or `eta_s`. `compute_score` returns the score, and `compute_probabilities` the classes.
    `compute_eta` is added by what drives the task.
    `picture` is the preview, float [3, h, w] in [0, 1], or a function that draws it, and `start` draws what the preview
    showed before the task changed it, of the same size. A tensor belongs to the task, which may change it later: a
    listener that keeps it makes a copy.
    `success` says whether a result that reaches the goal has been verified in the file; None if there is no such goal.
    """

    step: int
    steps: int
    compute_score: Callable[[], float] | None = None
    picture: Tensor | Callable[[], Tensor] | None = None
    success: bool | None = None
    compute_eta: Callable[[], float | None] | None = None
    compute_probabilities: Callable[[], list[ClassProbability]] | None = None
    start: Callable[[], Tensor] | None = None

    def score(self) -> float | None:
        """How near the task is to its goal: a probability, or a channel's activation; None if the task has no score.

        Computed again at each call, which waits for the device.
        """
        return None if self.compute_score is None else self.compute_score()

    def probabilities(self) -> list[ClassProbability] | None:
        """The classes of interest of the picture so far, most probable first; None if the task names none.

        Computed again at each call, which waits for the device.
        """
        return None if self.compute_probabilities is None else self.compute_probabilities()

    def eta_s(self) -> float | None:
        """About how many seconds the task still takes, as estimated at this call; None where nothing can be said."""
        return None if self.compute_eta is None else self.compute_eta()

    def with_success(self, success: bool) -> "Progress":
        """The same report with `success`; in a third of the time of dataclasses.replace."""
        return Progress(
            self.step,
            self.steps,
            self.compute_score,
            self.picture,
            success,
            self.compute_eta,
            self.compute_probabilities,
            self.start,
        )

    def render(self) -> Float[Tensor, "3 h w"] | None:
        """The picture as it is at this step, in [0, 1], drawn again at each call; None if the task has no preview."""
        return self.picture if self.picture is None or isinstance(self.picture, Tensor) else self.picture()

    def render_start(self) -> Float[Tensor, "3 h w"] | None:
        """The picture before the task changed it, in [0, 1]; None if the task does not change a picture."""
        return None if self.start is None else self.start()


Result = TypeVar("Result")
Task = Generator[Query | Progress, Answer | None, Result]
"""A generator that yields queries and reports of progress; it is sent the answer to a query, and None for a report."""

GRACE = 16
"""Number of queries that a task may still ask after its deadline (docs/decisions/0008)."""


class DeadlineExceeded(TimeoutError):
    """Thrown into a task when its deadline has passed.

    The task may catch it, verify its best result so far with up to GRACE queries, and return it. A task that asks more
    is ended with this error.
    """


@dataclass
class Passes:
    """Counts the rows that a task sent through the network, and how many of them also went backward."""

    forward: int = 0
    backward: int = 0

    def ask(self, query: Query) -> Task[Answer]:
        """Yield the query, count its rows, and return its answer: `answer = yield from passes.ask(query)`."""
        answer = yield query
        assert isinstance(answer, Answer), "a query is answered by an Answer"
        rows = query.pixels.shape[0]
        self.forward += rows
        self.backward += rows if query.objective else 0
        return answer


@runtime_checkable  # tests check the types of arguments with isinstance
class Network(Protocol):
    """Anything that answers queries: a Classifier, or a stand-in in a test."""

    def answer(self, queries: list[Query]) -> list[Answer]:
        """One answer per query, in order."""
        ...
