"""Families of views: changes of a picture under which a person still recognises it, and a network should too."""

import math
from collections.abc import Callable, Mapping

import torch
from jaxtyping import Float, UInt8
from torch import Tensor
from torch.nn.functional import pad

from models.ideal.crops import random_crops
from models.pictures import decode, encode
from models.preprocessing import preprocess, to_float
from models.resampling import gaussian_blur, resize
from models.spec import Spec

REFERENCE = 224
"""Side in pixels of the pictures for which the sizes of shifts and blurs hold; they scale with the picture's side."""
SEED = 2017
"""Seed of the crops and the noise."""
MOST_VIEWS = 24
"""Largest number of views in a family, that of `crops`."""

Levels = UInt8[Tensor, "3 h w"]
Views = Float[Tensor, "n 3 i j"]


def crops(picture: Levels, spec: Spec) -> Views:
    """24 random crops with 0.6 to 1 times the side, rotated by up to 15 degrees, half of them mirrored."""
    return random_crops(_batch(picture), MOST_VIEWS, spec, _random(), smallest=0.6, largest=1.0, turn=15.0)


def shifts(picture: Levels, spec: Spec) -> Views:
    """The picture shifted by 24 pixels in each of 8 directions, reflected at its edge."""
    distance = max(1, round(24 * picture.shape[-1] / REFERENCE))
    padded = pad(_batch(picture), [distance] * 4, mode="reflect")
    height, width = picture.shape[1:]
    views = []
    for eighth in range(8):
        down, across = (round(distance * turn(eighth * math.pi / 4)) for turn in (math.sin, math.cos))
        top, left = distance + down, distance + across
        views.append(preprocess(padded[..., top : top + height, left : left + width], spec))
    return torch.cat(views)


def blurs(picture: Levels, spec: Spec) -> Views:
    """The picture under Gaussian blur with a standard deviation of 1, 1.5 and 2 pixels."""
    views = []
    for sigma in (1.0, 1.5, 2.0):
        scaled = sigma * picture.shape[-1] / REFERENCE
        views.append(preprocess(gaussian_blur(_batch(picture), scaled), spec))
    return torch.cat(views)


def jpegs(picture: Levels, spec: Spec) -> Views:
    """The picture saved as a JPEG of quality 75, 50 and 25."""
    files = [encode(picture, format="jpeg", quality=quality) for quality in (75, 50, 25)]
    return torch.cat([preprocess(_batch(decode(file).to(picture.device)), spec) for file in files])


def noises(picture: Levels, spec: Spec) -> Views:
    """The picture with Gaussian noise of standard deviation 0.05 and 0.1, with pixel values from 0 to 1."""
    batch, random = _batch(picture), _random()
    noisy = [batch + scale * torch.randn(batch.shape, generator=random).to(batch.device) for scale in (0.05, 0.1)]
    return torch.cat([preprocess(view.clamp(0, 1), spec) for view in noisy])


def halves(picture: Levels, spec: Spec) -> Views:
    """The picture resized to half its resolution and back."""
    height, width = picture.shape[1:]
    small = resize(_batch(picture), [max(1, height // 2), max(1, width // 2)])
    return preprocess(resize(small, [height, width]), spec)


FAMILIES: Mapping[str, Callable[[Levels, Spec], Views]] = {
    "crops": crops,
    "shifts": shifts,
    "blur": blurs,
    "jpeg": jpegs,
    "noise": noises,
    "half": halves,
}
"""The families by name."""


def _batch(picture: Levels) -> Float[Tensor, "1 3 h w"]:
    return to_float(picture).unsqueeze(0)


def _random() -> torch.Generator:
    """A new generator with the same seed for every picture, so that a score depends on the picture alone."""
    return torch.Generator().manual_seed(SEED)
