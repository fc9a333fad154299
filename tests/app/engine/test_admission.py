"""Tests how many tasks the engine admits, which it refuses, and what happens when it closes."""

import threading

import pytest

from app.engine.admission import CERTAIN, Admission, Overloaded, ShuttingDown, TooLate
from app.engine.counters import Counters
from app.engine.engine import Engine
from app.engine.pace import Pace
from models.query import Progress
from tests.app.doubling import Doubling, asking
from tests.clock import Clock


@pytest.fixture
def network() -> Doubling:
    return Doubling()


def test_a_full_engine_refuses_at_once_and_says_when_to_retry(network: Doubling) -> None:
    engine = Engine(max_tasks=3)
    network.may_answer.clear()
    futures = [engine.submit(asking(), network) for _ in range(3)]
    with pytest.raises(Overloaded) as error:
        engine.submit(asking(), network)
    assert error.value.retry_after_s >= 1
    assert engine.counters.refused == 1
    network.may_answer.set()
    for future in futures:
        future.result(30)
    assert engine.submit(asking(), network).result(30) == [2.0]
    engine.close(timeout_s=30)


def test_a_sequel_is_admitted_to_a_full_engine(network: Doubling) -> None:
    """A closed engine does not admit it."""
    engine = Engine(max_tasks=1, max_weight=10)
    network.may_answer.clear()
    first = engine.submit(asking(), network, weight=8)
    second = engine.submit(asking(value=3.0), network, weight=8, sequel=True)
    with pytest.raises(Overloaded):
        engine.submit(asking(), network)
    network.may_answer.set()
    assert (first.result(30), second.result(30)) == ([2.0], [6.0])
    engine.close(timeout_s=30)
    with pytest.raises(ShuttingDown):
        engine.submit(asking(), network, sequel=True)


def test_tasks_are_refused_when_their_weights_exceed_the_limit(network: Doubling) -> None:
    """Beside a task of weight 50, which was admitted alone, a task of weight 5 does not fit into 8."""
    engine = Engine(max_weight=8)
    network.may_answer.clear()
    heavy = engine.submit(asking(), network, weight=50)
    with pytest.raises(Overloaded):
        engine.submit(asking(), network, weight=5)
    network.may_answer.set()
    heavy.result(30)
    assert engine.submit(asking(), network, weight=5).result(30) == [2.0]
    engine.close(timeout_s=30)


def test_a_task_without_weight_is_always_admitted(network: Doubling) -> None:
    engine = Engine(max_weight=10)
    network.may_answer.clear()
    heavy = engine.submit(asking(), network, weight=11)
    engine.check_room()
    light = engine.submit(asking(value=3.0), network)
    for submit_weighted in (lambda: engine.submit(asking(), network, weight=1), lambda: engine.check_room(1)):
        with pytest.raises(Overloaded):
            submit_weighted()
    network.may_answer.set()
    assert (heavy.result(30), light.result(30)) == ([2.0], [6.0])
    engine.close(timeout_s=30)


def test_closing_finishes_running_tasks_and_admits_no_new_ones(network: Doubling) -> None:
    engine = Engine()
    network.may_answer.clear()
    future = engine.submit(asking(3), network)
    threading.Timer(0.05, network.may_answer.set).start()
    engine.close(timeout_s=30)
    assert future.result(0) == [2.0] * 3
    with pytest.raises(ShuttingDown):
        engine.submit(asking(), network)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr("app.engine.pace.time", clock)
    return clock


def at_step(pace: Pace, clock: Clock, *, step: int, steps: int) -> None:
    """The task takes a turn of one second for each of its steps."""
    for _ in range(step):
        clock.now += 1
        pace.take_turn()
    pace.report(Progress(step, steps))


def test_a_refused_task_hears_when_the_first_place_will_be_free(clock: Clock) -> None:
    """One task has 30 steps of a second to go, the other 5; one of weight 8 has room only when the first has ended."""
    admission = Admission(2, 10, Counters())
    long, short = Pace("attack", 9), Pace("attack", 1)
    for pace, steps in ((long, 40), (short, 15)):
        admission.admit(pace)
        at_step(pace, clock, step=10, steps=steps)
    long.take_turn()  # it has waited ten seconds for the other one
    with pytest.raises(Overloaded, match="in 5 s"):
        admission.check(0)
    with pytest.raises(Overloaded) as error:
        admission.check(8)
    assert error.value.retry_after_s > 25


def test_the_mean_of_its_kind_stands_for_a_task_without_steps(clock: Clock) -> None:
    """Attacks took 20 seconds; the one that is alive was admitted 4 seconds ago."""
    admission = Admission(1, 10, Counters())
    for _ in range(3):
        pace = Pace("attack", 0)
        admission.admit(pace)
        clock.now += 20
        admission.release(pace)
    admission.admit(Pace("attack", 0))
    clock.now += 4
    with pytest.raises(Overloaded, match="in 16 s"):
        admission.check(0)


def test_what_certainly_comes_too_late_is_refused_at_once() -> None:
    """Ten seconds of first looks are ahead, of which CERTAIN counts; a longer or no deadline is admitted."""
    counters = Counters()
    admission = Admission(10, 10, counters)
    admission.ahead_s = 10.0
    with pytest.raises(TooLate, match="try again in 3 s, or allow more time") as error:
        admission.admit(Pace("classify", 0), deadline_s=10 * CERTAIN - 2.5)
    assert (error.value.retry_after_s, counters.refused, admission.alive) == (3, 1, 0)
    admission.admit(Pace("classify", 0), deadline_s=10 * CERTAIN + 1)
    admission.admit(Pace("classify", 0))
    admission.admit(Pace("classify", 0), deadline_s=0.1, is_sequel=True)
    assert admission.alive == 3
