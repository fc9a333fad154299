"""Tests running one task inside another, which may change or end it."""

from dataclasses import replace

import pytest

from models.query import DeadlineExceeded, Progress, Query, Task
from models.relay import relay
from models.run import run
from tests.models.echo import Echo, conversation


def reports_of(task: Task[object]) -> list[tuple[int, int]]:
    reports: list[Progress] = []
    run(task, Echo(), reports.append)
    return [(report.step, report.steps) for report in reports]


def test_queries_answers_and_the_result_pass_through() -> None:
    assert run(relay(conversation([0.25, 0.5, 1.0]), lambda progress: progress), Echo()) == [0.25, 0.5, 1.0]


def test_progress_reports_may_be_changed_or_dropped() -> None:
    plain = reports_of(conversation([0.25, 0.5, 1.0]))
    later = relay(conversation([0.25, 0.5, 1.0]), lambda progress: replace(progress, step=progress.step + 10))
    assert len(plain) == 3
    assert reports_of(later) == [(step + 10, steps) for step, steps in plain]
    assert reports_of(relay(conversation([0.25, 0.5, 1.0]), lambda progress: None)) == []


def test_queries_and_answers_may_be_changed() -> None:
    """Pixels are doubled on the way, and so the answers; 1 is added to each answer on its way back."""
    doubled = relay(
        conversation([0.125, 0.25]),
        lambda progress: progress,
        change_query=lambda query: replace(query, pixels=2 * query.pixels),
        change_answer=lambda answer: replace(answer, logits=answer.logits + 1),
    )
    assert run(doubled, Echo()) == [1.25, 1.5]


def test_the_task_ends_at_the_first_report_for_which_until_is_true() -> None:
    """Three of ten steps are taken, and the inner task is closed."""
    steps_taken: list[int] = []
    closed: list[bool] = []

    def task() -> Task[str]:
        try:
            for step in range(10):
                steps_taken.append(step)
                yield Progress(step + 1, 10)
            return "done"
        finally:
            closed.append(True)

    assert run(relay(task(), lambda progress: progress, until=lambda: len(steps_taken) == 3), Echo()) is None
    assert (steps_taken, closed) == ([0, 1, 2], [True])


def test_an_exception_reaches_the_inner_task() -> None:
    """The inner task handles an exceeded deadline by returning its best result so far."""

    def task() -> Task[str]:
        try:
            yield from conversation([0.5] * 100)
        except DeadlineExceeded:
            return "best so far"
        return "done"

    outer = relay(task(), lambda progress: progress)
    assert isinstance(outer.send(None), Query)
    with pytest.raises(StopIteration) as stopped:
        outer.throw(DeadlineExceeded("time is up"))
    assert stopped.value.value == "best so far"


def test_closing_the_outer_task_closes_the_inner_one() -> None:
    closed: list[bool] = []

    def task() -> Task[None]:
        try:
            yield from conversation([0.5] * 100)
        finally:
            closed.append(True)

    outer = relay(task(), lambda progress: progress)
    outer.send(None)
    outer.close()
    assert closed == [True]
