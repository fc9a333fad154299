"""Values as pictures: in the colours of a perceptually uniform colour map, or a change in levels around grey."""

from functools import cache
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float, UInt8
from numpy.typing import NDArray
from torch import Tensor

from models.palettes import INFERNO, VIRIDIS
from models.preprocessing import to_levels

Palette = Literal["inferno", "viridis"]
TABLES: dict[Palette, str] = {"inferno": INFERNO, "viridis": VIRIDIS}
"""The colours of each palette, as hexadecimal digits."""


def coloured(values: Float[Tensor, "h w"], palette: Palette = "inferno") -> UInt8[Tensor, "3 h w"]:
    """The colours of values in [0, 1], from dark for 0 to yellow for 1; values outside are clamped."""
    levels = (values.cpu().clamp(0, 1) * 255).round().to(torch.uint8)
    return torch.from_numpy(_colours(palette)[levels.numpy()]).permute(2, 0, 1).contiguous()


@cache
def _colours(palette: Palette) -> NDArray[np.uint8]:
    return np.frombuffer(bytes.fromhex(TABLES[palette]), dtype=np.uint8).reshape(256, 3)


def amplified(change: Float[Tensor, "3 h w"]) -> UInt8[Tensor, "3 h w"]:
    """A change of pixel values around mid-grey (level 128), its largest absolute value at level 0 or 255.

    All is mid-grey if nothing changed. Does not wait for the device.
    """
    largest = change.abs().amax().clamp(min=torch.finfo(change.dtype).tiny)
    return to_levels(0.5 + change / largest / 2)
