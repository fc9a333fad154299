"""Tests when refused clients are told to come back, and whether those who do so find a place."""

import heapq
import itertools
import random

import pytest

from app.engine.retries import ADMITTED, LATE_S, LONGEST_S, Retries
from tests.clock import Clock


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """A clock, and retries without chance: each appointment costs one place, and no place is kept."""
    clock = Clock()
    monkeypatch.setattr("app.engine.retries.time", clock)
    for name, value in {"SPREAD": 0.0, "COUNTED": 1.0, "MARGIN": 1.0, "KEPT": 0.0}.items():
        monkeypatch.setattr(f"app.engine.retries.{name}", value)
    return clock


def test_each_refused_client_gets_the_next_place(clock: Clock) -> None:
    """Four places, which become free after 3, 5, 7 and 9 seconds; then another one in every 9 / 4 seconds."""
    retries = Retries(4)
    ends = [3.0, 5.0, 7.0, 9.0]
    assert [retries.promise(0, ends) for _ in range(6)] == [3, 5, 7, 9, 12, 14]


def test_where_nobody_is_alive_everybody_is_admitted(clock: Clock) -> None:
    """However many are expected: somebody may have been refused a thousand times and never comes back."""
    retries = Retries(4)
    for _ in range(1000):
        assert 1 <= retries.promise(0, [1.0] * 4) <= LONGEST_S
    assert len(retries._expected) <= 64
    assert retries.admit(4, list)


def test_an_estimate_keeps_nothing(clock: Clock) -> None:
    retries = Retries(1)
    assert [retries.estimate(0, [7.0]) for _ in range(5)] == [7] * 5
    assert retries.promise(0, [7.0]) == 7


def test_free_places_are_given_at_once(clock: Clock) -> None:
    assert Retries(4).admit(1, list)
    assert not Retries(4).admit(0, list)
    assert Retries(4).promise(2, [8.0, 8.0]) == 1


def test_a_place_is_left_for_a_client_who_is_expected(clock: Clock) -> None:
    """One place is free, one client is expected in two seconds and no place becomes free before."""
    retries = Retries(2)
    assert retries.promise(0, [2.0, 60.0]) == 2
    clock.now = 1.0
    assert not retries.admit(1, lambda: [59.0]), "the only place is for the one who is expected"
    assert retries.admit(2, list), "another one is free"
    clock.now = 2.0
    assert retries.admit(1, lambda: [58.0])


