"""Driving tasks alone and several at once: batches, deadlines, errors."""

import itertools
from collections.abc import Iterator

import pytest

from models.query import GRACE, Answer, DeadlineExceeded, Progress, Query, Task
from models.run import Conversation, next_batch, run, run_all
from tests.models.echo import Echo, conversation, pixels


def test_run_sends_each_answer_to_its_query() -> None:
    """The echo says the mean of constant pictures: the values themselves, in order; progress is answered by None."""
    told: list[Progress] = []
    assert run(conversation([0.25, 0.5, 1.0]), Echo(), told.append) == [0.25, 0.5, 1.0]
    assert [(each.step, each.steps) for each in told] == [(1, 3), (2, 3), (3, 3)]


def test_run_needs_no_listener() -> None:
    assert run(conversation([0.25]), Echo()) == [0.25]


def test_run_of_a_task_without_queries() -> None:
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


def test_run_all_takes_tasks_as_others_end() -> None:
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


def test_run_all_puts_queries_that_ask_apart_into_batches_of_their_own() -> None:
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


def test_a_deadline_counts_for_each_task_alone() -> None:
    """The deadline counts from each task's own beginning, and one that does not heed it is an error."""
    assert dict(run_all([conversation([0.5]), conversation([1.0])], Echo(), deadline_s=1000.0)) == {0: [0.5], 1: [1.0]}
    with pytest.raises(DeadlineExceeded):
        run(conversation([0.5] * 100), Echo(), deadline_s=0.0)


def waiting(
    rows: int = 1, *, gradients: bool = False, apart: bool = False, network: Echo | None = None
) -> Conversation[None]:
    """A conversation whose first query is as described."""

    def task() -> Task[None]:
        yield Query(pixels(rows), (lambda logits: logits[:, 0]) if gradients else None, apart=apart)

    begun = Conversation(task(), network)
    begun.advance()
    return begun


def places(batch: list[Conversation[None]], line: list[Conversation[None]]) -> list[int]:
    return [line.index(conversation) for conversation in batch]


def test_a_batch_is_the_first_and_whoever_fits_beside_it() -> None:
    """Of 3, 4, 2, 3 rows within 8: the first two do, the third would make nine, and the last one ten."""
    line = [waiting(rows) for rows in (3, 4, 2, 3)]
    assert places(next_batch(line, 8), line) == [0, 1]
    assert places(next_batch(line[1:], 8), line) == [1, 2]
    assert places(next_batch(line, 9), line) == [0, 1, 2]
    assert places(next_batch(line), line) == [0, 1, 2, 3]


def test_a_later_one_that_fits_does_not_wait_for_one_that_does_not() -> None:
    line = [waiting(rows) for rows in (3, 12, 2)]
    assert places(next_batch(line, 8), line) == [0, 2]


def test_one_that_is_larger_than_a_batch_goes_alone() -> None:
    line = [waiting(rows) for rows in (12, 1)]
    assert places(next_batch(line, 8), line) == [0]


def test_without_waiting_conversations_there_is_no_batch() -> None:
    assert next_batch(list[Conversation[None]](), 8) == []


def test_logits_and_gradients_do_not_share_a_batch() -> None:
    line = [waiting(gradients=gradients) for gradients in (True, False, True, False)]
    assert places(next_batch(line, 8), line) == [0, 2]
    assert places(next_batch(line[1:], 8), line) == [1, 3]


def test_networks_do_not_share_a_batch() -> None:
    one, other = Echo(), Echo()
    line = [waiting(network=network) for network in (one, other, one)]
    assert places(next_batch(line, 8), line) == [0, 2]


def test_a_query_that_asks_apart_shares_no_batch() -> None:
    line = [waiting(apart=apart) for apart in (True, False, True, False)]
    assert places(next_batch(line, 8), line) == [0]
    assert places(next_batch(line[1:], 8), line) == [1, 3]
    assert places(next_batch(line[2:], 8), line) == [2]


def test_a_conversation_has_a_query_until_it_has_a_result() -> None:
    """Two queries, each answered by the mean of its pixels, with a report after each."""
    reports: list[Progress] = []
    talk = Conversation(conversation([0.25, 0.75]), on_progress=reports.append)
    talk.advance()
    for value in (0.25, 0.75):
        assert not talk.done and talk.query.pixels.mean() == value
        (answer,) = Echo().answer([talk.query])
        talk.advance(answer)
    assert talk.done and talk.result == [0.25, 0.75]
    assert [report.step for report in reports] == [1, 2]
