"""Reading the tags of a TIFF (TIFF 6.0), and refusing TIFFs that cannot be converted with an error that names them."""

import io
from collections.abc import Mapping
from typing import Any

from PIL import Image, TiffImagePlugin

from models.decoding.errors import BrokenPicture, NotAPicture, PictureTooLarge, UnclearLevels
from models.decoding.kinds import DEVELOP
from models.decoding.scans.pieces import LARGE_TILE

# Tags by their numbers, and the values of some of them.
SUBFILE, WIDTH, HEIGHT, BITS, PHOTOMETRIC, ORIENTATION, SAMPLES, PLANAR = 254, 256, 257, 258, 262, 274, 277, 284
LEAST, MOST, TILE_WIDTH, TILE_LENGTH, SUB_DIRECTORIES = 280, 281, 322, 323, 330
SAMPLE_FORMAT, SAMPLE_LEAST, SAMPLE_MOST, DNG_VERSION = 339, 340, 341, 50706
WHITE_IS_ZERO, CFA, LINEAR_RAW = 0, 32803, 34892
FORMATS = {1: "unsigned", 2: "signed", 3: "floating point", 5: "complex", 6: "complex floating point"}
COMPRESSION = 259
READ_COMPRESSIONS = frozenset(TiffImagePlugin.COMPRESSION_INFO)
COLOURS = {0: "grey", 1: "grey", 2: "RGB", 3: "palette", 4: "mask", 5: "CMYK", 6: "YCbCr", 8: "CIELAB", 9: "ICC LAB"}

Tags = Mapping[int, Any]


def first(tags: Tags, tag: int, default: Any = None) -> Any:
    """The first value of a tag."""
    value = tags.get(tag, default)
    return value[0] if isinstance(value, tuple) and value else value


def described(tags: Tags) -> str:
    """A description such as `TIFF of 5 channels of 16 bits (unsigned, RGB)`."""
    bits, samples = first(tags, BITS, 1), first(tags, SAMPLES, 1)
    kind = FORMATS.get(first(tags, SAMPLE_FORMAT, 1), "unknown numbers")
    colours = COLOURS.get(first(tags, PHOTOMETRIC), f"colour space {first(tags, PHOTOMETRIC)}")
    return f"TIFF of {samples} channel{'s' * (samples != 1)} of {bits} bits ({kind}, {colours})"


def refuse_unknown(data: bytes) -> None:
    """Raise an error that names the kind of a TIFF that Pillow does not open, if its first directory can be read."""
    try:
        tags = TiffImagePlugin.ImageFileDirectory_v2(data[:16] if data[2:3] == b"+" or data[3:4] == b"+" else data[:8])
        file = io.BytesIO(data)
        file.seek(tags.next)
        tags.load(file)
        has_size = {BITS, WIDTH, HEIGHT} <= set(tags)
        text = described(tags) if has_size else ""
    except Exception:  # a damaged directory names nothing
        return
    refuse_raw(tags)
    if first(tags, BITS, 1) == 8 and first(tags, COMPRESSION, 1) not in READ_COMPRESSIONS:
        raise BrokenPicture(
            f"the picture is a {text}, packed by a method (compression {first(tags, COMPRESSION)}) that is not read"
            " here",
            "save it without compression, with LZW or Deflate, or as PNG",
        )
    if text:
        raise UnclearLevels(
            f"the picture is a {text}, which cannot be read",
            "convert it to 8 bits per channel in grey or RGB, with black as 0 and white as 255",
        )


def refuse_raw(tags: Tags) -> None:
    """Raise NotAPicture for a camera's raw file, which is a TIFF whose first picture is a small preview."""
    raw = DNG_VERSION in tags or first(tags, PHOTOMETRIC) in (CFA, LINEAR_RAW)
    preview = isinstance(first(tags, SUBFILE), int) and first(tags, SUBFILE) & 1 and SUB_DIRECTORIES in tags
    if raw or preview:
        raise NotAPicture(
            "the bytes are a camera's raw file (DNG, NEF, ARW or alike), no picture that is read here", DEVELOP
        )


def keep_orientation_only(image: Image.Image, tags: Tags) -> None:
    """Replace the EXIF block, which Pillow reads while it loads a TIFF, by one with the orientation alone."""
    exif = Image.Exif()
    orientation = tags.get(ORIENTATION)
    if isinstance(orientation, int) and 1 <= orientation <= 8:
        exif[ORIENTATION] = orientation
    image.info["exif"] = exif.tobytes()
    if not isinstance(image.info.get("xmp", b""), bytes):
        del image.info["xmp"]


def check(tags: Tags, max_pixels: int) -> None:
    """Raise a PictureError for raw files, colours that cannot be converted, and tiles larger than `max_pixels`."""
    refuse_raw(tags)
    try:
        tile = int(first(tags, TILE_WIDTH, 0)) * int(first(tags, TILE_LENGTH, 0))
    except (TypeError, ValueError) as error:
        raise BrokenPicture("the size of the TIFF's tiles is no number", "save it again") from error
    pixels = first(tags, WIDTH, 0) * first(tags, HEIGHT, 0)
    most = min(max_pixels, max(LARGE_TILE, 4 * pixels))  # a tile at the right or the lower edge is padded
    if tile > most:
        raise PictureTooLarge(f"the TIFF's tiles have {tile:,} pixels; the limit is {most:,}", "save it again")
    bits, planar = first(tags, BITS, 1), first(tags, PLANAR, 1) == 2
    wide = isinstance(bits, int) and bits > 8
    if (planar and wide) or (first(tags, SAMPLE_FORMAT, 1) == 2 and not wide) or first(tags, PHOTOMETRIC) == 8:
        layout = ", each channel apart" if planar else ""
        raise UnclearLevels(
            f"the picture is a {described(tags)}{layout}, whose levels are not known for certain",
            "convert it to 8 bits per channel in grey or RGB, with black as 0 and white as 255",
        )


def stated_white(tags: Tags) -> float | None:
    """The number that is white according to the tags, or None.

    It follows from an unusual number of bits, or from a stated largest value that is the end of a range of whole bits.
    Other stated values are ignored, since they may be the largest value of this one picture.
    """
    bits = first(tags, BITS, 1)
    if isinstance(bits, int) and bits not in (16, 32, 64) and first(tags, SAMPLE_FORMAT, 1) == 1:
        return float((1 << bits) - 1)
    most = first(tags, SAMPLE_MOST, first(tags, MOST))
    least = first(tags, SAMPLE_LEAST, first(tags, LEAST, 0))
    if not isinstance(most, int | float) or least != 0:
        return None
    whole = most >= 255 and float(most).is_integer() and (int(most) & (int(most) + 1)) == 0
    floats = first(tags, SAMPLE_FORMAT, 1) == 3
    return float(most) if whole or (floats and most == 1) else None
