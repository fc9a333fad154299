"""Tests how many tasks the engine admits, which it refuses, and what happens when it closes."""

import threading

import pytest

from app.engine.admission import (
    CERTAIN,
    UNKNOWN_S,
    Admission,
    Overloaded,
    RequestHasEnded,
    ShuttingDown,
    TooLate,
)
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
    engine = Engine(max_tasks=1)
    network.may_answer.clear()
    first = engine.submit(asking(), network)
    second = engine.submit(asking(value=3.0), network, sequel=True)
    for try_again in (lambda: engine.submit(asking(), network), engine.check_room):
        with pytest.raises(Overloaded):
            try_again()
    network.may_answer.set()
    assert (first.result(30), second.result(30)) == ([2.0], [6.0])
    engine.close(timeout_s=30)
    with pytest.raises(ShuttingDown):
        engine.submit(asking(), network, sequel=True)


def test_a_place_that_was_admitted_before_is_freed_by_its_task(network: Doubling) -> None:
    """A request is admitted before its picture is decoded, and its task is not counted again."""
    engine = Engine(max_tasks=1)
    place = Pace("classify")
    engine.admission.admit(place)
    with pytest.raises(Overloaded):
        engine.submit(asking(), network)
    network.may_answer.clear()
    future = engine.submit(asking(), network, place=place)
    engine.admission.release_after_request(place)
    assert engine.alive == 1, "the task has the place"
    network.may_answer.set()
    assert future.result(30) == [2.0]
    assert engine.alive == 0
    engine.close(timeout_s=30)


def test_a_request_may_keep_its_place_after_its_first_task(network: Doubling) -> None:
    """A batch of pictures has one place from the first task to the last."""
    engine = Engine(max_tasks=1)
    place = Pace("classify batch")
    place.is_held = True
    engine.admission.admit(place)
    assert engine.submit(asking(), network, place=place).result(30) == [2.0]
    with pytest.raises(Overloaded):
        engine.submit(asking(), network)
    engine.admission.release_after_request(place)
    assert engine.alive == 0
    engine.close(timeout_s=30)


def test_a_place_without_a_task_is_freed_by_its_request() -> None:
    admission, place = Admission(1, Counters()), Pace("classify")
    admission.admit(place)
    admission.release_after_request(place)
    admission.release_after_request(place)
    assert admission.alive == 0


def test_a_task_gets_no_place_of_a_request_that_has_ended(network: Doubling) -> None:
    """The client has left while a thread still decoded the picture: the task is refused, and not worked on unseen."""
    engine, place = Engine(max_tasks=1), Pace("classify")
    engine.admission.admit(place)
    engine.admission.release_after_request(place)
    with pytest.raises(RequestHasEnded):
        engine.submit(asking(), network, place=place)
    assert (engine.alive, engine.waiting, engine.counters.done) == (0, 0, 0)
    engine.close(timeout_s=30)


def test_two_tasks_get_no_place_together(network: Doubling) -> None:
    """A request that keeps its place gives it to the next task after the end of the first."""
    engine, place = Engine(max_tasks=1), Pace("classify batch")
    place.is_held = True
    engine.admission.admit(place)
    network.may_answer.clear()
    first = engine.submit(asking(), network, place=place)
    with pytest.raises(RequestHasEnded):
        engine.submit(asking(), network, place=place)
    network.may_answer.set()
    assert first.result(30) == [2.0]
    assert engine.submit(asking(), network, place=place).result(30) == [2.0]
    engine.admission.release_after_request(place)
    assert engine.alive == 0
    engine.close(timeout_s=30)


def test_a_place_that_is_kept_counts_until_both_request_and_task_have_ended(network: Doubling) -> None:
    """The client of a batch leaves while the network answers its first pictures."""
    engine, place = Engine(max_tasks=1), Pace("classify batch")
    place.is_held = True
    engine.admission.admit(place)
    network.may_answer.clear()
    future = engine.submit(asking(), network, place=place)
    engine.admission.release_after_request(place)
    assert engine.alive == 1
    network.may_answer.set()
    assert future.result(30) == [2.0]
    assert engine.alive == 0
    engine.close(timeout_s=30)


