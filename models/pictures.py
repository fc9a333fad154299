"""Decoding picture files, which may come from anywhere, to uint8 tensors, and encoding them."""

import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import UInt8
from PIL import Image, PngImagePlugin
from torch import Tensor

from models.decoding import limits, rendering, wide
from models.decoding.errors import BrokenPicture, NotAPicture, PictureError, PictureTooLarge, UnclearLevels
from models.decoding.kinds import FORMATS, READ, kind_of
from models.decoding.metadata import without_metadata
from models.decoding.opening import open_picture

__all__ = [
    "FORMATS",
    "JPEG_QUALITY",
    "MAX_PIXELS",
    "READ",
    "WEBP_SIDE",
    "BrokenPicture",
    "Decoded",
    "NotAPicture",
    "PictureError",
    "PictureTooLarge",
    "UnclearLevels",
    "decode",
    "encode",
    "inspect",
]

MAX_PIXELS = 25_000_000
"""Largest number of pixels of a picture that is decoded, unless the caller sets another limit."""
JPEG_QUALITY = 95
"""Quality of JPEG files that are written, from 1 to 100."""
WEBP_SIDE = 16_383
"""Largest width and height in pixels of a WebP file."""


@dataclass(frozen=True)
class Decoded:
    """A decoded picture: upright RGB levels, and format and size of the file.

    `width` and `height` are the size in pixels of the upright picture in the file. `pixels` is smaller if the picture
    was reduced.
    """

    pixels: UInt8[Tensor, "3 h w"]
    format: str
    width: int
    height: int


def decode(data: bytes, *, max_pixels: int = MAX_PIXELS, limit_name: str = "") -> UInt8[Tensor, "3 h w"]:
    """Decode a picture file to RGB levels from 0 to 255, upright according to its EXIF.

    Transparent parts are laid on white, CMYK and palettes are converted, and of an animation the first frame is taken.
    16-bit and floating-point samples are scaled to 8 bits if it is certain which number is white
    (docs/decisions/0030-numbers-that-are-no-levels.md). Colour profiles are not applied, as in torchvision's loaders.

    Size and shape are checked in the header, before any pixel is decoded. `limit_name` is the setting that raises
    `max_pixels`, for the message. Raises NotAPicture, BrokenPicture (and its subclass UnclearLevels), PictureTooLarge.
    """
    return inspect(data, max_pixels=max_pixels, limit_name=limit_name).pixels


def inspect(
    data: bytes,
    *,
    max_pixels: int = MAX_PIXELS,
    reduce_above: int | None = None,
    shorter: int | None = None,
    limit_name: str = "",
    admit: Callable[[int], None] | None = None,
) -> Decoded:
    """Decode a picture file as `decode` does, and return its true format too (a PNG may be named .jpg).

    A picture of more than `reduce_above` pixels is reduced to no more: a JPEG is decoded at 1/2, 1/4 or 1/8 of its
    width and height, and after decoding both sides are divided by a whole number. With `shorter`, a JPEG alone is
    decoded at such a scale, one that leaves its shorter side at least that many pixels and divides both sides.

    `admit` is called once, when the header was checked and before the pixels are decoded, with the number of pixels
    that will be in memory; it may wait until there is room for them.
    """
    kind = kind_of(data)
    limits.allow(max_pixels)
    if kind == "PPM":
        return _netpbm(data, max_pixels, reduce_above, limit_name, admit)
    stripped = without_metadata(data, kind)
    image = open_picture(stripped, kind, limit_name)
    limits.check_shape(image.width, image.height, max_pixels, limit_name)
    limits.check_cost(image, stripped, max_pixels)
    width, height = image.size
    rendering.draft(image, reduce_above)
    rendering.draft_to(image, shorter)
    if admit is not None:
        # A progressive JPEG is held whole, also where it is decoded at a smaller scale.
        admit(width * height if "progressive" in image.info else image.width * image.height)
    raw = wide.raw_mode(image)
    try:
        image.load()
        turn = rendering.turn_of(image)
        numbers = wide.numbers_of(image, raw, stripped, kind)
        levels = rendering.render(
            rendering.without_empty_alpha(image) if numbers is None else numbers, turn, reduce_above
        )
    except PictureError:
        raise
    except Exception as error:  # Pillow's decoders raise nearly anything on hostile bytes.
        raise BrokenPicture(f"the {image.format} picture cannot be decoded ({error})", "send it whole") from error
    if rendering.swaps_sides(turn):
        width, height = height, width
    return Decoded(_tensor(levels), image.format or kind, width, height)


def _netpbm(
    data: bytes, max_pixels: int, reduce_above: int | None, limit_name: str, admit: Callable[[int], None] | None
) -> Decoded:
    header, numbers = wide.of_netpbm(data)
    limits.check_shape(header.width, header.height, max_pixels, limit_name)
    if admit is not None:
        admit(header.width * header.height)
    levels = rendering.render(numbers(), None, reduce_above)
    return Decoded(_tensor(levels), "PPM", header.width, header.height)


def _tensor(levels: UInt8[np.ndarray, "h w 3"]) -> UInt8[Tensor, "3 h w"]:
    # NumPy copies on this thread alone: PyTorch would start further threads here, beside those of the network's pass.
    return torch.from_numpy(np.ascontiguousarray(levels.transpose(2, 0, 1)))


def encode(
    pixels: UInt8[Tensor, "3 h w"],
    *,
    format: str = "png",
    text: Mapping[str, str] | None = None,
    quality: int = JPEG_QUALITY,
) -> bytes:
    """Encode a picture as `png`, lossless `webp` or `jpeg`.

    `text` is written into text chunks of a PNG; `quality`, from 1 to 100, is that of a JPEG.
    """
    image = Image.fromarray(pixels.permute(1, 2, 0).cpu().numpy())
    buffer = io.BytesIO()
    if format == "png":
        chunks = PngImagePlugin.PngInfo()
        for key, value in (text or {}).items():
            chunks.add_itxt(key, value)
        image.save(buffer, "PNG", pnginfo=chunks)
    elif format == "webp":
        image.save(buffer, "WEBP", lossless=True)
    else:
        image.save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()
