"""The methods by name, each with its parametrisation and its defaults, and what their options may be."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor

from models.ideal.fourier import Fourier
from models.ideal.maco import Maco
from models.ideal.pixel import Pixel
from models.ideal.subject import OBJECTIVES


class BadIdeal(ValueError):
    """A method that does not exist, or an option out of range."""


@runtime_checkable
class Drawing(Protocol):
    """A picture with the variable that gradient ascent moves."""

    def picture(self) -> Float[Tensor, "1 3 s s"]:
        """The picture, differentiable with respect to the variable."""
        ...

    def step(self) -> None:
        """Move the variable along the gradient that it has."""
        ...


@dataclass(frozen=True)
class Method:
    """A parametrisation: `make(size, planes, seed=, device=, **own options)`, and the defaults of all options."""

    make: Callable[..., Drawing]
    own: tuple[str, ...]
    defaults: Mapping[str, Any] = field(default_factory=dict)


COMMON: Mapping[str, Any] = {"objective": "logit", "steps": 96, "crops": 4, "noise": 0.2, "patience": 20}

METHODS: Mapping[str, Method] = {
    "fourier": Method(
        Fourier, ("decay", "learning_rate"), {**COMMON, "tv": 20.0, "decay": 1.25, "learning_rate": 0.05}
    ),
    "maco": Method(
        Maco,
        ("decay", "learning_rate"),
        {**COMMON, "steps": 160, "noise": 0.0, "tv": 0.0, "decay": 1.0, "learning_rate": 0.3},
    ),
    "pixel": Method(Pixel, ("clamp", "learning_rate"), {**COMMON, "tv": 60.0, "clamp": True, "learning_rate": 0.05}),
}

LESSON: Mapping[str, Any] = {
    "objective": "cross_entropy",
    "steps": 1000,
    "noise": 0.0,
    "tv": 0.0005,
    "learning_rate": 10.0,
    "patience": 0,
}
"""What `pixel` takes for granted without crops and clamp, an old exercise: noise N(0, 1), 1000 steps of size 1 down
10 x cross-entropy + 0.005 x sum of |dx| + |dy|. Here the loss is a tenth of that, and a step ten times as long."""

BOUNDS: Mapping[str, tuple[float, float]] = {
    "steps": (1, 2000),
    "crops": (0, 32),
    "noise": (0.0, 1.0),
    "tv": (0.0, 2000.0),
    "decay": (0.0, 3.0),
    "learning_rate": (1e-6, 1000.0),
    "patience": (0, 2000),
}

LEAST_SIZE, MOST_SIZE = 16, 1024
MOST_PICTURES = 16
MOST_PIXELS = 4 * MOST_SIZE**2
"""Of all pictures of a request: a step of so many takes the engine's thread half a second on two cores."""


def ideal_options(
    method: str, size: int, given: Mapping[str, Any], *, count: int = 1, of_class: bool = True
) -> dict[str, Any]:
    """Every option of the method for `count` pictures of this side, as given or by default; raises BadIdeal."""
    if method not in METHODS:
        raise BadIdeal(f"there is no method {method[:100]!r}: choose one of {', '.join(METHODS)}")
    _check_size(size, count)
    defaults = dict(METHODS[method].defaults)
    if method == "pixel" and given.get("crops") == 0 and given.get("clamp") is False:
        # The sum of all differences in the units of a mean over 3 x size x (size - 1) of them.
        defaults |= {**LESSON, "tv": LESSON["tv"] * 3 * size * (size - 1)}
    if not of_class:
        del defaults["objective"]
        if "objective" in given:
            raise BadIdeal("objective is for classes: of a channel the mean activation is raised; leave it out")
    for name, value in given.items():
        if name not in defaults:
            users = [each for each, other in METHODS.items() if name in other.defaults]
            told = f"it is one of {', '.join(users)}" if users else "there is no such option"
            raise BadIdeal(f"{name} is no option of {method}: {told}; {method} has {', '.join(defaults)}")
        if name == "objective" and value not in OBJECTIVES:
            raise BadIdeal(f"there is no objective {str(value)[:100]!r}: choose one of {', '.join(OBJECTIVES)}")
        if name in BOUNDS:
            least, most = BOUNDS[name]
            if not (math.isfinite(value) and least <= value <= most):
                raise BadIdeal(f"{name} is {least:g} to {most:g}, not {value}")
    return defaults | dict(given)


def _check_size(size: int, count: int) -> None:
    if not LEAST_SIZE <= size <= MOST_SIZE:
        raise BadIdeal(f"the size is {LEAST_SIZE} to {MOST_SIZE} pixels, not {size}")
    if not 1 <= count <= MOST_PICTURES:
        raise BadIdeal(f"the count is 1 to {MOST_PICTURES} pictures, not {count}")
    if count * size**2 > MOST_PIXELS:
        least = MOST_PIXELS // size**2
        raise BadIdeal(f"{count} pictures of {size} pixels are too many at once: ask for {least}, or for smaller ones")


def drawing(
    method: str, size: int, planes: int, options: Mapping[str, Any], *, seed: int, device: torch.device
) -> Drawing:
    """A fresh picture by a method, all of whose noise comes from the seed."""
    own = {name: options[name] for name in METHODS[method].own}
    return METHODS[method].make(size, planes, seed=seed, device=device, **own)
