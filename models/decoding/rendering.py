"""Turning decoded pixels into upright 8-bit RGB, reduced in size band by band if the picture is too large."""

from collections.abc import Iterator

import numpy as np
from jaxtyping import UInt8
from PIL import ExifTags, Image

from models.decoding.numbers import Numbers, bands_of_levels, white_of

TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""How to make a picture upright, by the number of its orientation in EXIF."""
BAND_PIXELS = 1 << 22
"""Number of pixels that are converted at once when a picture is reduced."""


def whole_factor(width: int, height: int, reduce_above: int | None) -> int:
    """The smallest whole number by which both sides are divided, so that at most `reduce_above` pixels are left."""
    factor = 1
    while reduce_above is not None and -(-width // factor) * -(-height // factor) > max(reduce_above, 1):
        factor += 1
    return factor


def draft(image: Image.Image, reduce_above: int | None) -> None:
    """Have a JPEG of more than `reduce_above` pixels decoded at 1/2, 1/4 or 1/8 of its size, which is faster."""
    factor = whole_factor(image.width, image.height, reduce_above)
    if image.format in ("JPEG", "MPO") and factor > 1:
        scale = next((scale for scale in (2, 4, 8) if scale >= factor), 8)
        image.draft(None, (max(1, image.width // scale), max(1, image.height // scale)))


def draft_to(image: Image.Image, shorter: int | None) -> None:
    """Have a JPEG decoded at the smallest scale that leaves its shorter side at least `shorter` pixels.

    The scale is 1/2, 1/4 or 1/8 and divides both sides, so that each decoded pixel covers a whole block of pixels.
    """
    if shorter is None or image.format not in ("JPEG", "MPO"):
        return
    for scale in (8, 4, 2):
        size = image.width // scale, image.height // scale
        if min(size) >= shorter and image.width % scale == image.height % scale == 0:
            image.draft(None, size)
            return


def turn_of(image: Image.Image) -> Image.Transpose | None:
    """How to make the picture upright; None if it is, or if its EXIF is damaged."""
    try:
        # Pillow's exif_transpose also rewrites the rest of the EXIF block, and fails where a camera wrote an odd one.
        return TURNS.get(image.getexif().get(ExifTags.Base.Orientation, 1))
    except Exception:  # The EXIF block is damaged, the pixels are not.
        return None


def swaps_sides(turn: Image.Transpose | None) -> bool:
    """Whether the turn swaps height and width."""
    return turn in (TURNS[5], TURNS[6], TURNS[7], TURNS[8])


def without_empty_alpha(image: Image.Image) -> Image.Image:
    """The picture without alpha if it is a BMP with alpha 0 everywhere: programs leave that byte unused."""
    if image.format == "BMP" and image.mode == "RGBA" and image.getchannel("A").getextrema() == (0, 0):
        return image.convert("RGB")
    return image


def to_rgb(image: Image.Image) -> Image.Image:
    """An 8-bit picture of any mode as RGB; transparent parts are laid on white."""
    if image.has_transparency_data:
        layer = image.convert("RGBA")
        white = Image.new("RGBA", layer.size, "white")
        return Image.alpha_composite(white, layer).convert("RGB")
    return image.convert("RGB")


def render(
    picture: Image.Image | Numbers, turn: Image.Transpose | None, reduce_above: int | None
) -> UInt8[np.ndarray, "h w 3"]:
    """The 8-bit levels of the upright picture, reduced to at most `reduce_above` pixels; raises UnclearLevels."""
    factor = whole_factor(picture.width, picture.height, reduce_above)
    if isinstance(picture, Image.Image) and factor == 1:
        rgb = to_rgb(picture if turn is None else picture.transpose(turn))
        return np.array(rgb, dtype=np.uint8)  # a copy: torch wants to own writable memory
    height, width = -(-picture.height // factor), -(-picture.width // factor)
    levels = np.empty((height, width, 3), np.uint8)
    place = 0
    for band in _bands(picture, factor):
        part = to_rgb(band)
        rows = np.asarray(part if factor == 1 else part.reduce(factor))
        levels[place : place + len(rows)] = rows
        place += len(rows)
    if turn is None:
        return levels
    return np.array(Image.fromarray(levels).transpose(turn), dtype=np.uint8)


def _bands(picture: Image.Image | Numbers, factor: int) -> Iterator[Image.Image]:
    if isinstance(picture, Numbers):
        yield from bands_of_levels(picture, white_of(picture), factor)
        return
    step = max(1, BAND_PIXELS // (picture.width * factor)) * factor
    for top in range(0, picture.height, step):
        yield picture.crop((0, top, picture.width, min(top + step, picture.height)))
