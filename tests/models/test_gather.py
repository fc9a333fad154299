"""Tests running several tasks as one: every task gets the answers to its own queries, and all share batches."""

from collections.abc import Sequence

import pytest
import torch

from models.classifier import Classifier
from models.gather import gather
from models.query import DeadlineExceeded, Passes, Progress, Query, Task
from models.run import run
from tests.networks import Counting


def ascend(seed: int, steps: int, *, rows: int = 2, closed: list[int] | None = None) -> Task[list[float]]:
    """Ascend the gradient of one class, then ask once without gradients; return the losses and a logit."""
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


def least_advanced(reports: Sequence[Progress | None]) -> Progress:
    return min((report for report in reports if report is not None), key=lambda report: report.step)


def test_each_task_gets_the_result_that_it_gets_alone(tiny: Classifier) -> None:
    """Three tasks of 3, 1 and 5 steps have the same losses as alone; the results are in the order of the tasks."""
    expected_results = [run(ascend(seed, steps), tiny) for seed, steps in enumerate((3, 1, 5))]
    results = run(gather([ascend(seed, steps) for seed, steps in enumerate((3, 1, 5))], least_advanced), tiny)
    assert [len(losses) for losses in results] == [7, 3, 11]
    for losses, expected in zip(results, expected_results, strict=True):
        assert losses == pytest.approx(expected, rel=1e-3, abs=1e-3)


def test_tasks_share_batches_of_up_to_32_rows(tiny: Classifier) -> None:
    """Five tasks of 10 rows give batches of 30 and 20 rows: for two steps with gradients and a last query without."""
    sizes = []

    class Sizes(Counting):
        def answer(self, queries: list[Query]) -> list[object]:
            sizes.extend((len(query.pixels), query.objective is not None) for query in queries)
            return super().answer(queries)

    run(gather([ascend(seed, 2, rows=10) for seed in range(5)], least_advanced), Sizes(tiny))
    assert sizes == [(30, True), (20, True)] * 2 + [(30, False), (20, False)]


def test_a_query_of_more_than_32_rows_is_sent_alone(tiny: Classifier) -> None:
    assert len(run(gather([ascend(0, 1, rows=40), ascend(1, 1, rows=40)], least_advanced), tiny)) == 2


def test_a_single_task_gives_exactly_its_own_result(tiny: Classifier) -> None:
    """Not only close: the numbers are equal."""
    assert run(gather([ascend(2, 4)], least_advanced), tiny) == [run(ascend(2, 4), tiny)]


def test_progress_is_reported_once_a_step(tiny: Classifier) -> None:
    reports: list[Progress] = []
    run(gather([ascend(0, 3), ascend(1, 2)], least_advanced), tiny, reports.append)
    assert [report.step for report in reports] == [1, 2, 2]


def test_a_task_starts_only_when_its_first_batch_is_due(tiny: Classifier) -> None:
    """Of six tasks of 16 rows, only three have started at the first batch, which spreads their preparations."""
    started: list[int] = []

    def record_start(seed: int) -> Task[list[float]]:
        started.append(seed)
        return (yield from ascend(seed, 1, rows=16))

    task = gather([record_start(seed) for seed in range(6)], least_advanced)
    assert len(next(task).pixels) == 32
    assert started == [0, 1, 2]
    task.close()


def test_an_error_of_one_task_closes_the_others(tiny: Classifier) -> None:
    def broken() -> Task[list[float]]:
        yield Query(torch.rand(1, 3, 32, 32), lambda logits: logits[:, 0])
        raise ValueError("mine")

    closed: list[int] = []
    with pytest.raises(ValueError, match="mine"):
        run(gather([ascend(0, 9, closed=closed), broken(), ascend(1, 9, closed=closed)], least_advanced), tiny)
    assert closed == [0, 1]


def test_closing_the_gathered_task_closes_all_tasks(tiny: Classifier) -> None:
    closed: list[int] = []
    task = gather([ascend(seed, 9, closed=closed) for seed in range(3)], least_advanced)
    next(task)
    task.close()
    assert closed == [0, 1, 2]


def test_objectives_within_layers_share_a_batch(tiny: Classifier) -> None:
    """Two objectives within one layer, one within another and one on the logits all get their own losses."""

    def ask(layer: str | None, channel: int) -> Task[list[float]]:
        pixels = torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(channel))
        query = Query(pixels, lambda values: values[:, channel].flatten(1).mean(dim=1), layer, within=layer is not None)
        answer = yield from Passes().ask(query)
        return [*answer.losses.tolist(), answer.gradients.norm().item()]

    targets = [("0", 3), ("0", 5), ("3", 3), (None, 1)]
    alone = [run(ask(*target), tiny) for target in targets if target[0]]

    def last() -> Task[list[float]]:
        answer = yield from Passes().ask(Query(torch.rand(1, 3, 32, 32), lambda logits: logits[:, 1]))
        return answer.losses.tolist()

    results = run(gather([*(ask(*target) for target in targets if target[0]), last()], least_advanced), tiny)
    for result, expected in zip(results[:3], alone, strict=True):
        assert result == pytest.approx(expected, rel=1e-3)


def until_deadline(answers: int, steps: int = 100) -> Task[int]:
    """Ask until the deadline; then ask `answers` times more and return how many answers came in all."""
    count = 0
    pixels = torch.zeros(1, 3, 32, 32)
    try:
        for _ in range(steps):
            yield from Passes().ask(Query(pixels))
            count += 1
    except DeadlineExceeded:
        for _ in range(answers):
            yield from Passes().ask(Query(pixels))
            count += 1
    return count


def expired_after(task: Task[list[int]], network: Classifier, queries: int) -> tuple[list[int], list[int]]:
    """Throw DeadlineExceeded in place of an answer; return the results and the rows of the queries after it."""
    query = task.send(None)
    for _ in range(queries):
        query = task.send(network.answer([query])[0])
    rows = []
    message = task.throw(DeadlineExceeded("time is up"))
    try:
        while True:
            rows.append(len(message.pixels))
            message = task.send(network.answer([message])[0])
    except StopIteration as end:
        return end.value, rows


def test_a_deadline_reaches_every_task(tiny: Classifier) -> None:
    """Each answers with what it has: after two steps, and 0, 1 and 3 more answers, in as few queries as possible."""
    task = gather([until_deadline(0), until_deadline(1), until_deadline(3)], least_advanced, max_rows=3)
    assert expired_after(task, tiny, 2) == ([2, 3, 5], [2, 1, 1])


def test_after_a_deadline_batches_are_as_large_as_possible(tiny: Classifier) -> None:
    """With one row at a time, the first two of three tasks have been answered; they end together."""
    task = gather([until_deadline(1) for _ in range(3)], least_advanced, max_rows=1)
    assert expired_after(task, tiny, 2) == ([2, 2, 1], [3])


def test_a_task_that_has_not_begun_at_the_deadline_makes_it_an_error(tiny: Classifier) -> None:
    """One row at a time, two of the four tasks have begun, and may end."""
    with pytest.raises(DeadlineExceeded, match="time is up"):
        expired_after(gather([until_deadline(1) for _ in range(4)], least_advanced, max_rows=1), tiny, 0)


def test_a_task_that_returns_nothing_at_the_deadline_makes_it_an_error(tiny: Classifier) -> None:
    closed: list[int] = []
    tasks = [ascend(0, 9, closed=closed), ascend(1, 9, closed=closed)]
    with pytest.raises(DeadlineExceeded, match="time is up"):
        expired_after(gather(tasks, least_advanced), tiny, 0)
    assert sorted(closed) == [0, 1]
