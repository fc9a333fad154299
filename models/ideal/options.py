"""The methods of ideal pictures by name, with the options of each, and the checks of a request's choices."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Protocol, get_args, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor

from models.effort import Effort
from models.ideal.ascent_options import Ascent
from models.ideal.fourier import Fourier
from models.ideal.maco import Maco
from models.ideal.pixel import Pixel
from models.options import BadOption, Option, complete_options, options_of


class BadIdeal(BadOption):
    """A method that does not exist, or an option that it does not take or that is out of range."""


@runtime_checkable
class Drawing(Protocol):
    """A picture and the variable that gradient ascent changes."""

    variable: Tensor

    def picture(self) -> Float[Tensor, "1 3 s s"]:
        """The picture, differentiable with respect to the variable."""
        ...

    def step(self, gradient: Tensor, rate: float) -> None:
        """Move the variable against the gradient of the loss, at `rate` times the method's learning rate."""
        ...


@dataclass(frozen=True)
class Method:
    """A parametrisation: `make(size, planes, seed=, device=, **own options)`, and the defaults of its options.

    Its own options are the parameters of `make` that are annotated with a models.options.Option. `ascent` has the
    defaults of the shared options for the effort `thorough`; `efforts` has the defaults of both kinds of options that
    are different for another effort.
    """

    make: Callable[..., Drawing]
    ascent: Ascent = field(default_factory=Ascent)
    efforts: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    @property
    def own(self) -> Mapping[str, Option]:
        """The options of this parametrisation alone, by name."""
        return options_of(self.make)

    @property
    def options(self) -> dict[str, Option]:
        """All options by name, with the defaults of the effort `standard`; their texts tell those of every effort."""
        thorough, quick = self.options_at("thorough"), self.options_at("quick")
        return {
            name: option
            if option.default == quick[name].default == thorough[name].default
            else replace(option, default_text=_every_default(quick[name], option, thorough[name]))
            for name, option in self.options_at("standard").items()
        }

    def options_at(self, effort: str) -> dict[str, Option]:
        """All options by name: those of gradient ascent, then the method's own, with the defaults of this effort."""
        shared = {
            name: replace(option, default=getattr(self.ascent, name)) for name, option in options_of(Ascent).items()
        }
        chosen = self.efforts.get(effort, {})
        return {
            name: replace(option, default=chosen.get(name, option.default))
            for name, option in {**shared, **self.own}.items()
        }

    def defaults(self, effort: str = "standard") -> dict[str, Any]:
        """The default of every option at this effort."""
        return {name: option.default for name, option in self.options_at(effort).items()}


def _every_default(quick: Option, standard: Option, thorough: Option) -> str:
    return f"{standard.shown_default} (quick {quick.shown_default}, thorough {thorough.shown_default})"


SHORT: Mapping[str, Any] = {"crops": 1, "patience": 0, "sure": 0.99, "final_rate": 0.12}
"""Defaults that `quick` and `standard` share. Without patience, since the picture settles in the last steps, at a low
learning rate; they are left out only where the class is certain before."""

SHORT_FOURIER: Mapping[str, Any] = {
    **SHORT,
    "batch": 4,
    "noise_rise": 0.65,
    "learning_rate": 0.1,
    "momentum": 0.7,
    "decay": 1.4,
}
"""The same for `fourier`. A step that follows the latest crop needs less momentum; and with few crops to average over,
fine patterns have to be held back, which fewer views and other networks recognise (docs/decisions/0040)."""

METHODS: Mapping[str, Method] = {
    "fourier": Method(
        Fourier,
        efforts={"quick": {**SHORT_FOURIER, "steps": 48}, "standard": {**SHORT_FOURIER, "steps": 88, "sure": 0.95}},
    ),
    "maco": Method(
        Maco,
        Ascent(steps=160, noise=0.0, tv=0.0),
        efforts={
            "quick": {**SHORT, "steps": 80},
            "standard": {**SHORT, "steps": 160},
        },
    ),
    "pixel": Method(
        Pixel,
        Ascent(tv=60.0),
        efforts={
            "quick": {**SHORT, "steps": 48, "noise_rise": 0.5},
            "standard": {**SHORT, "steps": 96, "noise_rise": 0.5},
        },
    ),
}
"""The methods by name."""

