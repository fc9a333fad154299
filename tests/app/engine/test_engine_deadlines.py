"""Tests what a task may do in the engine after its deadline."""

import time

import pytest

from app.engine.admission import ShuttingDown
from app.engine.deadline import Deadline
from app.engine.engine import Engine
from models.query import GRACE, DeadlineExceeded, Progress, Task
from tests.app.doubling import Doubling, asking


@pytest.fixture
def network() -> Doubling:
    return Doubling()


def test_a_deadline_ends_a_task(engine: Engine, network: Doubling) -> None:
    future = engine.submit(asking(10**9), network, deadline_s=0.05)
    with pytest.raises(DeadlineExceeded, match="not done after"):
        future.result(30)
    assert engine.counters.expired == 1


def test_a_task_may_return_its_best_at_the_deadline(engine: Engine, network: Doubling) -> None:
    def task() -> Task[str]:
        try:
            yield from asking(10**9)
        except DeadlineExceeded:
            yield Progress(1, 1)
            return "best so far"
        return "done"

    assert engine.submit(task(), network, deadline_s=0.05).result(30) == "best so far"


def test_a_deadline_can_be_put_off_until_it_has_passed(engine: Engine, network: Doubling) -> None:
    """The task ends at the later one, and not before."""
    begun = time.monotonic()
    deadline = Deadline(begun + 1.0)
    future = engine.submit(asking(10**9), network, deadline=deadline)
    assert deadline.put_off(begun + 1.4) and deadline.put_off(begun + 1.2) and deadline.until == begun + 1.4
    with pytest.raises(DeadlineExceeded):
        future.result(30)
    assert time.monotonic() > begun + 1.4
    assert not deadline.put_off(begun + 100) and deadline.until == begun + 1.4


@pytest.mark.parametrize("count", [1, GRACE])
def test_a_task_may_send_a_few_queries_after_the_deadline(engine: Engine, network: Doubling, count: int) -> None:
    """Up to GRACE more queries are answered, so that a task can verify its best result."""

    def task() -> Task[list[float]]:
        try:
            yield from asking(10**9)
        except DeadlineExceeded:
            return (yield from asking(count))
        return []

    assert engine.submit(task(), network, deadline_s=0.05).result(30) == [2.0] * count
    assert (engine.counters.expired, engine.counters.done, engine.counters.failed) == (1, 1, 0)


def test_a_task_that_sends_too_many_queries_after_the_deadline_fails(engine: Engine, network: Doubling) -> None:
    def task() -> Task[list[float]]:
        try:
            yield from asking(10**9)
        except DeadlineExceeded:
            return (yield from asking(GRACE + 1))
        return []

    with pytest.raises(DeadlineExceeded, match="not done after"):
        engine.submit(task(), network, deadline_s=0.05).result(30)
    assert engine.counters.failed == 1


def test_a_task_that_ignores_its_deadline_fails(engine: Engine, network: Doubling) -> None:
    def task() -> Task[None]:
        while True:
            try:
                yield from asking(10**9)
            except DeadlineExceeded:
                continue

    with pytest.raises(DeadlineExceeded):
        engine.submit(task(), network, deadline_s=0.05).result(30)


def test_when_the_service_stops_every_task_gets_an_earlier_deadline(engine: Engine, network: Doubling) -> None:
    """Those that return nothing by then end with an error that is not their own; so do tasks that come later."""

    def task() -> Task[str]:
        try:
            yield from asking(10**9)
        except DeadlineExceeded:
            return "best so far"
        return "done"

    best, nothing = engine.submit(task(), network), engine.submit(asking(10**9), network, deadline_s=1000)
    overdue = engine.submit(asking(10**9), network, deadline_s=0.01)
    with pytest.raises(DeadlineExceeded):
        overdue.result(30)
    engine.end_by(time.monotonic() + 0.05)
    assert best.result(30) == "best so far"
    for future in (nothing, engine.submit(asking(10**9), network)):
        with pytest.raises(ShuttingDown, match="the service is stopping"):
            future.result(30)
