"""Tests that an engine whose driver dies or hangs answers everybody, goes on, and says so when it cannot."""

import threading
from collections.abc import Callable, Iterator

import pytest

from app.engine.driver import Driver
from app.engine.engine import MOST_FAILURES, Engine, EngineFailed
from models.query import Answer, Query, Task
from tests.app.doubling import Doubling, asking, hold
from tests.app.live_service import eventually

Make = Callable[..., Engine]


@pytest.fixture
def make() -> Iterator[Make]:
    """Make engines, which are closed at the end of the test."""
    engines: list[Engine] = []

    def new(**options: object) -> Engine:
        engines.append(Engine(**options))  # type: ignore[arg-type]
        return engines[-1]

    yield new
    for engine in engines:
        engine.close(timeout_s=1)


class Dying(Doubling):
    """A network that ends the thread on which it is asked, once, in the batch of this number."""

    def __init__(self, batch: int = 1) -> None:
        super().__init__()
        self.batch = batch

    def answer(self, queries: list[Query]) -> list[Answer]:
        answers = super().answer(queries)
        if len(self.batches) == self.batch:
            raise SystemExit
        return answers


def test_a_driver_that_dies_is_replaced_and_everybody_is_answered(make: Make) -> None:
    """One task is being answered when the thread ends; two more, one of another network, come meanwhile."""
    engine, network, other = make(), Dying(), Doubling()
    network.may_answer.clear()
    first = engine.submit(asking(), network)
    eventually(lambda: network.batches)
    futures = [engine.submit(asking(), network), engine.submit(asking(gradients=True), other)]
    network.may_answer.set()
    with pytest.raises(EngineFailed, match="try again in a moment"):
        first.result(30)
    # Those that were submitted meanwhile had not reached the driver that died: the next one takes them.
    assert [future.result(30) for future in futures] == [[2.0], [2.0]]
    assert engine.works and not engine.broken
    eventually(lambda: engine.alive == 0)


def test_tasks_in_line_fail_with_the_driver(make: Make) -> None:
    """One row at a time: the second of four tasks is being answered, and two wait, when the thread ends."""
    engine, network = make(max_rows=1), Dying(batch=2)
    hold(engine, network)
    futures = [engine.submit(asking(3, gradients=True), network) for _ in range(3)]
    network.may_answer.set()
    for future in futures:
        assert isinstance(future.exception(30), EngineFailed)
    assert engine.submit(asking(), network).result(30) == [2.0]


def test_an_engine_that_fails_too_often_is_broken_and_says_so(make: Make) -> None:
    told = threading.Event()
    engine = make(on_broken=told.set)
    for _ in range(MOST_FAILURES):
        assert not engine.broken
        with pytest.raises(EngineFailed):
            engine.submit(asking(), Dying()).result(30)
        eventually(lambda: engine.works or engine.broken)
    assert told.wait(30) and engine.broken and not engine.works
    with pytest.raises(EngineFailed):
        engine.submit(asking(), Doubling())
    assert engine.alive == 0


def test_a_network_that_hangs_is_given_up_and_others_are_answered(make: Make) -> None:
    """The thread that hangs goes on later, and finds that its task was answered long ago."""
    engine, network, other = make(hang_s=1.0), Doubling(), Doubling()
    network.may_answer.clear()
    hanging = engine.submit(asking(), network)
    with pytest.raises(EngineFailed, match="did not answer"):
        hanging.result(30)
    assert engine.submit(asking(value=4.0), other).result(30) == [8.0]
    network.may_answer.set()
    assert engine.submit(asking(value=3.0), network).result(30) == [6.0]
    assert engine.works and engine.alive == 0


def test_an_engine_is_not_at_work_while_its_driver_hangs(make: Make) -> None:
    engine, network = make(hang_s=0.2), Doubling()
    network.may_answer.clear()
    future = engine.submit(asking(), network)
    eventually(lambda: not engine.works or future.done())
    with pytest.raises(EngineFailed):
        future.result(30)
    eventually(lambda: engine.works)
    network.may_answer.set()


def test_a_fault_of_the_driver_reaches_a_task_that_has_just_begun(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(self: Driver, *_: object) -> None:
        raise RuntimeError("broken")

    engine = make()
    monkeypatch.setattr(Driver, "_proceed", broken)
    with pytest.raises(EngineFailed):
        engine.submit(asking(), Doubling()).result(30)
    monkeypatch.undo()
    assert engine.submit(asking(), Doubling()).result(30) == [2.0]


def test_a_task_that_ends_its_thread_fails_alone_with_those_in_flight(make: Make) -> None:
    def deadly() -> Task[None]:
        yield from asking(1)
        raise KeyboardInterrupt

    engine = make()
    with pytest.raises(EngineFailed):
        engine.submit(deadly(), Doubling()).result(30)
    assert engine.submit(asking(), Doubling()).result(30) == [2.0]
