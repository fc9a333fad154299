"""Drawing a heat map over its photo."""

from jaxtyping import Float, UInt8
from torch import Tensor

from models.colour_map import coloured
from models.preprocessing import input_sides, to_float, to_levels
from models.resampling import resize
from models.resize import Side
from models.spec import Spec

MOST_SIDE = 1600
"""Largest length of the longer side in pixels; a larger photo is reduced."""
MOST_OPAQUE = 0.8
"""Opacity of the colours where the heat is 1."""
UNSEEN = 0.35
"""Brightness of the photo outside the centre crop, which the network does not see."""


def overlay(picture: UInt8[Tensor, "3 h w"], heat: Float[Tensor, "i j"], spec: Spec) -> UInt8[Tensor, "3 height width"]:
    """The photo in grey, with the heat map over the part that the network sees.

    `heat` is in [0, 1] at the size of the network's input, and 0 is transparent.
    """
    picture = _bounded(picture)
    height, width = picture.shape[1:]
    red, green, blue = to_float(picture)
    grey = (0.299 * red + 0.587 * green + 0.114 * blue).expand(3, -1, -1)
    sides = input_sides((height, width), spec)
    shown = tuple(slice(*side.inside) for side in sides)
    (top, bottom), (left, right) = (_whole_pixels(side) for side in sides)
    resized = resize(heat[shown].unsqueeze(0), [bottom - top, right - left])[0].clamp(0, 1)
    inside = grey[:, top:bottom, left:right]
    result = UNSEEN * grey
    opacity = MOST_OPAQUE * resized
    colours = to_float(coloured(resized)).to(grey.device)
    result[:, top:bottom, left:right] = (1 - opacity) * inside + opacity * colours
    return to_levels(result)


def _whole_pixels(side: Side) -> tuple[int, int]:
    """The pixels of the photo between which the network sees it; at least one."""
    begin, end = side.seen
    length = max(1, round(end - begin))
    first = min(max(0, round((begin + end - length) / 2)), side.length - length)
    return first, first + length


def _bounded(picture: UInt8[Tensor, "3 h w"]) -> UInt8[Tensor, "3 height width"]:
    height, width = picture.shape[1:]
    scale = MOST_SIDE / max(height, width)
    if scale >= 1:
        return picture
    size = [max(1, round(height * scale)), max(1, round(width * scale))]
    return to_levels(resize(to_float(picture), size))
