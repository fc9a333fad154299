"""What a JPEG file does to a picture: the values of the real encoder, with gradients by soft rounding.

Shin & Song 2017, "JPEG-resistant adversarial images" (NIPS workshop on machine learning and computer security).
"""

import math
from dataclasses import dataclass
from functools import lru_cache

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import avg_pool2d, conv2d, conv_transpose2d, interpolate, pad

from models.attacks.geometry import Pictures
from models.pictures import decode, encode
from models.preprocessing import to_float, to_levels

# Quantisation tables of ITU-T T.81, K.1 and K.2, row by row.
LUMINANCE = (
    *(16, 11, 10, 16, 24, 40, 51, 61),
    *(12, 12, 14, 19, 26, 58, 60, 55),
    *(14, 13, 16, 24, 40, 57, 69, 56),
    *(14, 17, 22, 29, 51, 87, 80, 62),
    *(18, 22, 37, 56, 68, 109, 103, 77),
    *(24, 35, 55, 64, 81, 104, 113, 92),
    *(49, 64, 78, 87, 103, 121, 120, 101),
    *(72, 92, 95, 98, 112, 100, 103, 99),
)
CHROMINANCE = (
    *(17, 18, 24, 47, 99, 99, 99, 99),
    *(18, 21, 26, 66, 99, 99, 99, 99),
    *(24, 26, 56, 99, 99, 99, 99, 99),
    *(47, 66, 99, 99, 99, 99, 99, 99),
    *(99,) * 32,
)
# From RGB to the rows Y, Cb, Cr (ITU-T T.871, JFIF). JPEG adds 128 to Cb and Cr and subtracts it again before the DCT,
# so it is left out here.
YCBCR = ((0.299, 0.587, 0.114), (-0.168735892, -0.331264108, 0.5), (0.5, -0.418687589, -0.081312411))


@dataclass(frozen=True)
class Jpeg:
    """A view: the pictures, rounded, written as JPEG of a quality from 1 to 100 and read again.

    The values are those of the real encoder (Pillow, chroma at half the resolution), bit for bit; the gradients are
    those of `approximate`.
    """

    quality: int

    def __call__(self, pictures: Pictures) -> Pictures:
        files = (encode(levels, format="jpeg", quality=self.quality) for levels in to_levels(pictures))
        read = to_float(torch.stack([decode(file) for file in files])).to(pictures.device)
        if not pictures.requires_grad:
            return read
        # Passing the gradient straight through is weaker. Measured on eight photos of 320 x 427 on average,
        # MobileNetV2, pgd of 40 steps within 2/255 towards another class, quality 75: straight through the whole JPEG
        # it wins on 7, with a lead of 3.7 logits in the JPEG; straight through its rounding alone on 7, with 4.1; this
        # on 8, with 6.3. A step takes a fifth longer.
        soft = approximate(pictures, self.quality)
        return read + (soft - soft.detach())


def approximate(pictures: Pictures, quality: int) -> Pictures:
    """JPEG in float, differentiable everywhere, since its coefficients are rounded softly."""
    height, width = pictures.shape[2:]
    padded = pad(pictures, (0, -width % 16, 0, -height % 16), mode="replicate")
    matrix = pictures.new_tensor(YCBCR)
    luma, chroma = (255 * torch.einsum("cd,ndhw->nchw", matrix, padded)).split((1, 2), dim=1)
    luma = _quantised(luma - 128, LUMINANCE, quality) + 128
    # The decoder's smooth upsampling, weights 3/4 and 1/4, is bilinear interpolation.
    chroma = interpolate(_quantised(avg_pool2d(chroma, 2), CHROMINANCE, quality), scale_factor=2, mode="bilinear")
    decoded = torch.einsum("cd,ndhw->nchw", torch.linalg.inv(matrix), torch.cat([luma, chroma], dim=1))
    return (decoded[..., :height, :width] / 255).clamp(0, 1)


def soft_round(values: Tensor) -> Tensor:
    """round(x) + (x - round(x))^3: within 1/8 of rounding, with a gradient that is 0 only at whole numbers."""
    whole = values.detach().round()
    return whole + (values - whole) ** 3


def _quantised(channels: Float[Tensor, "n c h w"], table: tuple[int, ...], quality: int) -> Float[Tensor, "n c h w"]:
    """Each channel after its 8 x 8 blocks' DCT coefficients are softly rounded to multiples of the table's steps."""
    steps = _steps(table, quality).to(channels.device)
    basis = _cosines().to(channels.device)
    planes = channels.flatten(0, 1).unsqueeze(1)
    coefficients = conv2d(planes, basis, stride=8)
    rounded = steps * soft_round(coefficients / steps)
    return conv_transpose2d(rounded, basis, stride=8).reshape(channels.shape)


@lru_cache(maxsize=256)
def _steps(table: tuple[int, ...], quality: int) -> Float[Tensor, "1 64 1 1"]:
    """The table for a quality, scaled as by the Independent JPEG Group's encoder, which all others follow."""
    percent = 5000 // quality if quality < 50 else 200 - 2 * quality
    steps = [min(max((step * percent + 50) // 100, 1), 255) for step in table]
    return torch.tensor(steps, dtype=torch.float32).reshape(1, 64, 1, 1)


@lru_cache(maxsize=1)
def _cosines() -> Float[Tensor, "64 1 8 8"]:
    """The orthonormal DCT of 8 x 8 values as 64 filters; its transpose is its inverse."""
    frequency = torch.arange(8, dtype=torch.float64)
    wave = torch.cos(math.pi / 8 * (frequency + 0.5) * frequency.unsqueeze(1)) / 2
    wave[0] /= math.sqrt(2)
    return torch.einsum("ux,vy->uvxy", wave, wave).reshape(64, 1, 8, 8).to(torch.float32)
