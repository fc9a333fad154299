"""Why a picture came out poorly, and which option to change."""

from collections.abc import Mapping
from typing import Any

from jaxtyping import UInt8
from torch import Tensor

from models.ideal.score import Score

GREY = 3.0
"""A picture whose values have a smaller standard deviation than this, in levels of 255, counts as grey."""
RECOGNISED = 0.5
"""A class with at least this probability counts as recognised."""
STRONG_VARIATION_WEIGHT = 100
"""A weight of the total variation above this leaves little contrast."""
STRONG_NOISE = 0.5
"""Noise above this standard deviation, with pixel values from 0 to 1, hides most of a picture from the network."""


def diagnose(
    picture: UInt8[Tensor, "3 h w"],
    score: Score,
    options: Mapping[str, Any],
    on_noise: float | None = None,
    *,
    multi_label: bool = False,
) -> str | None:
    """The likely reason why a picture is grey or is recognised poorly, with advice; None where it is neither.

    `on_noise` is the mean activation of a channel on pictures of uniform noise. With `multi_label` other labels may be
    more probable.
    """
    if picture.float().std() < GREY:
        return _grey(score, options)
    if score.rank is None:
        return _weak_channel(score, on_noise)
    if (score.rank > 1 and not multi_label) or score.strength < RECOGNISED:
        return _unrecognised(score, options)
    if score.robust < RECOGNISED:
        return (
            "the class is recognised in this very picture only: its probability falls to "
            f"{score.families[score.weakest]:.2g} under {score.weakest}; "
            f"raise {'steps or noise' if options['crops'] else 'crops'}"
        )
    return None


def _grey(score: Score, options: Mapping[str, Any]) -> str:
    if score.rank is None and score.promised == 0:
        return (
            "the picture is grey: the channel does not respond to noise, so there is no gradient; name a layer before "
            "its ReLU, or take another seed"
        )
    if options["tv"] > STRONG_VARIATION_WEIGHT:
        return f"the picture is grey: with a tv of {options['tv']:g} there can be no contrast; lower it"
    return "the picture is grey: it has hardly changed since the first step; raise steps or learning_rate"


def _weak_channel(score: Score, on_noise: float | None) -> str | None:
    if score.strength == 0:
        return "the activation of the channel stays at 0: name a layer before its ReLU, or take another seed"
    if on_noise is None or score.strength > on_noise:
        return None
    return (
        f"plain noise activates this channel more ({on_noise:.3g}) than this picture does ({score.strength:.3g}): it "
        "responds to finer detail than the options allow; lower tv and decay"
    )


def _unrecognised(score: Score, options: Mapping[str, Any]) -> str:
    text = f"the class is not recognised in the picture (probability {score.strength:.2g}, rank {score.rank})"
    if score.promised >= RECOGNISED:
        if not options.get("clamp", True):
            return (
                f"{text}: its probability of {score.promised:.2g} was for values outside [0, 1], which no file holds; "
                "set clamp=true"
            )
        return (
            f"{text}: its probability was {score.promised:.2g} before rounding to 8 bits and the crop of /classify; "
            "raise steps or crops"
        )
    if options["noise"] > STRONG_NOISE:
        return f"{text}: a noise of {options['noise']:g} hides most of the picture from the network; lower it"
    return f"{text}: the steps are too few for this model, or tv is too large; raise steps, or lower tv"
