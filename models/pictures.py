"""Picture files: bytes from anywhere -> uint8 tensor, and back."""

import io
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import UInt8
from PIL import ExifTags, Image, PngImagePlugin, TiffImagePlugin, UnidentifiedImageError
from torch import Tensor

# Each decoder is an attack surface, so only those that people's pictures need; JPEG includes phones' MPO.
FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF")
MAX_PIXELS = 25_000_000
MAX_ASPECT = 32
JPEG_QUALITY = 95
WEBP_SIDE = 16_383
"""Pixels that a WebP file has at most, across and down."""
MAX_SCANS = 100
"""Of a progressive JPEG: encoders write about ten, and each costs a pass over the whole picture."""


class NotAPicture(ValueError):
    """Bytes of no picture format that is read here."""


class BrokenPicture(ValueError):
    """A picture by its first bytes that cannot be decoded to its end, or has an impossible shape."""


class PictureTooLarge(ValueError):
    """More pixels than the limit, by the file's own header."""


@dataclass(frozen=True)
class Decoded:
    """A picture and what its file said of itself."""

    pixels: UInt8[Tensor, "3 h w"]
    format: str


def decode(data: bytes, *, max_pixels: int = MAX_PIXELS) -> UInt8[Tensor, "3 h w"]:
    """The picture in the file, upright (EXIF), as RGB levels.

    Alpha is laid on white, 16-bit grey is scaled to 8 bits, CMYK and palettes are converted, of an animation the first
    frame is taken. Size and shape are judged on the header, before any pixel is decoded. Colour profiles are not
    applied, as in torchvision's own loaders.

    Raises NotAPicture, BrokenPicture, PictureTooLarge.
    """
    return inspect(data, max_pixels=max_pixels).pixels


def inspect(data: bytes, *, max_pixels: int = MAX_PIXELS) -> Decoded:
    """As `decode`, with the format that the bytes are really in (a PNG may be named .jpg)."""
    try:
        image = Image.open(io.BytesIO(data), formats=FORMATS)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise PictureTooLarge(f"the picture has more than {max_pixels:,} pixels: send a smaller one") from error
    except UnidentifiedImageError as error:
        raise NotAPicture(f"the bytes are no {', '.join(FORMATS)} picture: send one of these") from error
    except Exception as error:  # Pillow's decoders raise nearly anything on hostile bytes.
        raise BrokenPicture(f"the picture cannot be opened ({error}): send it whole") from error
    _check_shape(image.width, image.height, max_pixels)
    _check_cost(image, data, max_pixels)
    try:
        image.load()
        rgb = _to_rgb(_upright(image))
    except Exception as error:
        raise BrokenPicture(f"the {image.format} picture cannot be decoded ({error}): send it whole") from error
    array = np.array(rgb, dtype=np.uint8)  # a copy: torch wants to own writable memory
    return Decoded(torch.from_numpy(array).permute(2, 0, 1).contiguous(), image.format or "")


def _check_shape(width: int, height: int, max_pixels: int) -> None:
    if width * height > max_pixels:
        raise PictureTooLarge(
            f"the picture has {width} x {height} pixels; the limit is {max_pixels:,}: send a smaller one"
        )
    shorter, longer = sorted((width, height))
    if shorter < 1 or longer > MAX_ASPECT * shorter:
        # Its shorter side would be enlarged to the network's size, and the longer one with it, past all memory.
        raise BrokenPicture(f"a picture of {width} x {height} is too narrow: crop it to 1:{MAX_ASPECT} or wider")


def _check_cost(image: Image.Image, data: bytes, max_pixels: int) -> None:
    """Refuse what would take far more work or memory than the picture's size says."""
    if image.format in ("JPEG", "MPO") and data.count(b"\xff\xda") > MAX_SCANS:
        raise BrokenPicture(f"the JPEG has more than {MAX_SCANS} scans: save it anew")
    if isinstance(image, TiffImagePlugin.TiffImageFile):
        try:
            tile = int(image.tag_v2.get(TILE_WIDTH, 0)) * int(image.tag_v2.get(TILE_LENGTH, 0))
        except (TypeError, ValueError) as error:
            raise BrokenPicture("the size of the TIFF's tiles is no number: save it anew") from error
        if tile > max_pixels:
            raise PictureTooLarge(f"the TIFF's tiles have {tile:,} pixels; the limit is {max_pixels:,}: save it anew")


TILE_WIDTH, TILE_LENGTH = 322, 323  # TIFF 6.0, section 15

TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""By EXIF's orientation."""


def _upright(image: Image.Image) -> Image.Image:
    try:
        # Pillow's exif_transpose also writes the rest of the block anew, and fails where a camera wrote an odd one.
        turn = TURNS.get(image.getexif().get(ExifTags.Base.Orientation, 1))
    except Exception:  # A damaged block tells nothing; the pixels are whole.
        turn = None
    return image if turn is None else image.transpose(turn)


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode == "I" or image.mode.startswith("I;16"):
        levels = np.asarray(image, dtype=np.float64)
        # PNG's and TIFF's 16-bit grey: 65535 is white. Pillow's own conversion clips at 255 instead.
        image = Image.fromarray(np.clip(np.rint(levels / 257), 0, 255).astype(np.uint8))
    if image.has_transparency_data:
        layer = image.convert("RGBA")
        white = Image.new("RGBA", layer.size, "white")
        return Image.alpha_composite(white, layer).convert("RGB")
    return image.convert("RGB")


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
