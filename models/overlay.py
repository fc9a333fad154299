"""A heat map laid over the photo that it is of."""

from jaxtyping import Float, UInt8
from torch import Tensor
from torchvision.transforms.v2 import functional

from models.colour_map import coloured
from models.preprocessing import to_float, to_levels
from models.spec import Spec

MOST_SIDE = 1600
"""Pixels of the overlay's longer side: a larger photo is shown smaller."""
MOST_OPAQUE = 0.8
UNSEEN = 0.35
"""Brightness of what the network does not see, outside its centre crop."""


def overlay(picture: UInt8[Tensor, "3 h w"], heat: Float[Tensor, "s s"], spec: Spec) -> UInt8[Tensor, "3 height width"]:
    """The photo in grey under the heat, which is transparent where there is none."""
    picture = _bounded(picture)
    height, width = picture.shape[1:]
    grey = functional.rgb_to_grayscale(to_float(picture), num_output_channels=3)
    # The same centre crop as the preprocessing's, in the photo's own pixels.
    side = max(1, round(spec.input_size * min(height, width) / spec.resize))
    top, left = (height - side) // 2, (width - side) // 2
    spread = functional.resize(heat.unsqueeze(0), [side, side], antialias=True)[0].clamp(0, 1)
    inside = grey[:, top : top + side, left : left + side]
    shown = UNSEEN * grey
    opacity = MOST_OPAQUE * spread
    colours = to_float(coloured(spread)).to(grey.device)
    shown[:, top : top + side, left : left + side] = (1 - opacity) * inside + opacity * colours
    return to_levels(shown)


def _bounded(picture: UInt8[Tensor, "3 h w"]) -> UInt8[Tensor, "3 height width"]:
    height, width = picture.shape[1:]
    scale = MOST_SIDE / max(height, width)
    if scale >= 1:
        return picture
    size = [max(1, round(height * scale)), max(1, round(width * scale))]
    return to_levels(functional.resize(to_float(picture), size, antialias=True))
