"""What can be sent as a picture: a file by its path, the bytes of a file, a picture of Pillow, an array."""

import os
from io import BytesIO
from pathlib import Path
from typing import Any, Protocol, TypeAlias, cast, runtime_checkable

from PIL import Image, ImageOps

from mirage.errors import BadPicture


@runtime_checkable
class Array(Protocol):
    """An array of NumPy, or of any library with the same interface: uint8, [h, w], [h, w, 3] or [h, w, 4]."""

    @property
    def __array_interface__(self) -> dict[str, Any]: ...


PictureLike: TypeAlias = str | os.PathLike[str] | bytes | Image.Image | Array
"""A picture that can be sent: a path, the content of a file as bytes, a picture of Pillow, or an array of uint8 with
the shape [h, w] (grey), [h, w, 3] (RGB) or [h, w, 4] (RGB and opacity)."""
SAFE_MODES = ("1", "L", "LA", "I;16", "P", "RGB", "RGBA")
"""Modes of Pillow that a PNG file keeps as they are, or without loss."""
CONVERTED_MODES = {
    **dict.fromkeys(("CMYK", "HSV", "LAB", "RGBX", "YCbCr"), "RGB"),
    **{"RGBa": "RGBA", "PA": "RGBA", "La": "LA"},
}
"""Modes that are converted first, and to which others."""


def to_file(picture: PictureLike) -> bytes:
    """The bytes of the picture file to send. Files are sent as they are; everything else becomes a PNG, without loss.

    Raises BadPicture if there is no such file, or the values are not those of an 8-bit picture.
    """
    given = cast(object, picture)  # what a caller without a type checker may give
    if isinstance(given, bytes):
        return given
    if isinstance(given, str | os.PathLike):
        return _read(cast(str | os.PathLike[str], given))
    if isinstance(given, Image.Image):
        return _encode(given)
    if isinstance(given, Array):
        return _encode(_from_array(given))
    raise BadPicture(
        f"a picture cannot be a {type(given).__name__}: give a path, the bytes of a file, a PIL.Image.Image, or an "
        "array of uint8 with the shape [h, w, 3]; a tensor [3, h, w] is "
        "tensor.detach().cpu().permute(1, 2, 0).numpy()"
    )


def _read(path: str | os.PathLike[str]) -> bytes:
    name = os.fsdecode(path)
    if name.startswith(("http://", "https://", "data:")):
        raise BadPicture(f"{name[:80]}: addresses are not fetched: download the picture and give its path")
    if os.path.exists(path) and not os.path.isfile(path):
        raise BadPicture(f"{name}: this is no regular file: give the path of a picture, or the bytes of its file")
    try:
        return Path(path).read_bytes()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise BadPicture(f"{name}: the file cannot be read ({reason}): give the path of a picture") from error


def _from_array(array: Array) -> Image.Image:
    kind, shape = str(array.__array_interface__["typestr"]), tuple(array.__array_interface__["shape"])
    if kind not in ("|u1", "<u1", ">u1"):
        raise BadPicture(
            f"the array has values of the type {kind} in place of uint8 (0 to 255): convert it, for example "
            "(array * 255).round().astype('uint8') if its values are from 0 to 1, or True and False"
        )
    if not (len(shape) == 2 or (len(shape) == 3 and shape[2] in (3, 4))) or 0 in shape:
        raise BadPicture(
            f"the array has the shape {list(shape)}: a picture has [h, w], [h, w, 3] or [h, w, 4]; channels that come "
            "first are moved by array.transpose(1, 2, 0), and a single one is left out by array[..., 0]"
        )
    try:
        return Image.fromarray(array)  # type: ignore[no-untyped-call, unused-ignore]
    except (TypeError, ValueError, AttributeError) as error:
        raise BadPicture(f"the array cannot be read ({error}): convert it to one of NumPy") from error


def _encode(picture: Image.Image) -> bytes:
    """The picture as a PNG, turned as its EXIF data say, as a viewer would show it."""
    if picture.mode not in (*SAFE_MODES, *CONVERTED_MODES):
        raise BadPicture(
            f"the picture has the mode {picture.mode}, whose values have no fixed range: convert it to L or RGB first"
        )
    buffer = BytesIO()
    try:
        turned = ImageOps.exif_transpose(picture)
        if turned.mode in CONVERTED_MODES:
            turned = turned.convert(CONVERTED_MODES[turned.mode])
        turned.save(buffer, "PNG", compress_level=1)
    except (OSError, ValueError, SyntaxError) as error:
        raise BadPicture(f"the picture cannot be encoded ({error}): is its file damaged?") from error
    return buffer.getvalue()
