"""Reading samples of more than 8 bits per channel; Pillow itself keeps only the upper byte of a colour's samples."""

import sys
from collections.abc import Callable

import numpy as np
from PIL import Image

from models.decoding import jpeg2000, netpbm, tiff
from models.decoding.errors import UnclearLevels
from models.decoding.numbers import Numbers
from models.decoding.opening import open_picture
from models.decoding.scans.png import significant_bits

OTHER_BYTE = {"B": "L", "L": "B", "N": "B" if sys.byteorder == "little" else "L"}
"""For the byte order in a raw mode (big, little, native) the one with which Pillow keeps the lower bytes instead."""

EXACT = ("RGB", "RGBX", "RGBA")
"""Colour modes whose lower bytes can be read too."""


def raw_mode(image: Image.Image) -> str:
    """Pillow's name for how the bytes of the file become pixels (its raw mode); known before the picture is loaded."""
    tiles = getattr(image, "tile", None)
    args = tiles[0].args if tiles else ""
    mode = args[0] if isinstance(args, tuple) and args else args
    return mode if isinstance(mode, str) else ""


def numbers_of(image: Image.Image, raw: str, data: bytes, kind: str) -> Numbers | None:
    """The samples of a loaded picture whose raw mode is `raw`; None if they are 8-bit levels.

    Raises UnclearLevels for colours whose lower bytes cannot be read and whose upper bytes use less than half of the
    range.
    """
    if kind == "JPEG2000":
        return _of_jpeg2000(image, data)
    if image.mode == "F" or image.mode.startswith("I"):
        return _of_grey(image, data, kind)
    colours, depth, order = raw.partition(";16")
    if not depth:
        return None
    if colours == "LA":
        return _of_grey_and_alpha(image, data, kind)
    if colours not in EXACT:
        _check_upper_bytes(image, f"16-bit {kind}")
        return None
    return _of_colours(image, raw[:-1] + OTHER_BYTE[order], data, kind)


def of_netpbm(data: bytes) -> tuple[netpbm.Header, Callable[[], Numbers]]:
    """The header of a netpbm file, and a function that reads its samples."""
    header = netpbm.header_of(data)

    def numbers() -> Numbers:
        array = netpbm.numbers_of(data, header)
        floats = header.kind in b"fF"
        return Numbers(
            lambda top, bottom: array[top:bottom],
            *(header.width, header.height, header.channels),
            f"netpbm picture (P{header.kind.decode()})",
            # Programs that know nothing of the samples but their type write 65535.
            white=None if floats or header.white == 65535 else float(header.white),
            type_max=1.0 if floats else 65535.0,
            alpha=header.channels in (2, 4),
        )

    return header, numbers


def _of_grey(image: Image.Image, data: bytes, kind: str) -> Numbers:
    tags: tiff.Tags = getattr(image, "tag_v2", {})
    white = tiff.stated_white(tags)
    clear = None
    if kind == "PNG":
        white = _white_of_png(_rows(image), image.height, data)
        stated = image.info.get("transparency")
        clear = (stated,) if isinstance(stated, int) else None
    type_max = {"F": 1.0, "I": None}.get(image.mode, 65535.0)
    return Numbers(
        _rows(image),
        *(image.width, image.height, 1),
        tiff.described(tags) if tags else f"16-bit {kind}",
        white=white,
        type_max=type_max,
        inverted=kind == "TIFF" and tiff.first(tags, tiff.PHOTOMETRIC, 0) == tiff.WHITE_IS_ZERO,
        clear=clear,
    )


def _rows(image: Image.Image, shift: int = 0) -> Callable[[int, int], np.ndarray]:
    def rows(top: int, bottom: int) -> np.ndarray:
        values = np.asarray(image.crop((0, top, image.width, bottom)))
        return (values >> shift if shift else values)[..., None]

    return rows


