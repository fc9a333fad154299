"""Small pictures of every format and variant, from which mutated files are made."""

import functools
import importlib.util
import io
import struct
import zlib
from collections.abc import Iterator

import numpy as np
from PIL import Image, ImageCms, features

from soak.pictures.files import chunk, grey_tiff, png, tiff
from soak.pictures.hostile.segments import saved
from soak.pictures.media_files import CODED, Item, grid, media_file, picture_of


def _pictures() -> dict[str, Image.Image]:
    random = np.random.default_rng(0)
    noise = random.integers(0, 256, (12, 16, 4), dtype=np.uint8)
    colour = Image.fromarray(noise[..., :3]).resize((40, 30), Image.Resampling.BICUBIC)
    return {
        "colour": colour,
        "alpha": Image.fromarray(noise).resize((40, 30), Image.Resampling.BICUBIC),
        "grey": colour.convert("L"),
        "bits": colour.convert("1"),
        "palette": colour.quantize(16),
        "cmyk": colour.convert("CMYK"),
    }


def _exif() -> Image.Exif:
    exif = Image.Exif()
    exif.update({0x0112: 6, 0x010F: "Maker", 0x011A: 72.0})
    exif.get_ifd(0x8769)[0x9003] = "2020:01:01 00:00:00"
    return exif


def _jpegs(pictures: dict[str, Image.Image]) -> Iterator[bytes]:
    colour, profile = pictures["colour"], ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    xmp = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><a tiff:Orientation="3"/></x:xmpmeta>'
    yield saved(colour, "JPEG", exif=_exif(), icc_profile=profile, comment=b"hello", xmp=xmp)
    yield saved(colour, "JPEG", progressive=True, quality=95, subsampling=0)
    yield saved(colour, "JPEG", restart_marker_blocks=1, subsampling="4:2:0")
    yield saved(pictures["grey"], "JPEG", progressive=True)
    yield saved(pictures["cmyk"], "JPEG")
    yield saved(colour, "MPO", save_all=True, append_images=[colour.rotate(180)])


def _pngs(pictures: dict[str, Image.Image]) -> Iterator[bytes]:
    random = np.random.default_rng(1)
    for name in ("colour", "alpha", "grey", "bits"):
        yield saved(pictures[name], "PNG", exif=_exif())
    yield saved(pictures["palette"], "PNG", transparency=3, dpi=(72, 72))
    yield saved(pictures["colour"], "PNG", save_all=True, append_images=[pictures["colour"].rotate(90)] * 3)
    sixteen = random.integers(0, 65_536, (9, 9, 4))
    yield png(sixteen, bits=16, interlaced=True, before=chunk(b"sBIT", b"\x0c" * 4))
    text = chunk(b"zTXt", b"Raw profile type exif\0\0" + zlib.compress(b"\nexif\n 4\n4d4d002a\n"))
    text += chunk(b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + zlib.compress(b'tiff:Orientation="6"'))
    yield png(random.integers(0, 256, (9, 9, 3)), bits=8, before=text + chunk(b"gAMA", bytes(4)), after=text)


def _webps(pictures: dict[str, Image.Image]) -> Iterator[bytes]:
    colour, alpha = pictures["colour"], pictures["alpha"]
    yield saved(colour, "WEBP", exif=_exif(), xmp=b'tiff:Orientation="6"')
    yield saved(alpha, "WEBP")
    yield saved(colour, "WEBP", lossless=True)
    yield saved(alpha, "WEBP", save_all=True, append_images=[alpha.rotate(90)] * 3)


def _gifs(pictures: dict[str, Image.Image]) -> Iterator[bytes]:
    colour = pictures["colour"]
    yield saved(pictures["palette"], "GIF", comment=b"hello", transparency=2, interlace=True)
    yield saved(colour, "GIF", save_all=True, append_images=[colour.rotate(90)] * 3, loop=0)
    yield saved(pictures["grey"], "GIF", interlace=False)


def _bmps(pictures: dict[str, Image.Image]) -> Iterator[bytes]:
    for name in ("colour", "alpha", "grey", "bits", "palette"):
        yield saved(pictures[name], "BMP")
    palette = bytes(range(256)) * 4
    runs = b"\x05\x11\x03\x22\0\3\1\2\3\0\0\2\2\1\4\7\0\0" * 8 + b"\0\1"
    for bits, compression in ((8, 1), (4, 2)):
        colours = 1 << bits
        header = struct.pack("<IiiHHIIiiII", 40, 16, 16, 1, bits, compression, len(runs), 0, 0, colours, 0)
        start = 54 + 4 * colours
        yield b"BM" + struct.pack("<IHHI", start + len(runs), 0, 0, start) + header + palette[: 4 * colours] + runs


def _tiffs(pictures: dict[str, Image.Image]) -> Iterator[bytes]:
    random = np.random.default_rng(2)
    for compression in ("raw", "packbits", "tiff_lzw", "tiff_adobe_deflate", "jpeg", "lzma", "zstd"):
        yield saved(pictures["colour"], "TIFF", compression=compression)
    yield saved(pictures["bits"], "TIFF", compression="group4")
    yield saved(pictures["palette"], "TIFF", exif=_exif())
    yield saved(pictures["colour"], "TIFF", big_tiff=True)
    yield saved(pictures["colour"], "TIFF", save_all=True, append_images=[pictures["grey"]] * 3)
    yield saved(pictures["colour"], "TIFF", tiffinfo={278: 4}, compression="tiff_lzw")
    yield grey_tiff(random.integers(0, 65_536, (9, 9)).astype(np.uint16), order=">")
    yield grey_tiff(random.random((9, 9)).astype(np.float32))
    yield tiff(random.bytes(3 * 80), 10, 8, bits=8, channels=3, planar=2)
    tiles = {322: ("u4", 16), 323: ("u4", 16), 324: ("u4", 8), 325: ("u4", 256)}
    yield tiff(random.bytes(256), 16, 16, bits=8, extra_tags=tiles)


