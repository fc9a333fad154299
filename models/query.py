"""The one question asked of a network, its answer, and the conversation that a task is.

A task is a generator: it yields queries, is sent answers, and returns its result. It never blocks, holds no lock and
never yields inside a `with` that changes the state of its thread (torch.no_grad() among them), since the engine
interleaves many tasks on one thread.
"""

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol, TypeVar, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor

Objective = Callable[[Tensor], Tensor]
"""Per-row loss, logits [n, k] (or a layer's activations) -> [n]: entry i depends on row i alone."""


@dataclass(frozen=True)
class Query:
    """What a task asks: pixels in [0, 1] at the model's input size, and what to differentiate, if anything.

    `layer` names a part of the network whose activations the answer is to have. `within` makes them, and not the
    logits, what the objective reads. `apart` asks for a pass without strangers: sums are rounded as the size of a batch
    has it, and a result that is to be the same byte for byte must not depend on who else is there.
    """

    pixels: Float[Tensor, "n 3 s s"]
    objective: Objective | None = None
    layer: str | None = None
    within: bool = False
    apart: bool = False

    def halves(self) -> tuple["Query", "Query"]:
        """The same question in two parts, for a network that cannot hold all rows at once; needs two rows or more."""
        rows = len(self.pixels)
        middle = rows // 2
        return self._part(0, middle), self._part(middle, rows)

    @staticmethod
    def join(queries: "Sequence[Query]") -> "Query":
        """Queries that want the same kind of answer as one; a lone one is itself."""
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
            # An objective may hold one label per row, so it is shown all rows; the strangers' are blank.
            whole = values.new_zeros(rows, *values.shape[1:])
            whole[start:stop] = values
            return objective(whole)[start:stop]

        return replace(self, pixels=self.pixels[start:stop], objective=part)


@dataclass(frozen=True)
class Answer:
    """What the network says: logits, and where there was an objective its values and d objective / d pixels.

    Where a layer was named there are its activations, and of an objective that reads the logits the gradients with
    respect to these too.
    """

    logits: Float[Tensor, "n k"]
    losses: Float[Tensor, " n"] | None = None
    gradients: Float[Tensor, "n 3 s s"] | None = None
    activations: Float[Tensor, "n *shape"] | None = None
    activation_gradients: Float[Tensor, "n *shape"] | None = None

    def parts(self, sizes: list[int]) -> "list[Answer]":
        """The answer to each of the queries, of so many rows, that were joined into one."""
        columns = [
            [None] * len(sizes) if values is None else values.split(sizes)
            for values in (self.logits, self.losses, self.gradients, self.activations, self.activation_gradients)
        ]
        return [Answer(*rows) for rows in zip(*columns, strict=True)]

    @staticmethod
    def join(first: "Answer", second: "Answer") -> "Answer":
        """The answer to a question that was asked in two halves."""
        return Answer(
            torch.cat([first.logits, second.logits]),
            _both(first.losses, second.losses),
            _both(first.gradients, second.gradients),
            _both(first.activations, second.activations),
            _both(first.activation_gradients, second.activation_gradients),
        )


def _both(first: Tensor | None, second: Tensor | None) -> Tensor | None:
    return None if first is None or second is None else torch.cat([first, second])


@dataclass(frozen=True)
class Progress:
    """A task's report after one of its steps: `step` of `steps`, counted from 1, and means to compute what it shows.

    Most reports have no reader, so the score and the preview are computed only when a listener calls `score` or
    `render`. `compute_score` returns the score. `picture` is the preview, float [3, h, w] in [0, 1], or a function
    that draws it; as a tensor it is the task's own, so whoever keeps it makes a copy.
    """

    step: int
    steps: int
    compute_score: Callable[[], float] | None = None
    picture: Tensor | Callable[[], Tensor] | None = None

    def score(self) -> float | None:
        """How near the task is to its goal: a probability, or a channel's activation; None if the task has no score.

        Computed again at each call, which waits for the device.
        """
        return None if self.compute_score is None else self.compute_score()

    def render(self) -> Float[Tensor, "3 h w"] | None:
        """The picture as it is at this step, in [0, 1], drawn again at each call; None if the task has no preview."""
        return self.picture if self.picture is None or isinstance(self.picture, Tensor) else self.picture()


Result = TypeVar("Result")
Task = Generator[Query | Progress, Answer | None, Result]


GRACE = 16
"""How many queries a task whose time is up may still ask."""


class DeadlineExceeded(TimeoutError):
    """Thrown into a task whose time is up; it may catch it and verify its best so far in up to GRACE queries.

    A task that asks more is ended.
    """


@dataclass
class Passes:
    """Exact count of the rows a task sent through the network."""

    forward: int = field(default=0)
    backward: int = field(default=0)

    def ask(self, query: Query) -> Task[Answer]:
        """Yield the query, count it, and return its answer: `answer = yield from passes.ask(query)`."""
        answer = yield query
        assert isinstance(answer, Answer), "a query is answered by an Answer"
        self.forward += len(query.pixels)
        self.backward += len(query.pixels) if query.objective else 0
        return answer


@runtime_checkable  # so that tests can check it where it is a parameter
class Network(Protocol):
    """Whatever answers queries: a Classifier, or a counting stand-in in a test."""

    def answer(self, queries: list[Query]) -> list[Answer]:
        """One answer per query, in order."""
        ...
