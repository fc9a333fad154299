"""Tests how fast a line of requests is taken to move."""

import pytest

from app.engine.intervals import FEWEST, Intervals
from tests.clock import Clock


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    clock.now = 100.0
    monkeypatch.setattr("app.engine.intervals.time", clock)
    return clock


def test_the_mean_is_that_of_ends_with_others_in_line(clock: Clock) -> None:
    """Batches of four end every two seconds."""
    intervals = Intervals()
    for number in range(400):
        if number % 4 == 0:
            clock.now += 2.0
        intervals.note_end(others=10)
        assert (intervals.mean_s is None) == (number < FEWEST)
    assert intervals.mean_s == pytest.approx(0.5, abs=0.1)


def test_the_time_in_which_nobody_waited_does_not_count(clock: Clock) -> None:
    intervals = Intervals()
    for _ in range(50):
        clock.now += 1.0
        intervals.note_end(others=1)
        clock.now += 1.0
        intervals.note_end(others=0)
        clock.now += 3600.0
    assert intervals.mean_s == pytest.approx(1.0)
