"""Freed memory is returned where the process takes much of what it may."""

import pytest

from app.memory import pressure as module
from app.memory.pressure import MUCH, PAUSE_S, Pressure
from tests.clock import Clock


@pytest.fixture
def returned(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Return the times at which memory was returned; the process has 700 bytes, and the clock is `module.time`."""
    times: list[float] = []
    clock = Clock()
    clock.now = 100.0
    monkeypatch.setattr(module, "time", clock)
    monkeypatch.setattr(module, "resident_bytes", lambda: 700)
    monkeypatch.setattr(module, "return_freed_memory", lambda: times.append(clock.now))
    return times


@pytest.mark.parametrize(("total", "number"), [(1000, 1), (1200, 0)])
def test_memory_is_returned_beyond_a_part_of_what_it_may_take(returned: list[float], total: int, number: int) -> None:
    """Of 1,000 bytes 600 are much, and of 1,200 they are 720."""
    assert MUCH == 0.6
    Pressure(total).relieve()
    assert len(returned) == number


def test_not_after_every_batch(returned: list[float]) -> None:
    pressure = Pressure(1000)
    pressure.relieve()
    module.time.now += PAUSE_S / 2  # type: ignore[attr-defined]
    pressure.relieve()
    module.time.now += PAUSE_S  # type: ignore[attr-defined]
    pressure.relieve()
    assert returned == [100.0, 100.0 + 1.5 * PAUSE_S]
