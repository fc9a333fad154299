"""Ways to look at a picture that a person would not mind: what still shows under all of them is no accident."""

import math
from collections.abc import Callable, Mapping

import torch
from jaxtyping import Float, UInt8
from torch import Tensor
from torchvision.transforms.v2 import functional

from models.ideal.crops import random_crops
from models.pictures import decode, encode
from models.preprocessing import preprocess, to_float
from models.spec import Spec

REFERENCE = 224
"""The side, in pixels, of which shifts and blurs are told; they grow and shrink with the picture."""
SEED = 2017
MOST_VIEWS = 24
"""Of a family: its crops."""

Levels = UInt8[Tensor, "3 h w"]
Views = Float[Tensor, "n 3 s s"]


def crops(picture: Levels, spec: Spec) -> Views:
    """24 crops of 0.6 to 1 of the side, turned by up to 15 degrees, half of them mirrored."""
    return random_crops(_batch(picture), MOST_VIEWS, spec.input_size, _random(), smallest=0.6, largest=1.0, turn=15.0)


def shifts(picture: Levels, spec: Spec) -> Views:
    """Moved by 24 pixels in each of 8 directions; the edge that comes in is reflected."""
    far = max(1, round(24 * picture.shape[-1] / REFERENCE))
    wide = functional.pad(_batch(picture), [far] * 4, padding_mode="reflect")
    height, width = picture.shape[1:]
    found = []
    for eighth in range(8):
        down, across = (round(far * turn(eighth * math.pi / 4)) for turn in (math.sin, math.cos))
        moved = wide[..., far + down : far + down + height, far + across : far + across + width]
        found.append(preprocess(moved, spec))
    return torch.cat(found)


def blurs(picture: Levels, spec: Spec) -> Views:
    """Gaussian blur of sigma 1, 1.5 and 2 pixels."""
    found = []
    for sigma in (1.0, 1.5, 2.0):
        scaled = sigma * picture.shape[-1] / REFERENCE
        kernel = 2 * math.ceil(3 * scaled) + 1
        found.append(preprocess(functional.gaussian_blur(_batch(picture), [kernel] * 2, [scaled] * 2), spec))
    return torch.cat(found)


def jpegs(picture: Levels, spec: Spec) -> Views:
    """Saved as a JPEG of quality 75, 50 and 25."""
    files = [encode(picture, format="jpeg", quality=quality) for quality in (75, 50, 25)]
    return torch.cat([preprocess(_batch(decode(file).to(picture.device)), spec) for file in files])


def noises(picture: Levels, spec: Spec) -> Views:
    """Gaussian noise of standard deviation 0.05 and 0.1 on every value in [0, 1]."""
    batch, random = _batch(picture), _random()
    moved = [batch + scale * torch.randn(batch.shape, generator=random).to(batch.device) for scale in (0.05, 0.1)]
    return torch.cat([preprocess(each.clamp(0, 1), spec) for each in moved])


def halves(picture: Levels, spec: Spec) -> Views:
    """At half its resolution, and back."""
    small = functional.resize(_batch(picture), [max(1, picture.shape[-1] // 2)], antialias=True)
    return preprocess(functional.resize(small, list(picture.shape[1:]), antialias=True), spec)


FAMILIES: Mapping[str, Callable[[Levels, Spec], Views]] = {
    "crops": crops,
    "shifts": shifts,
    "blur": blurs,
    "jpeg": jpegs,
    "noise": noises,
    "half": halves,
}


def _batch(picture: Levels) -> Float[Tensor, "1 3 h w"]:
    return to_float(picture).unsqueeze(0)


def _random() -> torch.Generator:
    """The same for every picture, so that a score is a function of the picture alone."""
    return torch.Generator().manual_seed(SEED)
