"""The one question asked of a network, its answer, and the conversation that a task is.

A task is a generator: it yields queries, is sent answers, and returns its result. It never blocks, holds no lock and
never yields inside a `with` that changes the state of its thread (torch.no_grad() among them), since the engine
interleaves many tasks on one thread.
"""

from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from typing import Protocol, TypeVar, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor

Objective = Callable[[Tensor], Tensor]
"""Per-row loss, logits [n, k] -> [n]: entry i depends on row i alone."""


@dataclass(frozen=True)
class Query:
    """What a task asks: pixels in [0, 1] at the model's input size, and what to differentiate, if anything."""

    pixels: Float[Tensor, "n 3 s s"]
    objective: Objective | None = None

    def halves(self) -> tuple["Query", "Query"]:
        """The same question in two parts, for a network that cannot hold all rows at once; needs two rows or more."""
        rows = len(self.pixels)
        middle = rows // 2
        return self._part(0, middle), self._part(middle, rows)

    def _part(self, start: int, stop: int) -> "Query":
        objective, rows = self.objective, len(self.pixels)
        if objective is None:
            return Query(self.pixels[start:stop])

        def part(logits: Tensor) -> Tensor:
            # An objective may hold one label per row, so it is shown all rows; the strangers' are blank.
            whole = logits.new_zeros(rows, logits.shape[1])
            whole[start:stop] = logits
            return objective(whole)[start:stop]

        return Query(self.pixels[start:stop], part)


@dataclass(frozen=True)
class Answer:
    """What the network says: logits, and d objective / d pixels where there was an objective."""

    logits: Float[Tensor, "n k"]
    gradients: Float[Tensor, "n 3 s s"] | None = None

    @staticmethod
    def join(first: "Answer", second: "Answer") -> "Answer":
        """The answer to a question that was asked in two halves."""
        gradients = None
        if first.gradients is not None and second.gradients is not None:
            gradients = torch.cat([first.gradients, second.gradients])
        return Answer(torch.cat([first.logits, second.logits]), gradients)


@dataclass(frozen=True)
class Progress:
    """How far a task has come, for whoever listens; the preview is the task's own tensor, not a copy."""

    step: int
    steps: int
    score: float | None = None
    preview: Float[Tensor, "3 h w"] | None = None


Result = TypeVar("Result")
Task = Generator[Query | Progress, Answer | None, Result]


class DeadlineExceeded(TimeoutError):
    """Thrown into a task whose time is up; a task may catch it and return its best so far, without further queries."""


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


def run(task: Task[Result], network: Network, on_progress: Callable[[Progress], None] | None = None) -> Result:
    """Drive one task alone to its result: for tests, notebooks and training."""
    answer: Answer | None = None
    try:
        while True:
            said = task.send(answer)
            answer = None
            if isinstance(said, Query):
                (answer,) = network.answer([said])
            elif on_progress is not None:
                on_progress(said)
    except StopIteration as stop:
        result: Result = stop.value
        return result
    finally:
        task.close()
