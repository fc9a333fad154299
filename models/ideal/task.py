"""The task behind /ideal: gradient ascent from noise to the picture that a model holds ideal for a class."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from models.classify import Prediction
from models.ideal.crops import random_crops
from models.ideal.fourier import Fourier
from models.preprocessing import preprocess, to_float, to_levels
from models.query import Passes, Progress, Query, Task
from models.spec import Spec

METHODS = {"fourier": Fourier}


class BadIdeal(ValueError):
    """A method that does not exist, or an option out of range."""


@dataclass(frozen=True)
class Ideal:
    """The picture with what the model says of it as it is returned, in 8 bits: `rank` 1 is the top class."""

    prediction: Prediction
    rank: int
    picture: UInt8[Tensor, "3 h w"]
    options: Mapping[str, Any]
    passes: Passes


def total_variation(picture: Float[Tensor, "n 3 h w"]) -> Float[Tensor, ""]:
    """Mean absolute difference of neighbours, across plus down."""
    across = (picture[..., 1:] - picture[..., :-1]).abs().mean()
    return across + (picture[..., 1:, :] - picture[..., :-1, :]).abs().mean()


def ideal(
    index: int,
    spec: Spec,
    *,
    method: str = "fourier",
    steps: int = 64,
    crops: int = 4,
    tv: float = 20.0,
    seed: int = 0,
    size: int | None = None,
    learning_rate: float = 0.05,
    device: torch.device | str = "cpu",
) -> Task[Ideal]:
    """Draw the ideal picture of class `index`, `size` pixels square (the network's input size by default).

    Each of `steps` steps of Adam raises the mean logit over `crops` random crops, less `tv` times the total variation.
    All that is random comes from `seed`. Costs steps x crops passes with gradients, and one without for the score.
    Raises BadIdeal.
    """
    size = size or spec.input_size
    _check(method, steps=steps, crops=crops, tv=tv, size=size)
    drawing = METHODS[method](size, seed=seed, device=device)
    random = torch.Generator().manual_seed(seed)
    optimiser = torch.optim.Adam([drawing.variable], lr=learning_rate)
    passes = Passes()
    for step in range(steps):
        picture = drawing.picture()
        seen = random_crops(picture, crops, spec.input_size, random)
        answer = yield from passes.ask(Query(seen.detach(), lambda logits: -logits[:, index] / crops))
        optimiser.zero_grad()
        # The answer's gradient is pulled back through the task's own graph; the variation never meets the network.
        torch.autograd.backward([seen, tv * total_variation(picture)], [answer.gradients, None])
        optimiser.step()
        yield Progress(step + 1, steps, partial(_probability, answer.logits, index), picture.detach()[0])
    levels = to_levels(drawing.picture()[0])
    answer = yield from passes.ask(Query(preprocess(to_float(levels).unsqueeze(0), spec)))
    probabilities = answer.logits[0].softmax(dim=0)
    return Ideal(
        prediction=Prediction(spec.classes[index], index, probabilities[index].item()),
        rank=1 + int((probabilities > probabilities[index]).sum()),
        picture=levels,
        options={"method": method, "steps": steps, "crops": crops, "tv": tv, "seed": seed, "size": size},
        passes=passes,
    )


def _probability(logits: Tensor, index: int) -> float:
    return logits.softmax(dim=1)[:, index].mean().item()


def _check(method: str, *, steps: int, crops: int, tv: float, size: int) -> None:
    if method not in METHODS:
        raise BadIdeal(f"there is no method {method[:100]!r}: choose one of {', '.join(METHODS)}")
    if min(steps, crops) < 1:
        raise BadIdeal(f"steps and crops are 1 or more, not {steps} and {crops}")
    if not 0 <= tv < math.inf:
        raise BadIdeal(f"tv is 0 or more, not {tv}")
    if not 16 <= size <= 4096:
        raise BadIdeal(f"the size is 16 to 4096 pixels, not {size}")
