"""Opening a picture with the one decoder for its format, which reads the header and decodes no pixels yet."""

import importlib
import io
from collections.abc import Callable

from PIL import Image

from models.decoding import limits, tiff
from models.decoding.errors import BrokenPicture, NotAPicture, PictureTooLarge

PLUGINS = {
    "PNG": "Png",
    "JPEG": "Jpeg",
    "WEBP": "WebP",
    "GIF": "Gif",
    "BMP": "Bmp",
    "TIFF": "Tiff",
    "AVIF": "Avif",
    "JPEG2000": "Jpeg2K",
}
"""Name of Pillow's module for each format, without the ending `ImagePlugin`."""


def open_picture(data: bytes, kind: str, limit_name: str = "") -> Image.Image:
    """Open a picture of this kind, one of `kinds.FORMATS`.

    `Image.open` is not used, since it tries further decoders and warns of sizes that the caller allows. Raises
    NotAPicture if this installation lacks the decoder, BrokenPicture, and PictureTooLarge.
    """
    factory: Callable[..., Image.Image]
    if kind == "HEIF":
        factory = _heif()
    else:
        try:
            importlib.import_module(f"PIL.{PLUGINS[kind]}ImagePlugin")
            factory = Image.OPEN[kind][0]
        except (ImportError, KeyError) as error:
            raise NotAPicture(f"the installed Pillow reads no {kind}", "upgrade it: pip install -U pillow") from error
    try:
        image: Image.Image = factory(io.BytesIO(data), "")
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        # Some decoders check Pillow's own limit, which is never below the caller's (`limits.allow`).
        raise PictureTooLarge(f"the {kind} picture has too many pixels", limits.remedy(limit_name)) from error
    except Exception as error:  # Pillow's decoders raise nearly anything on hostile bytes.
        if kind == "TIFF":
            tiff.refuse_unknown(data)
        raise BrokenPicture(f"the {kind} picture cannot be opened ({_message(error)})", "send it whole") from error
    if kind == "TIFF":
        tiff.keep_orientation_only(image, getattr(image, "tag_v2", {}))
    if min(image.size) < 1:
        raise BrokenPicture(f"the {kind} picture has {image.width} x {image.height} pixels", "send it whole")
    return image


def _message(error: Exception) -> str:
    return str(error) or type(error).__name__


def _heif() -> Callable[..., Image.Image]:
    try:
        from pillow_heif import HeifImageFile
    except ImportError as error:
        raise NotAPicture(
            "the bytes are a HEIC or HEIF picture, for which this installation has no reader",
            "save it as JPEG or PNG, or install the reader here: pip install pillow-heif",
        ) from error
    reader: Callable[..., Image.Image] = HeifImageFile
    return reader
