"""Why a picture came out poorly."""

from dataclasses import replace

import pytest
import torch

from models.ideal.options import METHODS
from models.ideal.reason import reason
from models.ideal.score import Score

GOOD = Score(1.0, 1.0, 1, 0.99, 0.99, {"crops": 0.99, "blur": 0.98}, 1.2, 0.1)
OPTIONS = METHODS["fourier"].defaults
PLAIN = {**METHODS["pixel"].defaults, "crops": 0, "clamp": False}
PICTURE = torch.randint(0, 256, (3, 32, 32), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
GREY = torch.full((3, 32, 32), 128, dtype=torch.uint8)
CHANNEL = replace(GOOD, rank=None, seen=2.0, promised=2.0)


def test_a_good_one_needs_none() -> None:
    assert reason(PICTURE, GOOD, OPTIONS) is None
    assert reason(PICTURE, CHANNEL, OPTIONS, 0.5) is None


@pytest.mark.parametrize(
    ("score", "options", "told"),
    [
        (GOOD, OPTIONS, "hardly moved from where it began; raise steps or learning_rate"),
        (GOOD, {**OPTIONS, "tv": 500.0}, "a tv of 500 forbids all contrast; lower it"),
        (replace(CHANNEL, seen=0.0, promised=0.0), OPTIONS, "silent on noise; name a layer before its ReLU"),
    ],
)
def test_a_grey_one(score: Score, options: dict[str, object], told: str) -> None:
    found = reason(GREY, score, options)
    assert found is not None and "grey" in found and told in found


@pytest.mark.parametrize(
    ("score", "options", "told"),
    [
        (
            replace(GOOD, seen=0.2, rank=3, promised=0.99),
            PLAIN,
            "values outside [0, 1], which no file holds; set clamp",
        ),
        (replace(GOOD, seen=0.2, rank=1, promised=0.99), OPTIONS, "before 8 bits and /classify's crop; raise steps"),
        (replace(GOOD, seen=0.2, rank=3, promised=0.1), {**OPTIONS, "noise": 0.9}, "noise of 0.9; lower it"),
        (replace(GOOD, seen=0.01, rank=20, promised=0.1), OPTIONS, "raise steps, or lower tv"),
        (replace(GOOD, robust=0.3), OPTIONS, "under blur its probability falls to 0.98; raise steps or noise"),
        (replace(GOOD, robust=0.3), {**OPTIONS, "crops": 0}, "raise crops"),
    ],
)
def test_one_that_is_not_recognised(score: Score, options: dict[str, object], told: str) -> None:
    found = reason(PICTURE, score, options)
    assert found is not None and told in found


def test_a_channel_that_noise_calls_forth_more() -> None:
    found = reason(PICTURE, CHANNEL, OPTIONS, 3.0)
    assert found is not None and "(3)" in found and "(2)" in found and "lower tv and decay" in found
    silent = reason(PICTURE, replace(CHANNEL, seen=0.0), OPTIONS, 0.0)
    assert silent is not None and "stays at 0" in silent


def test_a_channel_above_noise_needs_none_however_little_it_shows() -> None:
    """Nor where nobody measured the noise: a channel's families are shares of its own, and no probabilities."""
    for on_noise in (1.9, None):
        assert reason(PICTURE, replace(CHANNEL, robust=0.1), OPTIONS, on_noise) is None


@pytest.mark.parametrize(("rank", "seen"), [(2, 0.45), (1, 0.2), (30, 0.001)])
def test_it_tells_probability_and_rank(rank: int, seen: float) -> None:
    found = reason(PICTURE, replace(GOOD, rank=rank, seen=seen, promised=seen), OPTIONS)
    assert found is not None and f"(probability {seen:.2g}, rank {rank})" in found


def test_halves_are_enough() -> None:
    """Recognised is a half or more, of the picture and under all ways to look at it."""
    assert reason(PICTURE, replace(GOOD, seen=0.5, robust=0.5), OPTIONS) is None


def test_grey_is_a_deviation_of_less_than_three_levels() -> None:
    """Half of the pixels d above and half d below the middle deviate by d."""
    board = ((torch.arange(32).reshape(-1, 1) + torch.arange(32)) % 2 * 2 - 1).expand(3, 32, 32)
    assert "grey" in str(reason((128 + 2 * board).to(torch.uint8), GOOD, OPTIONS))
    assert reason((128 + 4 * board).to(torch.uint8), GOOD, OPTIONS) is None