def _jpeg2000s(pictures: dict[str, Image.Image]) -> Iterator[bytes]:
    yield saved(pictures["colour"], "JPEG2000", no_jp2=False)
    yield saved(pictures["alpha"], "JPEG2000", no_jp2=True, tile_size=(16, 16))
    yield saved(pictures["colour"], "JPEG2000", quality_layers=[20, 10, 1], irreversible=True, progression="RPCL")
    yield saved(pictures["grey"], "JPEG2000", codeblock_size=(16, 16), precinct_size=(32, 32))


def _netpbms() -> Iterator[bytes]:
    random = np.random.default_rng(3)
    numbers = b" ".join(b"%d" % number for number in random.integers(0, 256, 192))
    yield b"P3 # comment\n8 8\n255\n" + numbers
    yield b"P2\n8 8 255\n" + numbers
    yield b"P1\n8 8\n" + b"0 1 " * 32
    yield b"P4\n8 8\n" + random.bytes(8)
    yield b"P5\n8 8\n65535\n" + random.bytes(128)
    yield b"P6\n8 8\n255\n" + random.bytes(192)
    yield b"Pf\n4 4\n-1.0\n" + random.random(16).astype("<f4").tobytes()
    yield b"P7\nWIDTH 4\nHEIGHT 4\nDEPTH 4\nMAXVAL 255\nTUPLTYPE RGB_ALPHA\nENDHDR\n" + random.bytes(64)


def _avifs(pictures: dict[str, Image.Image]) -> Iterator[bytes]:
    colour, alpha = pictures["colour"], pictures["alpha"]
    yield saved(colour, "AVIF", exif=_exif(), xmp=b'tiff:Orientation="6"')
    yield saved(alpha, "AVIF")
    yield saved(alpha, "AVIF", save_all=True, append_images=[alpha.rotate(90)] * 3)


def _heifs(pictures: dict[str, Image.Image]) -> Iterator[bytes]:
    from pillow_heif import from_pillow

    for name in ("colour", "alpha"):
        buffer = io.BytesIO()
        from_pillow(pictures[name]).save(buffer, quality=60, exif=_exif().tobytes())
        yield buffer.getvalue()
    buffer = io.BytesIO()
    from_pillow(pictures["colour"].resize((200, 130))).save(buffer, quality=60, thumbnails=[64])
    yield buffer.getvalue()
    buffer = io.BytesIO()
    from_pillow(pictures["colour"].resize((64, 64))).save(buffer, quality=60)
    tile = picture_of(buffer.getvalue(), "HEIF")
    items = {name: Item(CODED["HEIF"], tile.coded, (64, 64), tile.settings) for name in range(1, 5)}
    items[5] = Item(b"grid", grid(2, 2, 120, 100), (120, 100), made_of=[1, 2, 3, 4])
    yield media_file("HEIF", items, primary=5)


@functools.cache
def bases() -> tuple[tuple[str, bytes], ...]:
    """Return the formats and files, for the decoders that are installed."""
    pictures = _pictures()
    files: dict[str, Iterator[bytes]] = {
        "JPEG": _jpegs(pictures),
        "PNG": _pngs(pictures),
        "WEBP": _webps(pictures),
        "GIF": _gifs(pictures),
        "BMP": _bmps(pictures),
        "TIFF": _tiffs(pictures),
        "PPM": _netpbms(),
    }
    if features.check("jpg_2000"):
        files["JPEG2000"] = _jpeg2000s(pictures)
    if features.check("avif"):
        files["AVIF"] = _avifs(pictures)
    if importlib.util.find_spec("pillow_heif"):
        files["HEIF"] = _heifs(pictures)
    return tuple((format, data) for format, variants in files.items() for data in variants)


_LARGE: tuple[tuple[str, dict[str, object]], ...] = (
    ("JPEG", {}),
    ("JPEG", {"progressive": True}),
    ("PNG", {"compress_level": 1}),
    ("WEBP", {"method": 0}),
    ("WEBP", {"lossless": True, "method": 0, "quality": 0}),
    ("GIF", {}),
    ("TIFF", {"compression": "tiff_lzw"}),
    ("JPEG2000", {}),
    ("AVIF", {"speed": 10}),
)
_MISSING = {format for format, check in {"JPEG2000": "jpg_2000", "AVIF": "avif"}.items() if not features.check(check)}
LARGE = [(format, options) for format, options in _LARGE if format not in _MISSING]
"""Formats, and options of their encoders, of large pictures; HEIF, which takes 15 s to write, is none of them."""


@functools.cache
def large_base(number: int) -> bytes:
    """Return a complete picture of 24.5 megapixels, with its number in LARGE; it is smooth, so that the file is small.

    Writing it takes up to 2 s.
    """
    format, options = LARGE[number]
    grey = Image.linear_gradient("L").resize((5000, 4900))
    if format in ("GIF", "JPEG2000"):  # colour takes twice the time
        return saved(grey, format, **options)
    return saved(Image.merge("RGB", [grey, grey.transpose(Image.Transpose.ROTATE_180), grey]), format, **options)
