import io

import pytest
from rich.console import Console

from training import console
from training.console import Watch, duration, track
from training.plan import Plan
from training.recipe import Recipe

PLAN = Plan(Recipe(epochs=4, full_size_epochs=1, batch_size=10), 100, 100, 200)
"""Four times ten steps: three epochs of 0.1 million pixels a step, and one of 0.4; 7 million in all."""


class Clock:
    """Says what it is told to."""

    now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    found = Clock()
    monkeypatch.setattr(console, "time", found)
    return found


def test_the_rest_takes_its_pixels_at_the_speed_so_far_and_validation(clock: Clock) -> None:
    """Ten seconds for a million pixels, 6.7 of which are left after three steps; the first, of 100 s, is left out."""
    watch = Watch(Console(file=io.StringIO()), PLAN, 0)
    clock.now += 100
    watch.stepped(1, 0.5)
    assert watch.left() == "how long the rest takes is not known yet"
    for step in (2, 3):
        clock.now += 1
        watch.stepped(step, 0.5)
    assert watch.left() == "about 67 s left"
    for step in range(4, 11):
        clock.now += 1
        watch.stepped(step, 0.5)
    clock.now += 20
    watch.measured(20.0)
    assert watch.left() == "about 2 min left"  # 6 million pixels, and three times 20 s


def test_in_a_log_a_line_a_minute(clock: Clock) -> None:
    file = io.StringIO()
    watch = Watch(Console(file=file, width=40), PLAN, 10)
    for step in range(11, 16):
        clock.now += 25
        watch.stepped(step, 0.25)
    lines = file.getvalue().splitlines()
    assert lines == [
        "  step 11 of 40: epoch 2 of 4, loss 0.250, how long the rest takes is not known yet",
        "  step 14 of 40: epoch 2 of 4, loss 0.250, about 23 min left",  # 5.6 million pixels at 250 s each
    ]


def test_tracked_items_pass_and_are_told_of(clock: Clock) -> None:
    file, found = io.StringIO(), []
    for item in track(Console(file=file), range(4), 4, what="looking"):
        found.append(item)
        clock.now += 45
    assert found == [0, 1, 2, 3]
    assert file.getvalue().splitlines() == ["  looking: 2 of 4, 90 s left"]


@pytest.mark.parametrize(("seconds", "told"), [(48.4, "48 s"), (99.4, "99 s"), (120, "2 min"), (7500, "2 h 5 min")])
def test_durations_in_words(seconds: float, told: str) -> None:
    assert duration(seconds) == told
