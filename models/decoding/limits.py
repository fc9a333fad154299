"""What is refused by a file's header, before any pixel is decoded."""

from PIL import Image, TiffImagePlugin

from models.decoding import jpeg2000, media, tiff
from models.decoding.errors import BrokenPicture, PictureTooLarge

MAX_ASPECT = 32
MAX_SCANS = 100
"""Of a progressive JPEG: encoders write about ten, and each costs a pass over the whole picture."""


def check_shape(width: int, height: int, max_pixels: int, limit_name: str) -> None:
    """Raises PictureTooLarge, which names the setting that lifts the limit, and BrokenPicture for a strip."""
    if width * height > max_pixels:
        raise PictureTooLarge(
            f"the picture has {width} x {height} pixels; the limit is {max_pixels:,}",
            remedy(limit_name),
        )
    shorter, longer = sorted((width, height))
    if shorter < 1 or longer > MAX_ASPECT * shorter:
        # Its shorter side would be enlarged to the network's size, and the longer one with it, past all memory.
        raise BrokenPicture(f"a picture of {width} x {height} is too narrow", f"crop it to 1:{MAX_ASPECT} or wider")


def remedy(limit_name: str) -> str:
    """What to do about a picture that is too large."""
    return f"send a smaller one, or raise {limit_name}" if limit_name else "send a smaller one"


def check_cost(image: Image.Image, data: bytes, max_pixels: int) -> None:
    """Refuse what would take far more work or memory than the picture's size says."""
    if image.format in ("JPEG", "MPO") and data.count(b"\xff\xda") > MAX_SCANS:
        raise BrokenPicture(f"the JPEG has more than {MAX_SCANS} scans", "save it anew")
    if isinstance(image, TiffImagePlugin.TiffImageFile):
        tiff.check(image.tag_v2, max_pixels)
    if image.format == "JPEG2000":
        jpeg2000.check(data, image.width, image.height)
    if image.format in ("AVIF", "HEIF"):
        media.check(data, image.format)


def allow(max_pixels: int) -> None:
    """Let Pillow decode so many: its own limit is one per process and asked while decoding too. It is never lowered."""
    if Image.MAX_IMAGE_PIXELS is not None and max_pixels > Image.MAX_IMAGE_PIXELS:
        Image.MAX_IMAGE_PIXELS = max_pixels
