"""What may happen to the returned file before the model sees it, for the attack to outlive."""

import re
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from jaxtyping import Float
from PIL import Image
from torch import Tensor
from torchvision.transforms.v2 import InterpolationMode
from torchvision.transforms.v2.functional import resize

from models.attacks.geometry import Pictures, to_lattice
from models.attacks.goal import View
from models.attacks.jpeg import Jpeg
from models.pictures import MAX_PIXELS
from models.preprocessing import to_float, to_levels

Resizes = Float[Tensor, "n 3 resized_h resized_w"]

MOST = 5
"""Survivals at once: every view is one more pass per step."""
LEAST_SCALE, MOST_SCALE = 0.1, 4.0


class BadSurvival(ValueError):
    """Something to outlive that is not known here, or too much of it."""


@dataclass(frozen=True)
class Survival:
    """One thing that may happen, by its name: an attack differentiates the `soft` views, the `real` are verified.

    Real views can be differentiated too: the search for a rounding asks for gradients there. `weight` is how many
    pictures of the upload's size they hold at once.
    """

    name: str
    soft: tuple[View, ...]
    real: tuple[View, ...]
    weight: float = 1.0


@dataclass(frozen=True)
class Resized:
    """A view: the pictures resized in float with antialiasing, `bilinear` or `bicubic`."""

    scale: float
    kernel: str

    def __call__(self, pictures: Pictures) -> Resizes:
        size = _resized_size(pictures, self.scale)
        resized: Tensor = resize(pictures, list(size), InterpolationMode(self.kernel), antialias=True)
        return resized.clamp(0, 1)  # bicubic overshoots


@dataclass(frozen=True)
class ResizedFile:
    """A view: the pictures, rounded, resized by Pillow to 8 bits, `bilinear`, `bicubic` or `lanczos`.

    The gradient is that of `Resized`; Lanczos' kernel is nearly the bicubic one.
    """

    scale: float
    kernel: str

    def __call__(self, pictures: Pictures) -> Resizes:
        height, width = _resized_size(pictures, self.scale)
        kernel = Image.Resampling[self.kernel.upper()]
        images = (Image.fromarray(levels.permute(1, 2, 0).cpu().numpy()) for levels in to_levels(pictures))
        arrays = np.stack([np.asarray(image.resize((width, height), kernel)) for image in images])
        read = to_float(torch.from_numpy(arrays).permute(0, 3, 1, 2).contiguous()).to(pictures.device)
        if not pictures.requires_grad:
            return read
        soft = Resized(self.scale, "bilinear" if self.kernel == "bilinear" else "bicubic")(pictures)
        return read + (soft - soft.detach())


def _resized_size(pictures: Pictures, scale: float) -> tuple[int, int]:
    height, width = (max(1, round(side * scale)) for side in pictures.shape[2:])
    if height * width > MAX_PIXELS:
        raise BadSurvival(
            f"resize:{scale:g} gives {width} x {height} pixels; the limit is {MAX_PIXELS:,}: resize by less"
        )
    return height, width


def parse_survive(text: str) -> tuple[Survival, ...]:
    """What `text` names, each once: "png" or "none", which add nothing since the file itself is always verified,
    "jpeg:Q" (quality 1 to 100) and "resize:S" (by a factor of 0.1 to 4), several joined by commas.

    Raises BadSurvival.
    """
    named = {name.strip().lower(): None for name in text.split(",")}
    found = {survival.name: survival for name in named for survival in _survivals(name, text)}
    if len(found) > MOST:
        raise BadSurvival(f"survive: at most {MOST} at once, not {len(found)}: leave some out")
    return tuple(found.values())


def _survivals(name: str, text: str) -> tuple[Survival, ...]:
    if name in ("png", "none"):
        return ()
    # Plain digits alone: int() and float() read much else, "7_5" and "nan" among it.
    if (match := re.fullmatch(r"jpeg:([0-9]{1,3})", name)) and 1 <= (quality := int(match[1])) <= 100:
        view = Jpeg(quality)
        return (Survival(f"jpeg:{quality}", (view,), (view,)),)
    if match := re.fullmatch(r"resize:([0-9]?\.?[0-9]{1,6})", name):
        scale = float(match[1])
        if LEAST_SCALE <= scale <= MOST_SCALE:
            return (_resizing(scale),)
    raise BadSurvival(
        "survive takes png, none, jpeg:Q (Q from 1 to 100) and resize:S (S from 0.1 to 4), joined by commas,"
        f" not {text[:100]!r}"
    )


def _resizing(scale: float) -> Survival:
    """Of whoever resizes the kernel is not known: each has a view (Athalye et al. 2018, arxiv.org/abs/1707.07397)."""
    soft = tuple(Resized(scale, kernel) for kernel in ("bilinear", "bicubic"))
    real = tuple(ResizedFile(scale, kernel) for kernel in ("bilinear", "bicubic", "lanczos"))
    return Survival(f"resize:{scale:g}", soft, real, weight=len(real) * scale**2)


def rounded(pictures: Tensor) -> Tensor:
    """Rounding to the lattice, its gradient carried straight through (Bengio et al. 2013, arxiv.org/abs/1308.3432)."""
    return pictures + (to_lattice(pictures) - pictures).detach()


def views(
    survive: tuple[Survival, ...], *, real: bool, jpeg: int | None = None, in_levels: bool = False
) -> tuple[View, ...]:
    """Through what the picture must fool the model: the file itself, and then that after each thing that may happen.

    The file is a JPEG of the quality `jpeg`, or holds the picture as it is, `in_levels` where it is to be rounded. None
    where the picture alone is looked at as it is.
    """
    others = tuple(view for each in survive for view in (each.real if real else each.soft))
    if jpeg is not None:
        file = Jpeg(jpeg)
        return (file, *(partial(_one_after_other, file, each) for each in others))
    itself = (_as_it_is, *others) if others else ()
    return of_rounded(itself) if in_levels else itself


def of_rounded(views: tuple[View, ...]) -> tuple[View, ...]:
    """Each of the views of the rounded picture; where there is none, that itself."""
    return tuple(partial(_one_after_other, rounded, each) for each in views) or (rounded,)


def _one_after_other(first: View, second: View, pictures: Tensor) -> Tensor:
    return second(first(pictures))


def _as_it_is(pictures: Tensor) -> Tensor:
    return pictures
