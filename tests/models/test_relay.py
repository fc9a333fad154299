"""A task inside a task."""

from dataclasses import replace

import pytest

from models.query import DeadlineExceeded, Progress, Query, Task
from models.relay import relay
from models.run import run
from tests.models.echo import Echo, conversation


def told(task: Task[object]) -> list[tuple[int, int]]:
    heard: list[Progress] = []
    run(task, Echo(), heard.append)
    return [(each.step, each.steps) for each in heard]


def test_queries_answers_and_the_result_pass_through() -> None:
    assert run(relay(conversation([0.25, 0.5, 1.0]), lambda said: said), Echo()) == [0.25, 0.5, 1.0]


def test_progress_is_retold_or_kept_quiet() -> None:
    plain = told(conversation([0.25, 0.5, 1.0]))
    assert len(plain) == 3
    assert told(relay(conversation([0.25, 0.5, 1.0]), lambda said: replace(said, step=said.step + 10))) == [
        (s + 10, n) for s, n in plain
    ]
    assert told(relay(conversation([0.25, 0.5, 1.0]), lambda said: None)) == []


def test_it_ends_at_the_first_report_when_that_is_enough() -> None:
    """Three of ten steps are taken, and the task within is closed."""
    heard: list[int] = []
    closed: list[bool] = []

    def task() -> Task[str]:
        try:
            for step in range(10):
                heard.append(step)
                yield Progress(step + 1, 10)
            return "done"
        finally:
            closed.append(True)

    assert run(relay(task(), lambda said: said, until=lambda: len(heard) == 3), Echo()) is None
    assert (heard, closed) == ([0, 1, 2], [True])


def test_what_is_thrown_in_reaches_the_task_within() -> None:
    """A deadline, of which it makes its best so far."""

    def task() -> Task[str]:
        try:
            yield from conversation([0.5] * 100)
        except DeadlineExceeded:
            return "best so far"
        return "done"

    outer = relay(task(), lambda said: said)
    assert isinstance(outer.send(None), Query)
    with pytest.raises(StopIteration) as stopped:
        outer.throw(DeadlineExceeded("time is up"))
    assert stopped.value.value == "best so far"


def test_closing_it_closes_the_task_within() -> None:
    closed: list[bool] = []

    def task() -> Task[None]:
        try:
            yield from conversation([0.5] * 100)
        finally:
            closed.append(True)

    outer = relay(task(), lambda said: said)
    outer.send(None)
    outer.close()
    assert closed == [True]