PLAIN_RECIPE: Mapping[str, Any] = {
    "objective": "cross_entropy",
    "steps": 1000,
    "noise": 0.0,
    "tv": 0.0005,
    "learning_rate": 10.0,
    "noise_rise": 0.0,
    "patience": 0,
    "sure": 1.0,
    "final_rate": 1.0,
}
"""Defaults of `pixel` with crops=0 and clamp=False at every effort, the plain recipe of textbooks and lectures: from
noise N(0, 1), it takes 1000 steps of size 1 down the gradient of 10 x cross-entropy + 0.005 x sum of |dx| + |dy|. Here
the loss is a tenth of that, and a step ten times as long. `tv` is for the sum of the differences; `ideal_options`
converts it to a mean."""

CLASS_OPTIONS = ("objective", "sure")
"""The options that are for classes alone, since they are about logits and probabilities."""

LEAST_SIZE, MOST_SIZE = 16, 1024
"""Bounds of a picture's side in pixels."""
MOST_PICTURES = 16
"""Largest number of pictures in one request."""
MOST_PIXELS = 4 * MOST_SIZE**2
"""Largest number of pixels of all pictures of a request: one step on so many takes half a second on two cores."""


def ideal_options(
    method: str,
    size: int,
    values: Mapping[str, Any],
    *,
    effort: str = "standard",
    count: int = 1,
    of_class: bool = True,
) -> dict[str, Any]:
    """Every option of the method with its value: from `values`, or its default at this effort.

    They are for `count` pictures with sides of `size` pixels, of a class, or of a channel, which has none of
    CLASS_OPTIONS.
    Raises BadIdeal.
    """
    if method not in METHODS:
        raise BadIdeal(f"there is no method {method[:100]!r}: choose one of {', '.join(METHODS)}")
    if effort not in get_args(Effort):
        raise BadIdeal(f"there is no effort {effort[:100]!r}: choose one of {', '.join(get_args(Effort))}")
    _check_size(size, count)
    for name in () if of_class else CLASS_OPTIONS:
        if name in values:
            raise BadIdeal(f"{name} is only for classes; a channel is measured by its mean activation: leave it out")
    known = METHODS[method].options_at(effort)
    if method == "pixel" and values.get("crops") == 0 and values.get("clamp") is False:
        # The mean is over 3 x size x (size - 1) differences across, and as many down.
        plain = {**PLAIN_RECIPE, "tv": PLAIN_RECIPE["tv"] * 3 * size * (size - 1)}
        known = {name: replace(option, default=plain.get(name, option.default)) for name, option in known.items()}
    others = {name: other.options for name, other in METHODS.items()}
    options = complete_options(method, known, values, BadIdeal, others=others)
    return options if of_class else {name: value for name, value in options.items() if name not in CLASS_OPTIONS}


def _check_size(size: int, count: int) -> None:
    if not LEAST_SIZE <= size <= MOST_SIZE:
        raise BadIdeal(f"size must be from {LEAST_SIZE} to {MOST_SIZE} pixels, not {size}")
    if not 1 <= count <= MOST_PICTURES:
        raise BadIdeal(f"count must be from 1 to {MOST_PICTURES} pictures, not {count}")
    if count * size**2 > MOST_PIXELS:
        most = MOST_PIXELS // size**2
        raise BadIdeal(
            f"{count} pictures of {size} x {size} pixels are too many at once: ask for {most}, or for smaller ones"
        )


def drawing(
    method: str, size: int, planes: int, options: Mapping[str, Any], *, seed: int, device: torch.device
) -> Drawing:
    """A new picture by a method; all of its random numbers come from the seed."""
    own = {name: options[name] for name in METHODS[method].own}
    return METHODS[method].make(size, planes, seed=seed, device=device, **own)
