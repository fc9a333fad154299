"""Tests how many places one owner of requests may have: an API key, or an address where there are no keys."""

import pytest

from app.engine.admission import ALONE_S, Admission, Overloaded
from app.engine.counters import Counters
from app.engine.pace import Pace
from tests.clock import Clock


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    for module in ("admission", "pace", "retries", "intervals"):
        monkeypatch.setattr(f"app.engine.{module}.time", clock)
    monkeypatch.setattr("app.engine.retries.SPREAD", 0.0)
    return clock


def test_one_key_cannot_take_all_places_of_its_kind() -> None:
    """Of the six places for quick requests one key gets five, even while it is the only one."""
    admission = Admission(8, Counters())
    for _ in range(5):
        admission.admit(Pace("flood", "busy", quick=True))
    with pytest.raises(Overloaded):
        admission.admit(Pace("flood", "busy", quick=True))
    admission.admit(Pace("look", "other", quick=True))
    assert admission.alive == 6


def test_one_address_takes_all_places_only_while_it_is_alone(clock: Clock) -> None:
    """It has all six places when somebody else comes, who is refused once; then it gets back only five of them."""
    admission = Admission(8, Counters())

    def admit(owner: str) -> Pace:
        pace = Pace("flood", owner, has_key=False, quick=True)
        admission.admit(pace)
        return pace

    flood = [admit("192.0.2.1") for _ in range(6)]
    with pytest.raises(Overloaded):
        admit("192.0.2.2")
    admission.release_after_request(flood.pop())
    with pytest.raises(Overloaded):
        admit("192.0.2.1")
    clock.now += 5  # the appointment of the other one has come
    other = admit("192.0.2.2")
    for pace in [*flood, other]:
        admission.release_after_request(pace)
    clock.now += ALONE_S
    assert len([admit("192.0.2.1") for _ in range(5)]) == 5
    with pytest.raises(Overloaded):
        admit("192.0.2.1")
    clock.now += 1
    admit("192.0.2.1")
    assert admission.alive == 6


def test_whoever_came_latest_counts_as_somebody_else(clock: Clock) -> None:
    """Three addresses take turns; each sees the others, and after a minute of the last one alone it sees nobody."""
    admission = Admission(8, Counters())
    assert admission._note_owner("a")
    for owner in "bcabcabc":
        clock.now += ALONE_S - 1
        assert not admission._note_owner(owner)
    for seconds, is_alone in ((1, False), (1, True)):
        clock.now += seconds
        assert admission._note_owner("c") is is_alone
