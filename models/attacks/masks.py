"""Where a picture may change: from a mask that a client uploads, or from a box given as four numbers."""

import re

import torch
from jaxtyping import Bool
from torch import Tensor

LIGHT = 128
"""Smallest mean value of a mask's pixel, of 255, at which the picture may change."""


class BadMask(ValueError):
    """A mask or box that does not fit the picture."""


def mask_of_picture(mask: Tensor, height: int, width: int) -> Bool[Tensor, "h w"]:
    """True where the uint8 mask [3, h, w] is light; raises BadMask if it has another size or is dark everywhere."""
    if mask.shape[1:] != (height, width):
        raise BadMask(
            f"mask: it has {mask.shape[2]} x {mask.shape[1]} pixels and the picture {width} x {height}: "
            "send one of the same size"
        )
    light = mask.float().mean(dim=0) >= LIGHT
    if not light.any():
        raise BadMask("mask: it is dark everywhere, so nothing may change: make light what may")
    return light


def mask_of_box(box: str, height: int, width: int) -> Bool[Tensor, "h w"]:
    """True inside `left,top,width,height` in pixels; raises BadMask if the text is no box within the picture."""
    if not (match := re.fullmatch(r"\s*([0-9]{1,6})" + r"\s*,\s*([0-9]{1,6})" * 3 + r"\s*", box)):
        raise BadMask(f"box must be left,top,width,height in pixels, like 40,30,200,150, not {box[:100]!r}")
    left, top, across, down = map(int, match.groups())
    if across < 1 or down < 1 or left + across > width or top + down > height:
        raise BadMask(f"box: {left},{top},{across},{down} does not lie in a picture of {width} x {height} pixels")
    mask = torch.zeros(height, width, dtype=torch.bool)
    mask[top : top + down, left : left + across] = True
    return mask
