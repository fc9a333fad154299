"""Tests the reason that is given for a poor ideal picture."""

from dataclasses import replace

import pytest
import torch

from models.ideal.diagnosis import diagnose
from models.ideal.options import METHODS
from models.ideal.score import Score

GOOD = Score(1.0, 1.0, 1, 0.99, 0.99, {"crops": 0.99, "blur": 0.98}, 1.2, 0.1)
OPTIONS = METHODS["fourier"].defaults()
PLAIN = {**METHODS["pixel"].defaults(), "crops": 0, "clamp": False}
PICTURE = torch.randint(0, 256, (3, 32, 32), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
GREY = torch.full((3, 32, 32), 128, dtype=torch.uint8)
CHANNEL = replace(GOOD, rank=None, strength=2.0, promised=2.0)


def test_a_good_picture_gets_no_reason() -> None:
    assert diagnose(PICTURE, GOOD, OPTIONS) is None
    assert diagnose(PICTURE, CHANNEL, OPTIONS, 0.5) is None


def test_labels_have_no_rivals() -> None:
    """Another label may be more probable in the picture of a label."""
    second = replace(GOOD, rank=2)
    assert diagnose(PICTURE, second, OPTIONS, multi_label=True) is None
    assert "not recognised in the picture (probability 1, rank 2)" in (diagnose(PICTURE, second, OPTIONS) or "")
    assert "not recognised" in (diagnose(PICTURE, replace(second, strength=0.4), OPTIONS, multi_label=True) or "")


@pytest.mark.parametrize(
    ("score", "options", "message"),
    [
        (GOOD, OPTIONS, "hardly changed since the first step; raise steps or learning_rate"),
        (GOOD, {**OPTIONS, "tv": 500.0}, "with a tv of 500 there can be no contrast; lower it"),
        (
            replace(CHANNEL, strength=0.0, promised=0.0),
            OPTIONS,
            "no gradient; name a layer before its ReLU",
        ),
    ],
)
def test_a_grey_picture_gets_the_cause_and_the_remedy(score: Score, options: dict[str, object], message: str) -> None:
    result = diagnose(GREY, score, options)
    assert result is not None and "grey" in result and message in result


@pytest.mark.parametrize(
    ("score", "options", "message"),
    [
        (
            replace(GOOD, strength=0.2, rank=3, promised=0.99),
            PLAIN,
            "values outside [0, 1], which no file holds; set clamp",
        ),
        (
            replace(GOOD, strength=0.2, rank=1, promised=0.99),
            OPTIONS,
            "and the crop of /classify; raise steps",
        ),
        (replace(GOOD, strength=0.2, rank=3, promised=0.1), {**OPTIONS, "noise": 0.9}, "a noise of 0.9 hides most"),
        (replace(GOOD, strength=0.01, rank=20, promised=0.1), OPTIONS, "tv is too large; raise steps, or lower tv"),
        (replace(GOOD, robust=0.3), OPTIONS, "its probability falls to 0.98 under blur; raise steps or noise"),
        (replace(GOOD, robust=0.3), {**OPTIONS, "crops": 0}, "raise crops"),
    ],
)
def test_an_unrecognised_picture_gets_the_cause_and_the_remedy(
    score: Score, options: dict[str, object], message: str
) -> None:
    result = diagnose(PICTURE, score, options)
    assert result is not None and message in result


def test_a_channel_that_noise_activates_more_gets_a_reason() -> None:
    result = diagnose(PICTURE, CHANNEL, OPTIONS, 3.0)
    assert result is not None and "(3)" in result and "(2)" in result and "lower tv and decay" in result
    silent = diagnose(PICTURE, replace(CHANNEL, strength=0.0), OPTIONS, 0.0)
    assert silent is not None and "stays at 0" in silent


def test_a_channel_above_noise_gets_no_reason() -> None:
    """The values of a channel are no probabilities, so small ones are no fault; noise may also be unmeasured."""
    for on_noise in (1.9, None):
        assert diagnose(PICTURE, replace(CHANNEL, robust=0.1), OPTIONS, on_noise) is None


@pytest.mark.parametrize(("rank", "strength"), [(2, 0.45), (1, 0.2), (30, 0.001)])
def test_the_reason_states_probability_and_rank(rank: int, strength: float) -> None:
    result = diagnose(PICTURE, replace(GOOD, rank=rank, strength=strength, promised=strength), OPTIONS)
    assert result is not None and f"(probability {strength:.2g}, rank {rank})" in result


def test_a_probability_of_one_half_counts_as_recognised() -> None:
    """Both the strength and the robustness have to be 0.5 or more."""
    assert diagnose(PICTURE, replace(GOOD, strength=0.5, robust=0.5), OPTIONS) is None


def test_a_deviation_of_less_than_three_levels_counts_as_grey() -> None:
    """With half of the pixels d levels above 128 and half d below, the standard deviation is d."""
    board = ((torch.arange(32).reshape(-1, 1) + torch.arange(32)) % 2 * 2 - 1).expand(3, 32, 32)
    assert "grey" in str(diagnose((128 + 2 * board).to(torch.uint8), GOOD, OPTIONS))
    assert diagnose((128 + 4 * board).to(torch.uint8), GOOD, OPTIONS) is None
