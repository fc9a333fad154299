"""Decoding picture files, which may come from anywhere, to 8-bit levels; without PyTorch, so that any process may."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from models.decoding import limits, rendering, tiff, wide
from models.decoding.errors import BrokenPicture, PictureError
from models.decoding.kinds import kind_of
from models.decoding.opening import open_picture
from models.decoding.trimming import stated_size, trimmed

MAX_PIXELS = 25_000_000
"""Largest number of pixels of a picture that is decoded, unless the caller sets another limit."""
Admit = Callable[[int], None]
"""Called once, when the header was checked and before the pixels are decoded, with the number of pixels that will be in
memory. It may wait until there is room for them, or raise an error to refuse the picture."""


@dataclass(frozen=True)
class Levels:
    """A decoded picture: its upright RGB levels, and format and size of the file.

    `width` and `height` are the size in pixels of the upright picture in the file. `values` has fewer pixels if the
    picture was reduced.
    """

    values: UInt8[np.ndarray, "3 h w"]
    format: str
    width: int
    height: int


def read_levels(
    data: bytes,
    *,
    max_pixels: int = MAX_PIXELS,
    reduce_above: int | None = None,
    shorter: int | None = None,
    limit_name: str = "",
    admit: Admit | None = None,
) -> Levels:
    """Decode a picture file to RGB levels from 0 to 255, upright according to its EXIF.

    Transparent parts are laid on white, CMYK and palettes are converted, and of an animation the first frame is taken.
    16-bit and floating-point samples are scaled to 8 bits if it is certain which number is white
    (docs/decisions/0030-numbers-that-are-no-levels.md). Colour profiles are not applied, as in torchvision's loaders.

    A picture of more than `reduce_above` pixels is reduced to no more: a JPEG is decoded at 1/2, 1/4 or 1/8 of its
    width and height, and after decoding both sides are divided by a whole number. With `shorter`, a JPEG alone is
    decoded at such a scale, one that leaves its shorter side at least that many pixels and divides both sides.

    Size and shape are checked in the header, before any pixel is decoded. `limit_name` is the setting that raises
    `max_pixels`, for the message. Raises NotAPicture, BrokenPicture (and its subclass UnclearLevels), PictureTooLarge,
    and what `admit` raises.
    """
    kind = kind_of(data)
    limits.allow(max_pixels)
    if kind == "PPM":
        return _netpbm(data, max_pixels, reduce_above, limit_name, admit)
    if (size := stated_size(data, kind)) is not None:
        limits.check_shape(*size, max_pixels, limit_name)
    stripped = trimmed(data, kind)
    image = open_picture(stripped, kind, limit_name)
    limits.check_shape(image.width, image.height, max_pixels, limit_name)
    if kind == "TIFF":
        tiff.check(getattr(image, "tag_v2", {}), max_pixels)
    width, height = image.size
    rendering.draft(image, reduce_above)
    rendering.draft_to(image, shorter)
    if admit is not None:
        # A progressive JPEG is held whole, also where it is decoded at a smaller scale.
        admit(width * height if "progressive" in image.info else image.width * image.height)
    raw, stated = wide.raw_mode(image), image.size
    try:
        image.load()
        _check_decoded(image, stated)
        turn = rendering.turn_of(image)
        numbers = wide.numbers_of(image, raw, stripped, kind)
        levels = rendering.render(
            rendering.without_empty_alpha(image) if numbers is None else numbers, turn, reduce_above
        )
    except (PictureError, MemoryError):
        raise
    except Exception as error:  # Pillow's decoders raise nearly anything on hostile bytes.
        raise BrokenPicture(f"the {image.format} picture cannot be decoded ({error})", "send it whole") from error
    if rendering.swaps_sides(turn):
        width, height = height, width
    return Levels(_channels_first(levels), image.format or kind, width, height)


def _check_decoded(image: Image.Image, stated: tuple[int, int]) -> None:
    """Raise BrokenPicture if other pixels were decoded than the header states: only these were admitted.

    libheif leaves out one side of a crop (`clap`) that is no size of a picture.
    """
    if image.size != stated:
        raise BrokenPicture(
            f"the {image.format} picture states {stated[0]} x {stated[1]} pixels, and has {image.width} x "
            f"{image.height}",
            "save it again",
        )


def _netpbm(data: bytes, max_pixels: int, reduce_above: int | None, limit_name: str, admit: Admit | None) -> Levels:
    header, numbers = wide.of_netpbm(data)
    limits.check_shape(header.width, header.height, max_pixels, limit_name)
    if admit is not None:
        admit(header.width * header.height)
    levels = rendering.render(numbers(), None, reduce_above)
    return Levels(_channels_first(levels), "PPM", header.width, header.height)


def _channels_first(levels: UInt8[np.ndarray, "h w 3"]) -> UInt8[np.ndarray, "3 h w"]:
    return np.ascontiguousarray(levels.transpose(2, 0, 1))
