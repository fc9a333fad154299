"""Small copies of pictures, for previews and films."""

from jaxtyping import Float, UInt8
from torch import Tensor

from models.preprocessing import to_levels
from models.resampling import resize


def thumbnail(picture: Float[Tensor, "3 h w"], side: int) -> UInt8[Tensor, "3 height width"]:
    """`reduced` as 8-bit levels, for a picture in [0, 1]."""
    return to_levels(reduced(picture, side))


def reduced(picture: Float[Tensor, "3 h w"], side: int) -> Float[Tensor, "3 height width"]:
    """The picture reduced so that its longer side has at most `side` pixels; a smaller picture is returned itself."""
    height, width = picture.shape[1:]
    scale = min(1.0, side / max(height, width))
    size = [max(1, round(height * scale)), max(1, round(width * scale))]
    return resize(picture, size)
