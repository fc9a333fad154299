"""Antialiased resizing and Gaussian blur of tensors; differentiable.

They give what torchvision's functions of these names give. Importing torchvision itself takes over a second and 160 MB,
since it imports PyTorch's compiler (docs/decisions/0042).
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import conv2d, interpolate, pad


def resize(pixels: Tensor, size: Sequence[int], kernel: str = "bilinear") -> Tensor:
    """Resize pixels [..., c, h, w] to `size` (height, width) with antialiasing; `kernel` is `bilinear` or `bicubic`.

    Bicubic interpolation may leave [0, 1].
    """
    if pixels.shape[-2:] == tuple(size):
        return pixels
    batch = pixels.reshape(-1, *pixels.shape[-3:])
    resized = interpolate(batch, size=tuple(size), mode=kernel, align_corners=False, antialias=True)
    return resized.reshape(*pixels.shape[:-2], *size)


def gaussian_blur(pixels: Tensor, sigma: float) -> Tensor:
    """Blur pixels [..., c, h, w] with a standard deviation of `sigma` pixels; beyond the edge they are reflected."""
    reach = math.ceil(3 * sigma)
    distance = torch.arange(-reach, reach + 1, dtype=pixels.dtype, device=pixels.device)
    line = torch.softmax(-((distance / sigma) ** 2) / 2, dim=0)
    channels = pixels.shape[-3]
    weight = torch.outer(line, line).expand(channels, 1, -1, -1)
    batch = pad(pixels.reshape(-1, *pixels.shape[-3:]), [reach] * 4, mode="reflect")
    return conv2d(batch, weight, groups=channels).reshape(pixels.shape)
