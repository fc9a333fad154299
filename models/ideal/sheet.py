"""Several pictures of one size in one."""

import math
from collections.abc import Sequence

import torch
from jaxtyping import Shaped
from torch import Tensor

GAP = 4
WHITE = {torch.uint8: 255, torch.float32: 1}


def tile(pictures: Sequence[Shaped[Tensor, "3 h w"]]) -> Shaped[Tensor, "3 height width"]:
    """Pictures in rows, nearly as many as in each, GAP white pixels between them; a lone one as it is."""
    columns = math.ceil(math.sqrt(len(pictures)))
    rows = math.ceil(len(pictures) / columns)
    height, width = pictures[0].shape[1:]
    white = WHITE[pictures[0].dtype]
    sheet = pictures[0].new_full((3, rows * (height + GAP) - GAP, columns * (width + GAP) - GAP), white)
    for number, picture in enumerate(pictures):
        top, left = number // columns * (height + GAP), number % columns * (width + GAP)
        sheet[:, top : top + height, left : left + width] = picture
    return sheet
