"""A short run under load; how fast the machine is decides nothing here."""

import pytest

from soak.load.load import Times, load


@pytest.mark.slow
def test_every_request_is_answered_as_documented_and_nothing_is_left() -> None:
    times = Times(warm_up_s=3, settle_s=0, capacity_s=5, overload_s=8, afterwards_s=1)
    outcome = load(times=times, places=8)
    assert isinstance(outcome.figures["succeeded"], int) and outcome.figures["succeeded"] > 0
    assert isinstance(outcome.figures["refused"], int) and outcome.figures["refused"] > 0
    fast = ("p99", "network's time", "find a place", "deadline", "at capacity", "MIRAGE_MEMORY", "times its memory")
    fast += ("the log of the service ends with",)
    assert [problem for problem in outcome.problems if not any(text in problem for text in fast)] == []


def test_the_time_of_the_whole_decides_that_of_the_overload() -> None:
    assert Times.within(760).overload_s == 600
    assert Times.within(1).overload_s == 10
