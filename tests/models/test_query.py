"""Driving tasks, counting passes, and asking a question in two halves."""

import itertools
from collections.abc import Iterator

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from models.attacks.objectives import log_odds
from models.classifier import Classifier
from models.query import GRACE, Answer, DeadlineExceeded, Passes, Progress, Query, Task
from models.run import run, run_all


class Echo:
    """A network that answers each query with its pixels' mean, and remembers how many rows it saw."""

    def __init__(self) -> None:
        self.rows: list[int] = []

    def answer(self, queries: list[Query]) -> list[Answer]:
        self.rows += [len(query.pixels) for query in queries]
        return [Answer(query.pixels.mean(dim=(1, 2, 3)).unsqueeze(1)) for query in queries]


def pixels(rows: int, value: float = 0.5) -> Tensor:
    return torch.full((rows, 3, 4, 4), value)


def conversation(values: list[float]) -> Task[list[float]]:
    heard = []
    for step, value in enumerate(values):
        answer = yield Query(pixels(1, value))
        assert answer is not None
        heard.append(answer.logits.item())
        assert (yield Progress(step + 1, len(values))) is None
    return heard


def test_run_sends_each_answer_to_its_question() -> None:
    """The echo says the mean of constant pictures: the values themselves, in order; progress is answered by None."""
    told: list[Progress] = []
    assert run(conversation([0.25, 0.5, 1.0]), Echo(), told.append) == [0.25, 0.5, 1.0]
    assert [(each.step, each.steps) for each in told] == [(1, 3), (2, 3), (3, 3)]


def test_run_needs_nobody_to_listen() -> None:
    assert run(conversation([0.25]), Echo()) == [0.25]


def test_run_of_a_task_without_questions() -> None:
    """A task that asks nothing returns at once; no network is called."""
    network = Echo()
    assert run(conversation([]), network) == []
    assert network.rows == []


@pytest.mark.parametrize("culprit", ["network", "listener"])
def test_run_closes_the_task_when_another_fails(culprit: str) -> None:
    """Whoever fails, the task's own `finally` runs before run() returns, and the error is the culprit's."""
    closed = []

    def task() -> Task[None]:
        try:
            yield Progress(1, 1)
            yield Query(pixels(1))
        finally:
            closed.append(True)

    class Broken:
        def answer(self, queries: list[Query]) -> list[Answer]:
            raise RuntimeError("network")

    def listener(_: Progress) -> None:
        if culprit == "listener":
            raise RuntimeError("listener")

    running = task()
    with pytest.raises(RuntimeError, match=culprit):
        run(running, Broken(), listener)
    assert closed == [True]
    assert running.gi_frame is None


def test_an_error_of_the_task_comes_through() -> None:
    def task() -> Task[None]:
        yield Query(pixels(1))
        raise ValueError("mine")

    with pytest.raises(ValueError, match="mine"):
        run(task(), Echo())


def test_passes_count_rows() -> None:
    """Five rows, two of them with gradients: 5 forward, 2 backward."""
    passes = Passes()

    def task() -> Task[None]:
        yield from passes.ask(Query(pixels(3)))
        yield from passes.ask(Query(pixels(2), lambda logits: logits[:, 0]))

    run(task(), Echo())
    assert (passes.forward, passes.backward) == (5, 2)


def test_a_question_that_was_never_answered_is_not_counted() -> None:
    passes = Passes()
    asking = passes.ask(Query(pixels(3)))
    next(asking)
    with pytest.raises(DeadlineExceeded):
        asking.throw(DeadlineExceeded())
    assert (passes.forward, passes.backward) == (0, 0)


def in_pieces(classifier: Classifier, query: Query) -> Answer:
    """The answer to a query that is halved until single rows are left, as a device short of memory asks it."""
    if len(query.pixels) == 1:
        (answer,) = classifier.answer([query])
        return answer
    first, second = query.halves()
    return Answer.join(in_pieces(classifier, first), in_pieces(classifier, second))


