"""Why a picture came out poorly, in words that say what to change."""

from collections.abc import Mapping
from typing import Any

from jaxtyping import UInt8
from torch import Tensor

from models.ideal.score import Score

GREY = 3.0
"""Standard deviation, in levels of 255, under which nothing is to be seen."""
RECOGNISED = 0.5


def reason(
    picture: UInt8[Tensor, "3 h w"], score: Score, options: Mapping[str, Any], on_noise: float | None = None
) -> str | None:
    """The likely reason why a picture is grey or shows little, None where it is neither.

    `on_noise` is what noise calls forth in a channel.
    """
    if picture.float().std() < GREY:
        return _grey(score, options)
    if score.rank is None:
        return _below_noise(score, on_noise)
    if score.rank > 1 or score.seen < RECOGNISED:
        return _unrecognised(score, options)
    if score.robust < RECOGNISED:
        told = f"only this very picture is recognised: under {score.weakest} its probability falls to {_weakest(score)}"
        return f"{told}; raise {'crops' if not options['crops'] else 'steps or noise'}"
    return None


def _grey(score: Score, options: Mapping[str, Any]) -> str:
    if score.rank is None and score.promised == 0:
        return "the picture is grey: the channel is silent on noise; name a layer before its ReLU, or take another seed"
    if options["tv"] > 100:
        return f"the picture is grey: a tv of {options['tv']:g} forbids all contrast; lower it"
    return "the picture is grey: it has hardly moved from where it began; raise steps or learning_rate"


def _below_noise(score: Score, on_noise: float | None) -> str | None:
    if score.seen == 0:
        return "the channel stays at 0: name a layer before its ReLU, or take another seed"
    if on_noise is None or score.seen > on_noise:
        return None
    return (
        f"plain noise calls forth more in this channel ({on_noise:.3g}) than this picture ({score.seen:.3g}): it likes "
        "finer detail than is allowed; lower tv and decay"
    )


def _unrecognised(score: Score, options: Mapping[str, Any]) -> str:
    told = f"the picture is not recognised (probability {score.seen:.2g}, rank {score.rank})"
    if score.promised >= RECOGNISED:
        if not options.get("clamp", True):
            return (
                f"{told}: {score.promised:.2g} was said of values outside [0, 1], which no file holds; set clamp=true"
            )
        return f"{told}: {score.promised:.2g} was said of it before 8 bits and /classify's crop; raise steps or crops"
    if options["noise"] > 0.5:
        return f"{told}: little is to be seen under noise of {options['noise']:g}; lower it"
    return f"{told}: it took too few steps for this model, or too much was asked of it; raise steps, or lower tv"


def _weakest(score: Score) -> str:
    return f"{score.families[score.weakest]:.2g}"
