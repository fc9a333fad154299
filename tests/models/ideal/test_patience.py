"""Tests stopping an ascent early, on sequences of scores whose stopping step is known."""

import pytest
import torch

from models.ideal.patience import WINDOW, Patience


def steps_until_exhausted(scores: list[float], patience: int) -> int | None:
    """Return the number of scores after which the patience is exhausted, or None if it never is."""
    watcher = Patience(patience)
    for number, score in enumerate(scores, start=1):
        watcher.update(torch.tensor(score))
        if watcher.exhausted:
            return number
    return None


@pytest.mark.parametrize("patience", [0, 5])
def test_a_mean_that_is_enough_stops(patience: int) -> None:
    """Scores of 0.02 x step have a mean of 0.02 x (step - 3.5) over 8 steps, which reaches 0.4 at step 24."""
    watcher = Patience(patience, enough=0.4)
    for step in range(1, 25):
        assert not watcher.exhausted
        watcher.update(torch.tensor(0.02 * step))
    assert watcher.exhausted


def test_a_rising_score_never_stops() -> None:
    assert steps_until_exhausted([0.02 * step for step in range(50)], 5) is None


def test_a_constant_score_stops_after_window_plus_patience() -> None:
    """The first full window sets the best mean, and every later step uses up patience."""
    assert steps_until_exhausted([0.5] * 50, 5) == WINDOW + 5


def test_a_rise_of_less_than_one_percent_does_not_count() -> None:
    """Within the patience of five steps, the score rises by 0.5 % in the first case and by 5 % in the second."""
    assert steps_until_exhausted([0.5 * 1.001**step for step in range(40)], 5) == WINDOW + 5
    assert steps_until_exhausted([0.5 * 1.01**step for step in range(40)], 5) is None


def test_a_falling_score_stops() -> None:
    assert steps_until_exhausted([1.0 - 0.01 * step for step in range(50)], 10) == WINDOW + 10


def test_a_rise_of_negative_scores_counts() -> None:
    """Activations of a channel may be negative: -2 to -1 is a rise, and a constant -1 is none."""
    assert steps_until_exhausted([-2 + 0.05 * step for step in range(21)], 5) is None
    assert steps_until_exhausted([-1.0] * 40, 5) == WINDOW + 5


def test_a_single_dip_does_not_stop() -> None:
    scores = [0.1 * step for step in range(12)]
    scores[9] = 0.0
    assert steps_until_exhausted([*scores, 1.2, 1.3, 1.4, 1.5, 1.6], 4) is None


@pytest.mark.parametrize("scores", [[0.5] * 100, [0.0] * 100])
def test_a_patience_of_zero_never_stops(scores: list[float]) -> None:
    assert steps_until_exhausted(scores, 0) is None


def test_a_score_that_stays_at_zero_stops() -> None:
    """A channel that is never active has such scores."""
    assert steps_until_exhausted([0.0] * 50, 6) == WINDOW + 6


def test_a_late_rise_renews_the_patience() -> None:
    """Ten scores of 0.5 and then 1: the mean over 8 steps rises until step 18, whose window is all 1."""
    assert steps_until_exhausted([0.5] * 10 + [1.0] * 50, 5) == 18 + 5


def test_a_single_high_score_counts_only_as_one_of_the_window() -> None:
    """A single 1 among scores of 0.5 raises the mean of 8 to 0.5625, which no later window exceeds."""
    assert steps_until_exhausted([0.5] * 10 + [1.0] + [0.5] * 50, 5) == 11 + 5


def test_falling_negative_scores_stop() -> None:
    assert steps_until_exhausted([-1.0 - 0.1 * step for step in range(50)], 4) == WINDOW + 4


def test_fewer_scores_than_a_window_never_stop() -> None:
    assert steps_until_exhausted([1.0, 0.5, 0.2, 0.0, 0.0, 0.0, 0.0, 0.0], 1) is None


def test_without_patience_scores_are_not_read() -> None:
    """Reading a score makes the CPU wait for the accelerator, so it is avoided."""
    watcher = Patience(0)
    watcher.update(torch.tensor(0.5))
    assert not watcher.window
