"""What the format of the returned file means for an attack: the quality of a JPEG, and the largest WebP."""

from collections.abc import Sequence

from torch import Tensor

from models.attacks.survive import Survival
from models.pictures import JPEG_QUALITY, WEBP_SIDE, PictureTooLarge


def jpeg_quality(survive: Sequence[Survival]) -> int:
    """The quality of the first JPEG that the result is to survive, else the default; from 1 to 100."""
    qualities = (survival.jpeg_quality for survival in survive)
    return next((quality for quality in qualities if quality is not None), JPEG_QUALITY)


def check_webp_size(picture: Tensor) -> None:
    """Raise PictureTooLarge for a picture [3, h, w] that a WebP file cannot contain, before it is attacked."""
    longest = max(picture.shape)
    if longest > WEBP_SIDE:
        raise PictureTooLarge(
            f"a WebP file has at most {WEBP_SIDE:,} pixels a side, and the picture has {longest:,}: ask for image/png"
        )
