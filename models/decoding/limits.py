"""Limits that are checked with the header of a file, before any pixel is decoded."""

from PIL import Image

from models.decoding.errors import BrokenPicture, PictureTooLarge

MAX_ASPECT = 32
"""Largest ratio of the longer side to the shorter one."""


def check_shape(width: int, height: int, max_pixels: int, limit_name: str) -> None:
    """Raise PictureTooLarge for too many pixels, and BrokenPicture for a picture that is too narrow.

    `limit_name` is the setting that raises `max_pixels`, for the message; it may be empty.
    """
    if width * height > max_pixels:
        raise PictureTooLarge(
            f"the picture has {width} x {height} pixels; the limit is {max_pixels:,}",
            remedy(limit_name),
        )
    shorter, longer = sorted((width, height))
    if shorter < 1 or longer > MAX_ASPECT * shorter:
        # Preprocessing enlarges the shorter side to the network's size: the longer one would take too much memory.
        raise BrokenPicture(f"a picture of {width} x {height} is too narrow", f"crop it to 1:{MAX_ASPECT} or wider")


def remedy(limit_name: str) -> str:
    """What the sender of a picture that is too large can do."""
    return f"send a smaller one, or raise {limit_name}" if limit_name else "send a smaller one"


def allow(max_pixels: int) -> None:
    """Let Pillow decode up to `max_pixels` pixels.

    Pillow has one limit per process, which it checks while decoding too; so it is raised here and never lowered.
    """
    if Image.MAX_IMAGE_PIXELS is not None and max_pixels > Image.MAX_IMAGE_PIXELS:
        Image.MAX_IMAGE_PIXELS = max_pixels
