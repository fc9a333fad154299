"""When ascent has got where it will get: sequences by hand."""

import pytest
import torch

from models.ideal.patience import WINDOW, Patience


def steps_until_exhausted(figures: list[float], patience: int) -> int | None:
    """After how many figures, None if never."""
    waiting = Patience(patience)
    for number, figure in enumerate(figures, start=1):
        waiting.update(torch.tensor(figure))
        if waiting.exhausted:
            return number
    return None


def test_what_rises_is_never_given_up() -> None:
    assert steps_until_exhausted([0.02 * step for step in range(50)], 5) is None


def test_what_is_flat_is_given_up_after_the_window_and_the_patience() -> None:
    """The first full window sets the mark; each later one waits."""
    assert steps_until_exhausted([0.5] * 50, 5) == WINDOW + 5


def test_a_rise_of_less_than_a_hundredth_is_none() -> None:
    """By 0.5 % over five steps, against by 5 %."""
    assert steps_until_exhausted([0.5 * 1.001**step for step in range(40)], 5) == WINDOW + 5
    assert steps_until_exhausted([0.5 * 1.01**step for step in range(40)], 5) is None


def test_what_falls_is_given_up() -> None:
    assert steps_until_exhausted([1.0 - 0.01 * step for step in range(50)], 10) == WINDOW + 10


def test_below_zero_up_is_up() -> None:
    """A channel's activation: from -2 to -1 rises; at -1 it stays."""
    assert steps_until_exhausted([-2 + 0.05 * step for step in range(21)], 5) is None
    assert steps_until_exhausted([-1.0] * 40, 5) == WINDOW + 5


def test_a_single_dip_is_forgiven() -> None:
    figures = [0.1 * step for step in range(12)]
    figures[9] = 0.0
    assert steps_until_exhausted([*figures, 1.2, 1.3, 1.4, 1.5, 1.6], 4) is None


@pytest.mark.parametrize("figures", [[0.5] * 100, [0.0] * 100])
def test_nought_is_for_ever(figures: list[float]) -> None:
    assert steps_until_exhausted(figures, 0) is None


def test_what_stays_at_zero_is_given_up() -> None:
    """A silent channel."""
    assert steps_until_exhausted([0.0] * 50, 6) == WINDOW + 6


def test_a_late_rise_renews_the_patience() -> None:
    """Flat at 0.5 for 10 steps, then 1 for ever: the means rise until the 18th step, whose 8 are all 1."""
    assert steps_until_exhausted([0.5] * 10 + [1.0] * 50, 5) == 18 + 5


def test_one_lucky_step_counts_an_eighth() -> None:
    """A single 1 among halves lifts the mean to 0.5625 while it is in the window, which no later one reaches."""
    assert steps_until_exhausted([0.5] * 10 + [1.0] + [0.5] * 50, 5) == 11 + 5


def test_below_zero_down_is_given_up() -> None:
    assert steps_until_exhausted([-1.0 - 0.1 * step for step in range(50)], 4) == WINDOW + 4


def test_fewer_than_a_window_are_not_judged() -> None:
    assert steps_until_exhausted([1.0, 0.5, 0.2, 0.0, 0.0, 0.0, 0.0, 0.0], 1) is None


def test_without_patience_the_figure_is_not_read() -> None:
    """On an accelerator it would have to be waited for."""
    waiting = Patience(0)
    waiting.update(torch.tensor(0.5))
    assert not waiting.window
