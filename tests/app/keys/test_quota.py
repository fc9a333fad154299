"""Quotas: a token bucket, whose times are known by hand."""

import math
from itertools import pairwise

import pytest

from app.keys.quota import Quota, QuotaUsedUp
from tests.clock import Clock


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr("app.keys.quota.time", clock)
    return clock


def granted(quota: Quota, tries: int) -> int:
    """How many of so many requests at once are granted."""
    count = 0
    for _ in range(tries):
        try:
            quota.take()
        except QuotaUsedUp:
            continue
        count += 1
    return count


def test_a_minute_at_once_and_then_evenly(clock: Clock) -> None:
    """30 per minute: 30 at once, then one every two seconds; after a quiet hour again 30 and no more."""
    quota = Quota(30)
    assert granted(quota, 40) == 30
    clock.now += 1.9
    assert granted(quota, 5) == 0
    clock.now += 0.2
    assert granted(quota, 5) == 1
    clock.now += 10
    assert granted(quota, 9) == 5
    clock.now += 3600
    assert granted(quota, 99) == 30


def test_the_time_until_there_is_room_is_exact(clock: Clock) -> None:
    """4 per minute: 15 seconds after the burst for the next; 5 seconds later still 10."""
    quota = Quota(4)
    assert granted(quota, 4) == 4
    for passed, left in ((0, 15), (5, 10), (9.5, 0.5)):
        clock.now += passed
        with pytest.raises(QuotaUsedUp, match="may make 4 requests in a minute") as refused:
            quota.take()
        assert refused.value.retry_after_s == pytest.approx(left, abs=1e-4)
    clock.now += 0.5
    quota.take()


@pytest.mark.parametrize("per_minute", [1, 7, 60, 999, 1_000_000])
def test_a_client_that_waits_as_it_is_told_is_not_refused_again(clock: Clock, per_minute: int) -> None:
    """The header Retry-After has whole seconds, rounded up."""
    quota = Quota(per_minute)
    assert granted(quota, per_minute) == per_minute
    for _ in range(50):
        with pytest.raises(QuotaUsedUp) as refused:
            for _ in range(per_minute):
                quota.take()
        clock.now += math.ceil(refused.value.retry_after_s)
        quota.take()


def test_a_new_quota_counts_what_was_used_of_the_old_one(clock: Clock) -> None:
    """A change of the file must not fill all quotas again."""
    old = Quota(10)
    assert granted(old, 8) == 8
    assert granted(Quota(10, spent=old), 10) == 2
    assert granted(Quota(1, spent=old), 10) == 1
    assert granted(Quota(100, spent=old), 100) == 2
    clock.now += 30
    assert granted(Quota(10, spent=old), 10) == 7


def test_over_a_long_time_the_quota_is_kept(clock: Clock) -> None:
    """13 per minute, asked every 0.7 seconds for an hour: the burst, and 13 for each minute."""
    quota, times = Quota(13), []
    while clock.now < 3600:
        if granted(quota, 1):
            times.append(clock.now)
        clock.now += 0.7
    assert len(times) == pytest.approx(13 + 13 * 60, abs=1)
    steady = [later - earlier for earlier, later in pairwise(times[100:])]
    assert max(steady) < 60 / 13 + 0.71
