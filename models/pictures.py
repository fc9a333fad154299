"""Decoding picture files, which may come from anywhere, to uint8 tensors, and encoding them."""

import io
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from jaxtyping import UInt8
from PIL import Image, PngImagePlugin
from torch import Tensor

from models.decoding.errors import BrokenPicture, NotAPicture, PictureError, PictureTooLarge, UnclearLevels
from models.decoding.kinds import FORMATS, READ
from models.decoding.levels import MAX_PIXELS, Admit, Levels, read_levels

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

    `models.decoding.levels.read_levels` says how colours, transparency and other depths are converted. `limit_name` is
    the setting that raises `max_pixels`, for the message. Raises NotAPicture, BrokenPicture (and its subclass
    UnclearLevels), PictureTooLarge.
    """
    return inspect(data, max_pixels=max_pixels, limit_name=limit_name).pixels


def inspect(
    data: bytes,
    *,
    max_pixels: int = MAX_PIXELS,
    reduce_above: int | None = None,
    shorter: int | None = None,
    limit_name: str = "",
    admit: Admit | None = None,
) -> Decoded:
    """Decode a picture file to a tensor; arguments and errors are those of `models.decoding.levels.read_levels`.

    The result also has the file's true format: a PNG may be named .jpg.
    """
    read = read_levels(
        data,
        max_pixels=max_pixels,
        reduce_above=reduce_above,
        shorter=shorter,
        limit_name=limit_name,
        admit=admit,
    )
    return of_levels(read)


def of_levels(read: Levels) -> Decoded:
    """The same picture as a tensor, which shares the memory."""
    return Decoded(torch.from_numpy(read.values), read.format, read.width, read.height)


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
