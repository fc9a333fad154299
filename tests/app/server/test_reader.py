"""Tests when a client that reads slowly, or not at all, is given up; times are those of the test."""

import pytest

from app.server.limits import Limits
from app.server.reader import Reader

LIMITS = Limits(stalled_reader_s=60, reader_bytes_per_s=5_000, small_response_bytes=200_000)


def given_up_after(size: int, bytes_per_s: int, *, most_s: int = 100_000, limits: Limits = LIMITS) -> int | None:
    """After how many seconds a client with a response of this size is given up; None if it has read all of it."""
    reader = Reader(limits, now=0.0)
    for second in range(most_s):
        waiting = size - bytes_per_s * second
        if waiting <= 0:
            return None
        if reader.is_too_slow(float(second), written=size, waiting=waiting, queued=0):
            return second
    return most_s


def test_a_client_that_reads_nothing_is_given_up_after_a_minute() -> None:
    assert given_up_after(10_000_000, 0) == given_up_after(100, 0) == 61


@pytest.mark.parametrize(("bytes_per_s", "seconds"), [(1, 61), (2_500, 121), (4_000, 301)])
def test_a_client_below_the_least_rate_is_given_up(bytes_per_s: int, seconds: int) -> None:
    """A minute, and a second for each 5,000 bytes that it has read: at 2,500 a second these are two minutes."""
    assert given_up_after(10_000_000, bytes_per_s) == seconds


def test_a_client_above_the_least_rate_gets_all_of_its_response() -> None:
    """10 MB take half an hour, of which the first minute may pass without a byte."""
    assert given_up_after(10_000_000, 5_100) is None
    reader = Reader(LIMITS, now=0.0)
    for second in range(2000):
        waiting = 10_000_000 - 5_100 * max(0, second - 59)
        assert not reader.is_too_slow(float(second), written=10_000_000, waiting=waiting, queued=0)


def test_what_is_small_may_be_read_slowly() -> None:
    """Event streams go on for minutes, and little of them waits at a time."""
    assert given_up_after(200_000, 10) is None


def test_the_time_begins_anew_with_the_next_large_response() -> None:
    """After nearly two minutes of a first one, read at half of the least rate; an idle hour between does not count."""
    reader = Reader(LIMITS, now=0.0)
    for start in (0, 3600):
        for second in range(119):
            waiting = 10_000_000 - 2_500 * second
            assert not reader.is_too_slow(start + float(second), start * 10_000 + 10_000_000, waiting, 0)
        assert not reader.is_too_slow(start + 120.0, start * 10_000 + 10_000_000, 0, 0)


def test_what_the_system_has_sent_counts_before_its_buffer_takes_more() -> None:
    """The service's own part of the response stands still for minutes, while the client reads all the time."""
    reader, stalled = Reader(LIMITS, now=0.0), Reader(LIMITS, now=0.0)
    ends = []
    for second in range(200):
        assert not reader.is_too_slow(float(second), 20_000_000, 16_000_000, 4_000_000 - 10_000 * second)
        ends.append(stalled.is_too_slow(float(second), 20_000_000, 16_000_000, 4_000_000))
    assert ends.index(True) == 61
