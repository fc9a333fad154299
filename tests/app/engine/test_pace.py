"""Tests the estimate of the seconds that a task still takes, on a clock that the tests move."""

import pytest

from app.engine.pace import Pace
from models.query import Progress
from tests.clock import Clock


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr("app.engine.pace.time", clock)
    return clock


def turns(pace: Pace, clock: Clock, count: int, seconds: float) -> None:
    """The network answers the task this many times, each time after so many seconds."""
    for _ in range(count):
        clock.now += seconds
        pace.take_turn()


def test_a_steady_task_takes_as_long_per_step_as_before(clock: Clock) -> None:
    """After 10 of 40 steps of two turns of half a second each, 30 steps are left: 30 seconds."""
    pace = Pace("attack", 0)
    turns(pace, clock, 20, 0.5)
    pace.report(Progress(10, 40))
    assert pace.seconds_left() == pytest.approx(30)
    clock.now += 0.25  # half of the next turn
    assert pace.seconds_left() == pytest.approx(29.75)


def test_the_load_of_the_latest_turns_counts(clock: Clock) -> None:
    """Fifteen other tasks have ended, and a turn takes a tenth of a second where it took a second."""
    pace = Pace("attack", 0)
    turns(pace, clock, 20, 1.0)
    turns(pace, clock, 20, 0.1)
    pace.report(Progress(40, 80))
    assert pace.seconds_left() == pytest.approx(4, rel=0.15)


def test_the_turns_of_the_latest_steps_count(clock: Clock) -> None:
    """Sixteen steps of a turn each, then four in each turn: with 40 steps left, ten turns are."""
    pace = Pace("ideal", 0)
    for step in [*range(1, 17), *range(20, 57, 4)]:
        turns(pace, clock, 1, 1.0)
        pace.report(Progress(step, 96))
    assert pace.seconds_left() == pytest.approx(10, rel=0.4)


def test_nothing_is_said_without_steps(clock: Clock) -> None:
    """Not before the first report, not after two turns only, and not when all steps are done."""
    pace = Pace("attack", 0)
    turns(pace, clock, 2, 1.0)
    assert pace.seconds_left() is None
    pace.report(Progress(1, 10))
    assert pace.seconds_left() is None
    turns(pace, clock, 8, 1.0)
    assert pace.seconds_left() is not None
    pace.report(Progress(10, 10))
    assert pace.seconds_left() is None


def test_a_task_is_new_until_its_first_answer(clock: Clock) -> None:
    pace = Pace("attack", 0)
    assert pace.is_new
    turns(pace, clock, 1, 1.0)
    assert not pace.is_new