def test_neither_quick_requests_nor_others_can_take_all_places() -> None:
    """Six of eight places are for each; the two that are left take the others."""
    for quick in (True, False):
        admission = Admission(8, Counters())
        for _ in range(6):
            admission.admit(Pace("flood", quick=quick))
        with pytest.raises(Overloaded):
            admission.admit(Pace("flood", quick=quick))
        for _ in range(2):
            admission.admit(Pace("other", quick=not quick))
        with pytest.raises(Overloaded):
            admission.admit(Pace("other", quick=not quick))
        assert admission.alive == 8


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
    clock.now = 1000.0
    for module in ("admission", "pace", "retries", "intervals", "ends"):
        monkeypatch.setattr(f"app.engine.{module}.time", clock)
    monkeypatch.setattr("app.engine.retries.SPREAD", 0.0)
    monkeypatch.setattr("app.engine.admission.PRUDENCE", 1.0)
    return clock


def at_step(pace: Pace, clock: Clock, *, step: int, steps: int) -> None:
    """The task has had a second of the engine's time for each of its steps."""
    pace.worked_s = float(step)
    pace.report(Progress(step, steps))


def test_a_refused_task_hears_when_the_first_place_will_be_free(clock: Clock) -> None:
    """One task has 30 steps of a second to go, the other 5; side by side these take 10 seconds."""
    admission = Admission(2, Counters())
    long, short = Pace("attack"), Pace("attack")
    for pace, steps in ((long, 40), (short, 15)):
        admission.admit(pace)
        at_step(pace, clock, step=10, steps=steps)
    assert admission._ends(quick=False) == [10.0, 35.0]
    with pytest.raises(Overloaded, match="in 10 s") as error:
        admission.admit(Pace("attack"))
    assert error.value.retry_after_s == 10


def test_quick_requests_slow_others_down(clock: Clock) -> None:
    """For a minute an attack has had a third of the time, so the 5 seconds that it still needs take 15."""
    admission = Admission(2, Counters())
    pace = Pace("attack")
    admission.admit(pace)
    at_step(pace, clock, step=20, steps=25)
    assert admission._ends(quick=False) == [5.0]
    clock.now += 60
    assert admission._ends(quick=False) == pytest.approx([15.0], rel=1e-3)


def test_the_mean_of_its_kind_stands_for_a_task_without_steps(clock: Clock) -> None:
    """Attacks took 20 seconds of the engine's time, and the one that is alive has had 4."""
    admission = Admission(1, Counters())
    for _ in range(3):
        pace = Pace("attack")
        admission.admit(pace)
        pace.worked_s = 20.0
        admission.release_after_request(pace)
    alive = Pace("attack")
    admission.admit(alive)
    alive.worked_s = 4.0
    with pytest.raises(Overloaded, match="in 16 s"):
        admission.check()


def test_nothing_is_known_of_the_first_of_a_kind(clock: Clock) -> None:
    """So each is taken to need a second, and eight of them side by side eight seconds."""
    admission = Admission(8, Counters())
    for _ in range(6):
        admission.admit(Pace("attack"))
    assert admission._ends(quick=False) == [6 * UNKNOWN_S] * 6


def test_quick_requests_end_as_fast_as_the_latest_did(clock: Clock) -> None:
    """One ended each half second; of nine, one is expected to end after half a second, and so on."""
    admission = Admission(12, Counters())
    waiting = [Pace("classify", quick=True) for _ in range(9)]
    for pace in waiting:
        admission.admit(pace)
    for pace in waiting * 3:
        clock.now += 0.5
        admission.release_after_request(pace)
        admission.admit(pace)
    assert admission._ends(quick=True) == pytest.approx([0.5 * number for number in range(1, 10)])


def test_what_certainly_comes_too_late_is_refused_at_once() -> None:
    """Ten seconds of first looks are ahead, of which CERTAIN counts; a longer or no deadline is admitted."""
    counters = Counters()
    admission = Admission(10, counters)
    admission.ahead_s = 6.0
    with pytest.raises(TooLate, match="try again in 3 s, or allow more time") as error:
        admission.admit(Pace("classify"), 10 * CERTAIN - 2.5, ahead_s=4.0)
    assert (error.value.retry_after_s, counters.refused, admission.alive) == (3, 1, 0)
    admission.admit(Pace("classify"), 10 * CERTAIN + 1, ahead_s=4.0)
    admission.admit(Pace("classify"))
    admission.admit(Pace("classify"), 0.1, is_sequel=True)
    assert admission.alive == 3
