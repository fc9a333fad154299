"""The one question asked of a network, its answer, and the conversation that a task is.

A task is a generator: it yields queries, is sent answers, and returns its result. It never blocks, holds no lock and
never yields inside a `with` that changes the state of its thread (torch.no_grad() among them), since the engine
interleaves many tasks on one thread.
"""

import math
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Any, Generic, Protocol, TypeVar, cast, runtime_checkable

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

    A task that asks more is ended. `found` is what the task has besides its best, for whoever catches it further out.
    """

    found: Any = None


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


def run(
    task: Task[Result],
    network: Network,
    on_progress: Callable[[Progress], None] | None = None,
    *,
    deadline_s: float = math.inf,
) -> Result:
    """Drive one task alone to its result: for tests, notebooks and training.

    DeadlineExceeded is thrown into the task after `deadline_s` seconds, and out of here if it does not return then.
    """
    ((_, result),) = run_all([task], network, on_progress, deadline_s=deadline_s)
    return result


def run_all(
    tasks: Iterable[Task[Result]],
    network: Network,
    on_progress: Callable[[Progress], None] | None = None,
    *,
    at_once: int = 8,
    deadline_s: float = math.inf,
) -> Iterator[tuple[int, Result]]:
    """Drive many tasks, `at_once` of them in shared batches, and yield each one's number and result as it is done.

    Tasks are drawn from the iterable when there is room. What a task raises is raised here, and closes the others.
    `deadline_s` counts from each task's own beginning. Raises ValueError where `at_once` is below 1.
    """
    if at_once < 1:
        raise ValueError(f"at_once is 1 or more, not {at_once}")
    coming = enumerate(tasks)
    alive: list[_Turn[Result]] = []
    try:
        while True:
            room = at_once - len(alive)
            fresh = [_Turn(number, task, on_progress, deadline_s) for number, task in islice(coming, room)]
            alive += fresh
            for turn in fresh:
                turn.advance(None)
            for turn in [turn for turn in alive if turn.query is None]:
                alive.remove(turn)
                yield turn.number, cast(Result, turn.result)
            if alive:
                _answer_all(alive, network)
            elif room and not fresh:  # without room, all that were alive have ended in the same batch
                return
    finally:
        for turn in alive:
            turn.task.close()


def _answer_all(turns: "list[_Turn[Any]]", network: Network) -> None:
    """One batch for those who want logits alone, one for those who want gradients; then each goes on."""
    for gradients in (False, True):
        asked = [(turn, turn.query) for turn in turns if turn.query and (turn.query.objective is not None) == gradients]
        shared = [each for each in asked if not each[1].apart]
        for batch in [shared, *([each] for each in asked if each[1].apart)]:
            answers = network.answer([query for _, query in batch]) if batch else []
            for (turn, _), answer in zip(batch, answers, strict=True):
                turn.answer = answer
    for turn in turns:
        turn.advance(turn.answer)


class _Turn(Generic[Result]):
    """One task among those that `run_all` drives: what it asks now, or what came of it."""

    def __init__(
        self, number: int, task: Task[Result], on_progress: Callable[[Progress], None] | None, deadline_s: float
    ) -> None:
        self.number, self.task, self.on_progress = number, task, on_progress
        self.deadline_s, self.deadline = deadline_s, math.inf
        self.grace: int | None = None
        self.query: Query | None = None
        self.answer: Answer | None = None
        self.result: Result | None = None

    def advance(self, answer: Answer | None) -> None:
        """Send the answer and take the next query; when time is up say so, and then count."""
        try:
            self.query = self._until_query(self.task.send(answer))
            if answer is None:  # its first query: what nobody has looked at yet has no best so far
                self.deadline = time.monotonic() + self.deadline_s
            elif self.grace is None and time.monotonic() > self.deadline:
                self.grace = GRACE
                self.query = self._until_query(self.task.throw(DeadlineExceeded("the task's time is up")))
            elif self.grace is not None:
                self.grace -= 1
                if self.grace <= 0:
                    raise DeadlineExceeded("the task's time is up, and it asks on")
        except StopIteration as stop:
            self.query, self.result = None, stop.value

    def _until_query(self, said: Query | Progress) -> Query:
        while not isinstance(said, Query):
            if self.on_progress is not None:
                self.on_progress(said)
            said = self.task.send(None)
        return said
