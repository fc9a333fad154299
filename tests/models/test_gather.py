"""Several tasks as one task: each gets the answers to its own queries, and all share batches."""

from collections.abc import Sequence

import pytest
import torch

from models.classifier import Classifier
from models.gather import gather
from models.query import Passes, Progress, Query, Task
from models.run import run
from tests.networks import Counting


def climb(seed: int, steps: int, *, rows: int = 2, closed: list[int] | None = None) -> Task[list[float]]:
    """A few steps of gradient ascent on its own class, then a look; what it saw, loss by loss."""
    random = torch.Generator().manual_seed(seed)
    pixels, losses = torch.rand(rows, 3, 32, 32, generator=random), []
    passes = Passes()
    try:
        for step in range(steps):
            answer = yield from passes.ask(Query(pixels, lambda logits: -logits[:, seed % 4]))
            losses += answer.losses.tolist()
            pixels = (pixels - 0.01 * answer.gradients.sign()).clamp(0, 1)
            yield Progress(step + 1, steps)
        answer = yield from passes.ask(Query(pixels))
        return [*losses, answer.logits[0, 0].item()]
    finally:
        if closed is not None:
            closed.append(seed)


def least(told: Sequence[Progress | None]) -> Progress:
    return min((each for each in told if each is not None), key=lambda each: each.step)


def test_each_task_gets_the_result_that_it_gets_alone(tiny: Classifier) -> None:
    """Three of different length: losses, and results in the order of the tasks."""
    alone = [run(climb(seed, steps), tiny) for seed, steps in enumerate((3, 1, 5))]
    found = run(gather([climb(seed, steps) for seed, steps in enumerate((3, 1, 5))], least), tiny)
    assert [len(each) for each in found] == [7, 3, 11]
    for mine, expected in zip(found, alone, strict=True):
        assert mine == pytest.approx(expected, rel=1e-3, abs=1e-3)


def test_tasks_share_batches_up_to_the_most_rows(tiny: Classifier) -> None:
    """Five of 10 rows in step, 32 at once: batches of 30 and 20 for two steps, then for the look."""
    sizes = []

    class Sizes(Counting):
        def answer(self, queries: list[Query]) -> list[object]:
            sizes.extend((len(query.pixels), query.objective is not None) for query in queries)
            return super().answer(queries)

    run(gather([climb(seed, 2, rows=10) for seed in range(5)], least), Sizes(tiny))
    assert sizes == [(30, True), (20, True)] * 2 + [(30, False), (20, False)]


def test_a_lone_query_of_many_rows_is_asked(tiny: Classifier) -> None:
    assert len(run(gather([climb(0, 1, rows=40), climb(1, 1, rows=40)], least), tiny)) == 2


def test_a_single_task_asks_its_own_queries(tiny: Classifier) -> None:
    """The very same bytes."""
    assert run(gather([climb(2, 4)], least), tiny) == [run(climb(2, 4), tiny)]


def test_progress_is_reported_once_a_step(tiny: Classifier) -> None:
    told: list[Progress] = []
    run(gather([climb(0, 3), climb(1, 2)], least), tiny, told.append)
    assert [each.step for each in told] == [1, 2, 2]


def test_a_task_begins_as_its_first_batch_is_due(tiny: Classifier) -> None:
    """Of six of 16 rows three have begun when the first two are asked: what they prepare does not come all at once."""
    begun: list[int] = []

    def late(seed: int) -> Task[list[float]]:
        begun.append(seed)
        return (yield from climb(seed, 1, rows=16))

    task = gather([late(seed) for seed in range(6)], least)
    assert len(next(task).pixels) == 32
    assert begun == [0, 1, 2]
    task.close()


def test_an_error_of_one_task_closes_the_others(tiny: Classifier) -> None:
    def broken() -> Task[list[float]]:
        yield Query(torch.rand(1, 3, 32, 32), lambda logits: logits[:, 0])
        raise ValueError("mine")

    closed: list[int] = []
    with pytest.raises(ValueError, match="mine"):
        run(gather([climb(0, 9, closed=closed), broken(), climb(1, 9, closed=closed)], least), tiny)
    assert closed == [0, 1]


def test_closing_it_closes_all_tasks(tiny: Classifier) -> None:
    closed: list[int] = []
    task = gather([climb(seed, 9, closed=closed) for seed in range(3)], least)
    next(task)
    task.close()
    assert closed == [0, 1, 2]


def test_layers_are_asked_about_together(tiny: Classifier) -> None:
    """Two objectives within one layer, one within another and one of the logits: each its own losses."""

    def ask(layer: str | None, channel: int) -> Task[list[float]]:
        pixels = torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(channel))
        query = Query(pixels, lambda values: values[:, channel].flatten(1).mean(dim=1), layer, within=layer is not None)
        answer = yield from Passes().ask(query)
        return [*answer.losses.tolist(), answer.gradients.norm().item()]

    asked = [("0", 3), ("0", 5), ("3", 3), (None, 1)]
    alone = [run(ask(*each), tiny) for each in asked if each[0]]

    def last() -> Task[list[float]]:
        answer = yield from Passes().ask(Query(torch.rand(1, 3, 32, 32), lambda logits: logits[:, 1]))
        return answer.losses.tolist()

    found = run(gather([*(ask(*each) for each in asked if each[0]), last()], least), tiny)
    for mine, expected in zip(found[:3], alone, strict=True):
        assert mine == pytest.approx(expected, rel=1e-3)