def test_part_of_the_places_is_kept_while_anybody_is_expected(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    """Four of ten are kept; nobody is alive any more who would need the others when the client comes."""
    monkeypatch.setattr("app.engine.retries.KEPT", 0.4)
    retries = Retries(10)
    assert retries.admit(1, list), "nobody is expected"
    assert retries.promise(0, [3.0] * 10) == 3
    assert not retries.admit(4, list)
    assert retries.admit(6, list)


@pytest.mark.parametrize(("after_s", "counts"), [(-0.1, False), (-0.02, True), (0.2, True), (LATE_S + 0.01, False)])
def test_an_appointment_counts_for_a_moment(clock: Clock, after_s: float, counts: bool) -> None:
    """Beside it somebody else is expected, for whom the only place would be left."""
    retries = Retries(2)
    assert [retries.promise(0, [5.0, 5.0]), retries.promise(0, [60.0, 60.0])] == [5, 60]
    clock.now = 5.0 + after_s
    assert retries.admit(1, lambda: [90.0]) == counts


def test_an_appointment_is_for_a_few_who_come_at_its_time(clock: Clock) -> None:
    retries = Retries(2)
    assert [retries.promise(0, [5.0, 5.0]), retries.promise(0, [60.0, 60.0])] == [5, 60]
    clock.now = 5.0
    assert [retries.admit(1, lambda: [90.0]) for _ in range(ADMITTED + 1)] == [True] * ADMITTED + [False]


def test_a_place_that_becomes_free_in_time_need_not_be_left(clock: Clock) -> None:
    retries = Retries(2)
    assert retries.promise(0, [10.0, 10.0]) == 10
    clock.now = 1.0
    assert retries.admit(1, lambda: [5.0])


def test_who_is_done_in_time_may_have_the_place_before(clock: Clock) -> None:
    retries = Retries(2)
    assert retries.promise(0, [2.0, 60.0]) == 2
    clock.now = 0.5
    assert not retries.admit(1, lambda: [59.0], 1.6)
    assert retries.admit(1, lambda: [59.0], 1.4)


def test_a_client_who_does_not_come_is_not_expected_for_ever(clock: Clock) -> None:
    retries = Retries(1)
    assert retries.promise(0, [4.0]) == 4
    clock.now = 4.0 + LATE_S + 0.01
    assert retries.admit(1, list) and retries.admit(1, list)


def test_what_appointments_cost_is_learnt(clock: Clock) -> None:
    """When four clients come to each appointment, the next ones are four times as far apart."""
    retries = Retries(2)
    for _ in range(200):
        clock.now += retries.promise(0, [1.0, 1.0])
        for _ in range(4):
            assert retries.admit(1, list)
        clock.now += LATE_S + 0.01
        retries.admit(1, list)
    first, second, third = (retries.promise(0, [10.0, 20.0]) for _ in range(3))
    assert (second - first, third - second) == pytest.approx((40, 40), abs=4)


def test_not_all_are_told_to_come_in_the_same_second(clock: Clock) -> None:
    """Eight places become free at once, and twenty clients have been refused."""
    retries = Retries(8)
    times = [retries.promise(0, [1.0] * 8) for _ in range(20)]
    assert max(times.count(second) for second in set(times)) <= 9
    assert sorted(times) == times and times[0] == 1


def test_nobody_is_told_to_wait_for_hours(clock: Clock) -> None:
    retries = Retries(1)
    assert [retries.promise(0, [10_000.0]) for _ in range(3)] == [LONGEST_S] * 3


@pytest.mark.parametrize(
    ("clients", "places", "seconds"), [(80, 64, 1 / 60), (256, 64, 1 / 60), (120, 64, 1 / 5), (100, 10, 0.2)]
)
def test_clients_that_obey_find_a_place_the_first_time(
    monkeypatch: pytest.MonkeyPatch, clients: int, places: int, seconds: float
) -> None:
    """Clients who come again as soon as they were served, so that far more always come than there are places.

    A server answers one after the other, each in about so many seconds. At least four fifths of those who come when
    they were told find a place, and the server is never idle for long.
    """
    clock, chance, numbers = Clock(), random.Random(0), itertools.count()
    monkeypatch.setattr("app.engine.retries.time", clock)
    random.seed(0)
    retries, alive, idle_from = Retries(places), list[float](), 0.0
    served = obeyed = found = 0
    coming = [(chance.uniform(0, 0.5), next(numbers), False) for _ in range(clients)]
    heapq.heapify(coming)
    while coming[0][0] < 4000 * seconds + 30:
        clock.now, _, was_refused = heapq.heappop(coming)
        served += sum(end <= clock.now for end in alive)
        alive = [end for end in alive if end > clock.now]
        ends = sorted((end - clock.now) * chance.uniform(0.7, 1.3) for end in alive)
        admitted = retries.admit(places - len(alive), lambda ends=ends: ends, idle_from - clock.now + seconds)  # type: ignore[misc]
        obeyed, found = obeyed + was_refused, found + (was_refused and admitted)
        if admitted:
            idle_from = max(idle_from, clock.now) + seconds * chance.uniform(0.7, 1.3)
            alive.append(idle_from)
            heapq.heappush(coming, (idle_from + chance.uniform(0, 0.02), next(numbers), False))
        else:
            again = clock.now + retries.promise(places - len(alive), ends) + chance.uniform(0, 0.05)
            heapq.heappush(coming, (again, next(numbers), True))
    assert obeyed > 50 and found >= 0.8 * obeyed
    assert served * seconds >= 0.95 * clock.now
