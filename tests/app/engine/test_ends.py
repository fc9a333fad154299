"""Tests when tasks end that share the time, with answers worked out by hand."""

import math

import pytest

from app.engine.ends import LEAST_PART, REMEMBERED_S, PartOfTime, side_by_side
from tests.clock import Clock


@pytest.mark.parametrize(
    ("work", "ends"),
    [
        ([], []),
        ([3.0], [3.0]),
        ([1.0, 1.0, 1.0], [3.0, 3.0, 3.0]),
        ([5.0, 1.0], [2.0, 6.0]),  # both share two seconds, then one has four seconds alone
        ([2.0, 0.0, 4.0], [0.0, 4.0, 6.0]),
    ],
)
def test_tasks_end_in_the_order_of_their_work(work: list[float], ends: list[float]) -> None:
    assert side_by_side(work) == pytest.approx(ends)


def test_the_last_one_ends_when_all_work_is_done() -> None:
    work = [0.3, 7.0, 2.5, 2.5, 0.1]
    assert side_by_side(work)[-1] == pytest.approx(sum(work))


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr("app.engine.ends.time", clock)
    return clock


def test_the_part_of_the_time_is_work_by_time(clock: Clock) -> None:
    """In a long time a quarter of it was work; in the next few seconds all of it, which counts by its time."""
    part = PartOfTime()
    part.note(0.0, is_begun=True)
    assert part.value == 1.0
    clock.now += 100
    part.note(25.0, is_begun=False)
    assert part.value == pytest.approx(0.25)
    clock.now += REMEMBERED_S
    part.note(25.0 + REMEMBERED_S, is_begun=False)
    assert part.value == pytest.approx(1 - 0.75 / math.e)


def test_time_in_which_none_was_alive_does_not_count(clock: Clock) -> None:
    part = PartOfTime()
    part.note(0.0, is_begun=True)
    clock.now += 1000
    part.note(0.0, is_begun=True)
    assert part.value == 1.0


def test_some_part_is_always_expected(clock: Clock) -> None:
    part = PartOfTime()
    part.note(0.0, is_begun=True)
    clock.now += 1000
    part.note(0.0, is_begun=False)
    assert part.value == LEAST_PART


def test_nothing_is_measured_within_a_moment(clock: Clock) -> None:
    part = PartOfTime()
    part.note(0.0, is_begun=True)
    clock.now += 0.1
    part.note(0.0, is_begun=False)
    assert part.value == 1.0