def _white_of_png(rows: Callable[[int, int], np.ndarray], height: int, data: bytes) -> float | None:
    """The number that is white in a 16-bit PNG with an sBIT chunk; None without one, or if it remains unclear.

    Programs should scale the samples up to 16 bits (PNG, 13.12), but some leave them as they were. Small numbers whose
    lower bits are all 0 may come from either kind of program.
    """
    bits = significant_bits(data)
    if bits is None or not 8 <= bits <= 16:
        return None
    if bits == 16:
        return 65535.0
    narrow = float((1 << bits) - 1)
    largest, all_multiples, all_scaled = 0, True, True
    for top in range(0, height, 64):
        values = rows(top, min(top + 64, height)).astype(np.int64)
        largest = max(largest, int(values.max()))
        steps = np.rint(values * narrow / 65535)
        scaled = np.abs(values - steps * 65535 / narrow) <= 1
        multiples = values % (1 << (16 - bits)) == 0  # scaled by a shift of bits
        all_multiples = all_multiples and bool(multiples.all())
        all_scaled = all_scaled and bool((scaled | multiples).all())
    if largest > narrow:
        return 65535.0
    return None if all_multiples else 65535.0 if all_scaled else narrow


def _unpacked_as(data: bytes, kind: str, mode: str, raw: str) -> Image.Image:
    """The same picture with its bytes unpacked in another way: Pillow's `mode` and raw mode `raw`."""
    image = open_picture(data, kind)
    image._mode = mode  # Pillow's own name for what its plugins set
    tiles = [
        tile._replace(args=raw if isinstance(tile.args, str) else (raw, *tile.args[1:]))
        for tile in image.tile  # type: ignore[attr-defined]
    ]
    image.tile = tiles  # type: ignore[attr-defined]
    image.load()
    return image


def _of_grey_and_alpha(image: Image.Image, data: bytes, kind: str) -> Numbers:
    """The samples of a 16-bit PNG with grey and alpha: four bytes per pixel, the upper byte first."""
    four_bytes = _unpacked_as(data, kind, "RGBA", "RGBA")

    def rows(top: int, bottom: int) -> np.ndarray:
        values = np.asarray(four_bytes.crop((0, top, four_bytes.width, bottom))).astype(np.uint16)
        return values[..., 0::2] << 8 | values[..., 1::2]

    white = _white_of_png(lambda top, bottom: rows(top, bottom)[..., :1], image.height, data)
    return Numbers(rows, image.width, image.height, 2, f"16-bit {kind}", white=white, alpha=True)


def _of_colours(image: Image.Image, lower_raw: str, data: bytes, kind: str) -> Numbers:
    """The samples of a colour picture: its upper bytes, and the lower ones by the raw mode `lower_raw`."""
    upper, lower = image, _unpacked_as(data, kind, image.mode, lower_raw)
    tags: tiff.Tags = getattr(image, "tag_v2", {})

    def rows(top: int, bottom: int) -> np.ndarray:
        box = (0, top, upper.width, bottom)
        high, low = (np.asarray(part.crop(box)).astype(np.uint16) for part in (upper, lower))
        return high << 8 | low

    if kind == "TIFF":
        white = tiff.stated_white(tags)
    else:
        white = _white_of_png(lambda top, bottom: rows(top, bottom)[..., :3], image.height, data)
    clear = image.info.get("transparency")
    return Numbers(
        rows,
        *(image.width, image.height, len(image.mode)),
        tiff.described(tags) if tags else f"16-bit {kind}",
        white=white,
        alpha=image.mode == "RGBA",
        clear=tuple(clear) if image.mode == "RGB" and isinstance(clear, tuple) and len(clear) == 3 else None,
    )


def _of_jpeg2000(image: Image.Image, data: bytes) -> Numbers | None:
    """The samples of a JPEG 2000; Pillow shifts them up to 8 or 16 bits, so white is not the largest number."""
    bits = max(jpeg2000.codestream(data).bits)
    container = 16 if image.mode == "I;16" else 8 if image.mode == "L" else 0
    if bits == 16 and not container:
        _check_upper_bytes(image, "16-bit JPEG 2000")
    if bits == container == 8 or not container:
        return None
    white = None if bits == 16 else float((1 << bits) - 1)
    rows = _rows(image, container - bits)
    return Numbers(rows, image.width, image.height, 1, f"{bits}-bit JPEG 2000", white=white)


def _check_upper_bytes(image: Image.Image, name: str) -> None:
    extremes = image.getextrema()
    colours = extremes[:3] if image.mode in ("RGBA", "RGBa") else extremes
    pairs = [pair for pair in colours if isinstance(pair, tuple)]
    if max((pair[1] for pair in pairs), default=255) < 128:
        raise UnclearLevels(
            f"the {name} picture ({image.mode}) uses less than half of the range of 0 to 65,535, so that may not be its"
            " range",
            "convert it to 8 bits per channel, with black as 0 and white as 255",
        )
