"""Picture files: bytes from anywhere -> uint8 tensor, and back."""

import io
from collections.abc import Mapping
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
JPEG_QUALITY = 95
WEBP_SIDE = 16_383
"""Pixels that a WebP file has at most, across and down."""


@dataclass(frozen=True)
class Decoded:
    """A picture and what its file said of itself.

    `width` and `height` are those of the upright picture in the file: `pixels` has fewer where it was brought down.
    """

    pixels: UInt8[Tensor, "3 h w"]
    format: str
    width: int
    height: int


def decode(data: bytes, *, max_pixels: int = MAX_PIXELS, limit_name: str = "") -> UInt8[Tensor, "3 h w"]:
    """The picture in the file, upright (EXIF), as RGB levels.

    Alpha is laid on white, CMYK and palettes are converted, of an animation the first frame is taken. 16-bit and
    floating-point numbers are scaled to 8 bits where it is certain which of them is white
    (docs/decisions/0030-numbers-that-are-no-levels.md).
    Size and shape are judged on the header, before any pixel is decoded. Colour profiles are not applied, as in
    torchvision's own loaders. `limit_name` is the setting that lifts `max_pixels`, for the message.

    Raises NotAPicture, BrokenPicture (of it UnclearLevels), PictureTooLarge.
    """
    return inspect(data, max_pixels=max_pixels, limit_name=limit_name).pixels


def inspect(
    data: bytes, *, max_pixels: int = MAX_PIXELS, reduce_above: int | None = None, limit_name: str = ""
) -> Decoded:
    """As `decode`, with the format that the bytes are really in (a PNG may be named .jpg).

    A picture of more than `reduce_above` pixels is brought down to no more: a JPEG while it is decoded, to 1/2, 1/4
    or 1/8 of its sides, others by a whole factor after it.
    """
    kind = kind_of(data)
    limits.allow(max_pixels)
    if kind == "PPM":
        return _netpbm(data, max_pixels, reduce_above, limit_name)
    needed = without_metadata(data, kind)
    image = open_picture(needed, kind, limit_name)
    limits.check_shape(image.width, image.height, max_pixels, limit_name)
    limits.check_cost(image, needed, max_pixels)
    width, height = image.size
    rendering.draft(image, reduce_above)
    raw = wide.raw_mode(image)
    try:
        image.load()
        turn = rendering.turn_of(image)
        numbers = wide.numbers_of(image, raw, needed, kind)
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


def _netpbm(data: bytes, max_pixels: int, reduce_above: int | None, limit_name: str) -> Decoded:
    header, numbers = wide.of_netpbm(data)
    limits.check_shape(header.width, header.height, max_pixels, limit_name)
    levels = rendering.render(numbers(), None, reduce_above)
    return Decoded(_tensor(levels), "PPM", header.width, header.height)


def _tensor(levels: UInt8[np.ndarray, "h w 3"]) -> UInt8[Tensor, "3 h w"]:
    return torch.from_numpy(levels).permute(2, 0, 1).contiguous()


def encode(
    pixels: UInt8[Tensor, "3 h w"],
    *,
    format: str = "png",
    text: Mapping[str, str] | None = None,
    quality: int = JPEG_QUALITY,
) -> bytes:
    """The picture as a file: `png` (`text` in its text chunks) and `webp` are exact, `jpeg` (of a `quality`) is not."""
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
