"""The scan of each format before a library opens the file."""

from collections.abc import Callable, Mapping

from models.decoding.scans import bmp, gif, jpeg, jpeg2000, media, png, tiff, webp

SCANS: Mapping[str, Callable[[bytes], bytes]] = {
    "PNG": png.trimmed,
    "JPEG": jpeg.trimmed,
    "WEBP": webp.trimmed,
    "GIF": gif.trimmed,
    "BMP": bmp.trimmed,
    "TIFF": tiff.trimmed,
    "AVIF": media.trimmed_avif,
    "HEIF": media.trimmed_heif,
    "JPEG2000": jpeg2000.trimmed,
}
"""The scans by `kinds.FORMATS`. PPM has none: `netpbm` reads these files without a library."""

SIZES: Mapping[str, Callable[[bytes], tuple[int, int] | None]] = {"WEBP": webp.canvas, "JPEG2000": jpeg2000.size}
"""What reads the size in the header of those formats whose decoders take memory for it when they open a file."""


def stated_size(data: bytes, kind: str) -> tuple[int, int] | None:
    """Width and height in pixels that must be checked before the file is opened; None if that can be done after it."""
    return SIZES[kind](data) if kind in SIZES else None


def trimmed(data: bytes, kind: str) -> bytes:
    """The file with only what the pixels and the orientation of its first picture need.

    It costs little: pieces are skipped by their lengths, and their number is bounded. Raises BrokenPicture for files
    that would take a decoder far more time or memory than their picture suggests.
    """
    return SCANS[kind](data)
