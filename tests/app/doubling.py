"""A fake network whose answers are known, a task that queries it, and helpers to look at its batches."""

import threading
from collections.abc import Callable

import torch

from app.engine.engine import Engine
from models.query import Answer, Progress, Query, Task
from tests.app.live_service import eventually


class Doubling:
    """A network whose logits are twice the mean of every row; it records every batch and waits until it may answer."""

    def __init__(self, fails: Callable[[list[Query]], Exception | None] = lambda queries: None) -> None:
        self.batches: list[list[Query]] = []
        self.may_answer = threading.Event()
        self.may_answer.set()
        self.fails = fails

    def answer(self, queries: list[Query]) -> list[Answer]:
        self.batches.append(queries)
        assert self.may_answer.wait(30)
        if error := self.fails(queries):
            raise error
        return [
            Answer(2 * mean.unsqueeze(1), *((mean, query.pixels) if query.objective else ()))
            for query in queries
            for mean in [query.pixels.mean(dim=(1, 2, 3))]
        ]


def asking(
    times: int = 1, *, rows: int = 1, value: float = 1.0, gradients: bool = False, apart: bool = False
) -> Task[list[float]]:
    """Send the same query several times; the result is the list of the answered logits."""
    objective = (lambda logits: logits[:, 0]) if gradients else None
    values: list[float] = []
    for step in range(times):
        answer = yield Query(torch.full((rows, 3, 2, 2), value), objective, apart=apart)
        assert answer is not None
        values.append(answer.logits[0].item())
        yield Progress(step + 1, times)
    return values


def rows(batch: list[Query]) -> int:
    return sum(len(query.pixels) for query in batch)


def hold(engine: Engine, network: Doubling) -> None:
    """Keep the network busy, so that all tasks submitted meanwhile wait for the next batch together."""
    network.may_answer.clear()
    engine.submit(asking(value=0.0), network)
    eventually(lambda: network.batches)
