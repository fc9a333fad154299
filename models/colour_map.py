"""Values as colours of the perceptually uniform colour map `inferno`, from black to yellow."""

from functools import lru_cache

import numpy as np
import torch
from jaxtyping import Float, UInt8
from numpy.typing import NDArray
from torch import Tensor


def coloured(values: Float[Tensor, "h w"]) -> UInt8[Tensor, "3 h w"]:
    """The colours of values in [0, 1], from black for 0 to yellow for 1; values outside are clamped."""
    levels = (values.cpu().clamp(0, 1) * 255).round().to(torch.uint8)
    return torch.from_numpy(_colours()[levels.numpy()]).permute(2, 0, 1).contiguous()


@lru_cache(maxsize=1)
def _colours() -> NDArray[np.uint8]:
    import matplotlib  # late: most requests draw nothing (docs/decisions/0042)

    return np.asarray(matplotlib.colormaps["inferno"](np.arange(256), bytes=True)[:, :3])
