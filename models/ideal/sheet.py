"""Several pictures of one size tiled into one."""

import math
from collections.abc import Sequence

import torch
from jaxtyping import Shaped
from torch import Tensor

GAP = 4
"""Width in pixels of the white space between tiles."""
WHITE = {torch.uint8: 255, torch.float32: 1}
"""The value of white by the type of the pictures."""


def tile(pictures: Sequence[Shaped[Tensor, "3 h w"]]) -> Shaped[Tensor, "3 height width"]:
    """The pictures in a grid with about as many rows as columns, GAP white pixels apart; a single picture unchanged."""
    columns = math.ceil(math.sqrt(len(pictures)))
    rows = math.ceil(len(pictures) / columns)
    height, width = pictures[0].shape[1:]
    white = WHITE[pictures[0].dtype]
    sheet = pictures[0].new_full((3, rows * (height + GAP) - GAP, columns * (width + GAP) - GAP), white)
    for number, picture in enumerate(pictures):
        top, left = number // columns * (height + GAP), number % columns * (width + GAP)
        sheet[:, top : top + height, left : left + width] = picture
    return sheet
