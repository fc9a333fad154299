"""Tests what the program of a decoder process does by itself; test_process.py runs it."""

import sys

import pytest

from app.decoding import child

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs limits of computing time")


def test_the_limit_of_time_is_by_the_clock_by_which_it_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """The system has counted 100.2 s; by the exact time, which may be seconds less, the limit would be in the past."""
    limits: dict[int, int] = {}
    monkeypatch.setattr(child, "_set", limits.__setitem__)
    monkeypatch.setattr("signal.getitimer", lambda which: (child.ENDLESS_S - 100.2, 0.0))
    monkeypatch.setattr("time.process_time", lambda: 90.0)
    child._limit(0, 3_000_000)
    assert limits[child.resource.RLIMIT_CPU] == 101 + child.FREE_SECONDS + 3
