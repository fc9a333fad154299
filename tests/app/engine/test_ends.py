"""Tests when tasks end that share the time, with answers worked out by hand."""

import pytest

from app.engine.ends import side_by_side


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
