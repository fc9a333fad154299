"""Tests running one task or several at once: answers, batches, deadlines and errors."""

import itertools
from collections.abc import Iterator

import pytest

from models.query import GRACE, Answer, DeadlineExceeded, Progress, Query, Task
from models.run import Conversation, next_batch, run, run_all
from tests.models.echo import Echo, conversation, pixels


def test_run_sends_each_answer_to_its_query() -> None:
    """The fake network answers with the mean of constant pictures, so the result is the list of their values."""
    reports: list[Progress] = []
    assert run(conversation([0.25, 0.5, 1.0]), Echo(), reports.append) == [0.25, 0.5, 1.0]
    assert [(report.step, report.steps) for report in reports] == [(1, 3), (2, 3), (3, 3)]


def test_run_works_without_a_progress_callback() -> None:
    assert run(conversation([0.25]), Echo()) == [0.25]


def test_a_task_without_queries_calls_no_network() -> None:
    """A task that sends no query returns at once."""
    network = Echo()
    assert run(conversation([]), network) == []
    assert network.rows == []


@pytest.mark.parametrize("culprit", ["network", "listener"])
def test_run_closes_the_task_when_the_network_or_the_callback_fails(culprit: str) -> None:
    """The `finally` of the task runs before run() raises the error of the network or of the progress callback."""
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


def test_an_error_of_the_task_is_raised() -> None:
    def task() -> Task[None]:
        yield Query(pixels(1))
        raise ValueError("mine")

    with pytest.raises(ValueError, match="mine"):
        run(task(), Echo())


def test_run_all_shares_batches_and_gives_every_task_its_own_answers() -> None:
    """Of seven tasks, three at once, every one gets its own values, and no batch has more than three queries."""
    network = Echo()
    batches: list[int] = []

    class Batches(Echo):
        def answer(self, queries: list[Query]) -> list[Answer]:
            batches.append(len(queries))
            return network.answer(queries)

    values = [[number / 8] * (1 + number % 3) for number in range(7)]
    results = dict(run_all([conversation(task_values) for task_values in values], Batches(), at_once=3))
    assert results == dict(enumerate(values))
    assert max(batches) == 3


def test_run_all_starts_tasks_as_others_end() -> None:
    """From an endless iterable it takes few tasks ahead, and it gives every result as soon as it is known."""
    started: list[int] = []

    def tasks() -> Iterator[Task[list[float]]]:
        for number in itertools.count():
            started.append(number)
            yield conversation([0.5])

    results = run_all(tasks(), Echo(), at_once=4)
    assert next(results) == (0, [0.5])
    assert len(started) <= 8
    results.close()


@pytest.mark.parametrize("at_once", [1, 2, 3, 7, 8])
def test_run_all_goes_on_when_all_running_tasks_end_together(at_once: int) -> None:
    """Seven tasks have two queries each, so all running tasks end at once and the next ones start."""
    tasks = [conversation([0.1 * number, 0.5]) for number in range(7)]
    results = list(run_all(tasks, Echo(), at_once=at_once))
    assert [number for number, _ in results] == list(range(7))


def test_run_all_refuses_zero_tasks_at_once() -> None:
    with pytest.raises(ValueError, match="at_once is 1 or more, not 0"):
        list(run_all([conversation([0.5])], Echo(), at_once=0))


def test_run_all_does_not_mix_queries_with_and_without_gradients() -> None:
    """A query for logits alone must not wait for the backward pass of another query."""

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


def test_run_all_answers_queries_marked_apart_in_batches_of_their_own() -> None:
    """Of four queries two are marked `apart`, so there are one batch of two queries and two batches of one."""

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


def test_an_error_of_one_task_closes_the_others() -> None:
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


def test_after_the_deadline_a_task_may_send_a_few_more_queries() -> None:
    """After a deadline of 0 s the task may send GRACE more queries and return a result; one more is an error."""

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


def test_every_task_has_its_own_deadline() -> None:
    """The deadline counts from the start of the task, and a task that does not handle it raises it."""
    assert dict(run_all([conversation([0.5]), conversation([1.0])], Echo(), deadline_s=1000.0)) == {0: [0.5], 1: [1.0]}
    with pytest.raises(DeadlineExceeded):
        run(conversation([0.5] * 100), Echo(), deadline_s=0.0)


def waiting(
    rows: int = 1, *, gradients: bool = False, apart: bool = False, network: Echo | None = None
) -> Conversation[None]:
    """Return a conversation that waits for the answer to a query of the given kind."""

    def task() -> Task[None]:
        yield Query(pixels(rows), (lambda logits: logits[:, 0]) if gradients else None, apart=apart)

    started = Conversation(task(), network)
    started.advance()
    return started


def positions(batch: list[Conversation[None]], queue: list[Conversation[None]]) -> list[int]:
    return [queue.index(conversation) for conversation in batch]


def test_a_batch_is_the_first_query_and_those_that_fit_beside_it() -> None:
    """Of queries of 3, 4, 2 and 3 rows, the first two fit into 8 rows; the third would make 9 and the last 10."""
    queue = [waiting(rows) for rows in (3, 4, 2, 3)]
    assert positions(next_batch(queue, 8), queue) == [0, 1]
    assert positions(next_batch(queue[1:], 8), queue) == [1, 2]
    assert positions(next_batch(queue, 9), queue) == [0, 1, 2]
    assert positions(next_batch(queue), queue) == [0, 1, 2, 3]


def test_a_later_query_that_fits_overtakes_one_that_does_not() -> None:
    queue = [waiting(rows) for rows in (3, 12, 2)]
    assert positions(next_batch(queue, 8), queue) == [0, 2]


def test_a_query_larger_than_a_batch_is_answered_alone() -> None:
    queue = [waiting(rows) for rows in (12, 1)]
    assert positions(next_batch(queue, 8), queue) == [0]


def test_without_waiting_conversations_there_is_no_batch() -> None:
    assert next_batch(list[Conversation[None]](), 8) == []


def test_logits_and_gradients_do_not_share_a_batch() -> None:
    queue = [waiting(gradients=gradients) for gradients in (True, False, True, False)]
    assert positions(next_batch(queue, 8), queue) == [0, 2]
    assert positions(next_batch(queue[1:], 8), queue) == [1, 3]


def test_queries_to_different_networks_do_not_share_a_batch() -> None:
    one, other = Echo(), Echo()
    queue = [waiting(network=network) for network in (one, other, one)]
    assert positions(next_batch(queue, 8), queue) == [0, 2]


def test_a_query_marked_apart_shares_no_batch() -> None:
    queue = [waiting(apart=apart) for apart in (True, False, True, False)]
    assert positions(next_batch(queue, 8), queue) == [0]
    assert positions(next_batch(queue[1:], 8), queue) == [1, 3]
    assert positions(next_batch(queue[2:], 8), queue) == [2]


def test_a_conversation_has_a_query_until_it_has_a_result() -> None:
    """Two queries are answered with the mean of their pixels, and a progress report follows every answer."""
    reports: list[Progress] = []
    talk = Conversation(conversation([0.25, 0.75]), on_progress=reports.append)
    talk.advance()
    for value in (0.25, 0.75):
        assert not talk.done and talk.query.pixels.mean() == value
        (answer,) = Echo().answer([talk.query])
        talk.advance(answer)
    assert talk.done and talk.result == [0.25, 0.75]
    assert [report.step for report in reports] == [1, 2]
