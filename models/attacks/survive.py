"""What may happen to the returned file before the model sees it (JPEG, resizing), and must not undo the attack."""

import re
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from jaxtyping import Float
from PIL import Image
from torch import Tensor

from models.attacks.geometry import Pictures
from models.attacks.goal import View
from models.attacks.jpeg import Jpeg
from models.pictures import MAX_PIXELS
from models.preprocessing import to_float, to_levels
from models.resampling import resize

Resizes = Float[Tensor, "n 3 resized_h resized_w"]

MOST = 5
"""Largest number of survivals of one attack: every view is one more pass of the network per step."""
LEAST_SCALE, MOST_SCALE = 0.1, 4.0
"""Smallest and largest factor by which a file can be resized."""


class BadSurvival(ValueError):
    """A survival that does not exist, or too many of them; the message says what is allowed."""


@dataclass(frozen=True)
class Survival:
    """One thing that may happen to the file: an attack differentiates the `soft` views, the `real` ones are verified.

    Real views can be differentiated too: the search for a rounding asks for gradients there. `weight` is how many
    pictures of the upload's size the views hold at once. `jpeg_quality` is that of a JPEG, None for anything else.
    """

    name: str
    soft: tuple[View, ...]
    real: tuple[View, ...]
    weight: float = 1.0
    jpeg_quality: int | None = None

    @staticmethod
    def png() -> "Survival":
        """The file itself, if it is lossless (PNG or WebP): no view is needed besides the picture's own."""
        return Survival("png", (), (), weight=0.0)

    @staticmethod
    def jpeg(quality: int) -> "Survival":
        """Written as a JPEG of a quality from 1 to 100, and read again."""
        view = Jpeg(quality)
        return Survival(f"jpeg:{quality}", (view,), (view,), jpeg_quality=quality)

    @staticmethod
    def resize(scale: float) -> "Survival":
        """Resized by a factor, with each kernel that may be used (Athalye et al. 2018, arxiv.org/abs/1707.07397)."""
        soft = tuple(Resized(scale, kernel) for kernel in ("bilinear", "bicubic"))
        real = tuple(ResizedFile(scale, kernel) for kernel in ("bilinear", "bicubic", "lanczos"))
        return Survival(f"resize:{scale:g}", soft, real, weight=len(real) * scale**2)


@dataclass(frozen=True)
class Resized:
    """A view: the pictures resized in float with antialiasing, `bilinear` or `bicubic`."""

    scale: float
    kernel: str

    def __call__(self, pictures: Pictures) -> Resizes:
        size = _resized_size(pictures, self.scale)
        return resize(pictures, size, self.kernel).clamp(0, 1)  # bicubic overshoots


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
    """The survivals that `text` names, joined by commas; each is returned once.

    "jpeg:Q" (quality 1 to 100), "resize:S" (by a factor of 0.1 to 4), and "png" or "none", which add nothing since the
    file itself is always verified. Raises BadSurvival.
    """
    names = {name.strip().lower(): None for name in text.split(",")}
    survivals = {survival.name: survival for name in names for survival in _parse_name(name, text)}
    if len(survivals) > MOST:
        raise BadSurvival(f"survive: at most {MOST} at once, not {len(survivals)}: leave some out")
    return tuple(survivals.values())


def _parse_name(name: str, text: str) -> tuple[Survival, ...]:
    if name in ("png", "none"):
        return ()
    # Only plain digits: int() and float() would also read "7_5" and "nan".
    if (match := re.fullmatch(r"jpeg:([0-9]{1,3})", name)) and 1 <= (quality := int(match[1])) <= 100:
        return (Survival.jpeg(quality),)
    if match := re.fullmatch(r"resize:([0-9]?\.?[0-9]{1,6})", name):
        scale = float(match[1])
        if LEAST_SCALE <= scale <= MOST_SCALE:
            return (Survival.resize(scale),)
    raise BadSurvival(
        "survive takes png, none, jpeg:Q (Q from 1 to 100) and resize:S (S from 0.1 to 4), joined by commas,"
        f" not {text[:100]!r}"
    )


def views(survive: tuple[Survival, ...], *, real: bool, jpeg: int | None = None) -> tuple[View, ...]:
    """The views in which the goal must win: the file as it is sent, and the file after each of `survive`.

    The file is a JPEG of the quality `jpeg`, or lossless. Empty if only the picture itself is looked at.
    """
    after_file = tuple(view for survival in survive for view in (survival.real if real else survival.soft))
    if jpeg is not None:
        file = Jpeg(jpeg)
        return (file, *(partial(_chain, file, view) for view in after_file))
    return (_unchanged, *after_file) if after_file else ()


def _chain(first: View, second: View, pictures: Tensor) -> Tensor:
    return second(first(pictures))


def _unchanged(pictures: Tensor) -> Tensor:
    return pictures