@given(labels=st.lists(st.integers(0, 3), min_size=2, max_size=7), seed=st.integers(0, 1000))
def test_halves_are_the_whole_for_objectives_with_a_label_per_row(
    tiny: Classifier, labels: list[int], seed: int
) -> None:
    """Halved down to single rows and joined, a question has the logits and gradients that it has as a whole."""
    shown = torch.rand(len(labels), 3, 32, 32, generator=torch.Generator().manual_seed(seed))
    query = Query(shown, lambda logits: log_odds(logits, torch.tensor(labels)))
    (whole,) = tiny.answer([query])
    joined = in_pieces(tiny, query)
    torch.testing.assert_close(joined.logits, whole.logits, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(joined.losses, whole.losses, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(joined.gradients, whole.gradients, rtol=1e-3, atol=1e-5)


def test_halves_of_an_odd_number_of_rows() -> None:
    """Five rows are two and three, in order."""
    query = Query(torch.arange(5.0).reshape(5, 1, 1, 1).expand(5, 3, 4, 4))
    first, second = query.halves()
    assert (len(first.pixels), len(second.pixels)) == (2, 3)
    assert torch.equal(torch.cat([first.pixels, second.pixels]), query.pixels)
    assert first.objective is None


def test_halves_show_an_objective_its_own_rows() -> None:
    """Each half's loss is the whole's, cut at the middle."""
    labels = torch.tensor([0, 1, 2, 1])
    logits = torch.randn(4, 3, generator=torch.Generator().manual_seed(0))
    first, second = Query(pixels(4), lambda rows: log_odds(rows, labels)).halves()
    assert first.objective is not None
    assert second.objective is not None
    halves = torch.cat([first.objective(logits[:2]), second.objective(logits[2:])])
    torch.testing.assert_close(halves, log_odds(logits, labels))


def test_join_without_gradients() -> None:
    joined = Answer.join(Answer(torch.zeros(1, 2)), Answer(torch.ones(2, 2)))
    assert joined.logits.tolist() == [[0, 0], [1, 1], [1, 1]]
    assert joined.losses is None
    assert joined.gradients is None


def test_a_score_is_worked_out_when_it_is_asked_for() -> None:
    asked: list[float] = []

    def score() -> float:
        asked.append(0.5)
        return asked[-1]

    progress = Progress(1, 2, score)
    assert not asked
    assert progress.score() == 0.5
    assert Progress(1, 2).score() is None


def test_run_all_shares_batches_and_keeps_answers_apart() -> None:
    """Seven tasks, three at once: each hears its own values, and no batch has more than three."""
    network = Echo()
    batches: list[int] = []

    class Batches(Echo):
        def answer(self, queries: list[Query]) -> list[Answer]:
            batches.append(len(queries))
            return network.answer(queries)

    values = [[number / 8] * (1 + number % 3) for number in range(7)]
    results = dict(run_all([conversation(each) for each in values], Batches(), at_once=3))
    assert results == dict(enumerate(values))
    assert max(batches) == 3


def test_run_all_draws_tasks_as_there_is_room() -> None:
    """Of an endless iterable no more than are at once alive, and each result as soon as it is there."""
    drawn: list[int] = []

    def tasks() -> Iterator[Task[list[float]]]:
        for number in itertools.count():
            drawn.append(number)
            yield conversation([0.5])

    results = run_all(tasks(), Echo(), at_once=4)
    assert next(results) == (0, [0.5])
    assert len(drawn) <= 8
    results.close()


@pytest.mark.parametrize("at_once", [1, 2, 3, 7, 8])
def test_run_all_goes_on_when_all_that_are_alive_end_together(at_once: int) -> None:
    """Seven tasks of as many queries each: whole batches of them end at once, and the next ones begin."""
    tasks = [conversation([0.1 * number, 0.5]) for number in range(7)]
    found = list(run_all(tasks, Echo(), at_once=at_once))
    assert [number for number, _ in found] == list(range(7))


def test_run_all_of_none_at_once_is_refused() -> None:
    with pytest.raises(ValueError, match="at_once is 1 or more, not 0"):
        list(run_all([conversation([0.5])], Echo(), at_once=0))


def test_run_all_asks_for_logits_and_gradients_apart() -> None:
    """Whoever wants logits alone does not pay for another's backward pass."""

    class Kinds(Echo):
        def __init__(self) -> None:
            super().__init__()
            self.kinds: list[set[bool]] = []

        def answer(self, queries: list[Query]) -> list[Answer]:
            self.kinds.append({query.objective is not None for query in queries})
            return super().answer(queries)

    def task(objective: object) -> Task[None]:
        yield Query(pixels(1), objective)

    network = Kinds()
    list(run_all([task(None), task(lambda logits: logits[:, 0])], network))
    assert sorted(map(sorted, network.kinds)) == [[False], [True]]


def test_run_all_leaves_alone_who_asks_apart() -> None:
    """Four tasks at once, two of which ask apart: a batch of two and two batches of one."""

    class Sizes(Echo):
        def __init__(self) -> None:
            super().__init__()
            self.sizes: list[int] = []

        def answer(self, queries: list[Query]) -> list[Answer]:
            self.sizes.append(len(queries))
            return super().answer(queries)

    def task(apart: bool) -> Task[float]:
        answer = yield Query(pixels(1), apart=apart)
        assert answer is not None
        return answer.logits.item()

    network = Sizes()
    assert len(list(run_all([task(False), task(True), task(False), task(True)], network))) == 4
    assert sorted(network.sizes) == [1, 1, 2]


def test_an_error_of_one_closes_the_others() -> None:
    closed: list[bool] = []

    def patient() -> Task[None]:
        try:
            yield from conversation([0.5] * 100)
        finally:
            closed.append(True)

    def hasty() -> Task[None]:
        yield Query(pixels(1))
        raise ValueError("mine")

    with pytest.raises(ValueError, match="mine"):
        list(run_all([patient(), hasty()], Echo()))
    assert closed == [True]


def test_when_time_is_up_a_task_may_verify_its_best() -> None:
    """A deadline that has passed at once: sixteen queries more, and its result."""

    def task(queries: int) -> Task[str]:
        try:
            yield from conversation([0.5] * 1000)
        except DeadlineExceeded:
            for _ in range(queries):
                yield Query(pixels(1))
            return "best so far"
        return "done"

    assert run(task(GRACE), Echo(), deadline_s=0.0) == "best so far"
    assert run(task(0), Echo(), deadline_s=0.0) == "best so far"
    with pytest.raises(DeadlineExceeded):
        run(task(GRACE + 1), Echo(), deadline_s=0.0)


def test_when_time_is_up_others_go_on() -> None:
    """The deadline counts from each task's own beginning, and one that does not heed it is an error."""
    assert dict(run_all([conversation([0.5]), conversation([1.0])], Echo(), deadline_s=1000.0)) == {0: [0.5], 1: [1.0]}
    with pytest.raises(DeadlineExceeded):
        run(conversation([0.5] * 100), Echo(), deadline_s=0.0)
