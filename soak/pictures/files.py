"""Writes PNG and TIFF files byte by byte, so that every number in them is known."""

import struct
import zlib
from collections.abc import Mapping
from typing import Any, Literal

import numpy as np


def chunk(kind: bytes, body: bytes, *, valid: bool = True) -> bytes:
    """Return one chunk of a PNG, with a valid checksum or a wrong one."""
    check = zlib.crc32(kind + body) ^ (not valid)
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", check)


PASSES = ((0, 8, 0, 8), (0, 8, 4, 8), (4, 8, 0, 4), (0, 4, 2, 4), (2, 4, 0, 2), (0, 2, 1, 2), (1, 2, 0, 1))
"""The seven passes of Adam7 interlacing: first row, row step, first column, column step."""


def png(numbers: np.ndarray, *, bits: int, before: bytes = b"", after: bytes = b"", interlaced: bool = False) -> bytes:
    """Write [h, w, c] (1 grey, 2 grey and alpha, 3 RGB, 4 RGBA) as a PNG; `before` and `after` are chunks."""
    height, width, channels = numbers.shape
    colour = {1: 0, 2: 4, 3: 2, 4: 6}[channels]
    rows = numbers.astype(">u2" if bits == 16 else "u1")
    parts = [rows[top::down, left::across] for top, down, left, across in PASSES] if interlaced else [rows]
    packed = zlib.compress(b"".join(b"\0" + row.tobytes() for part in parts for row in part if row.size))
    header = struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, interlaced)
    end = chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + before + chunk(b"IDAT", packed) + after + end


TYPES = {"u1": 1, "u2": 3, "u4": 4, "f4": 11, "f8": 12}


def tiff(
    pixels: bytes,
    width: int,
    height: int,
    *,
    bits: int,
    channels: int = 1,
    photometric: int | None = None,
    format: int = 1,
    order: str = "<",
    compression: int = 1,
    planar: int = 1,
    extra_tags: Mapping[int, tuple[str, float]] | None = None,
) -> bytes:
    """Return a TIFF of one strip of pixels; `extra_tags` maps tag numbers to a numpy type and one value."""
    values: dict[int, tuple[str, tuple[float, ...]]] = {
        256: ("u4", (width,)),
        257: ("u4", (height,)),
        258: ("u2", (bits,) * channels),
        259: ("u2", (compression,)),
        262: ("u2", (2 if channels >= 3 else 1,) if photometric is None else (photometric,)),
        273: ("u4", (8,) if planar == 1 else tuple(8 + k * len(pixels) // channels for k in range(channels))),
        277: ("u2", (channels,)),
        278: ("u4", (height,)),
        279: ("u4", (len(pixels),) if planar == 1 else (len(pixels) // channels,) * channels),
        284: ("u2", (planar,)),
        339: ("u2", (format,) * channels),
    }
    values |= {tag: (kind, (value,)) for tag, (kind, value) in (extra_tags or {}).items()}
    start = 8 + len(pixels) + len(pixels) % 2
    behind = start + 2 + 12 * len(values) + 4
    entries, tail = b"", b""
    for tag, (kind, items) in sorted(values.items()):
        body = np.array(items, order + kind).tobytes()
        if len(body) > 4:
            place = struct.pack(order + "I", behind + len(tail))
            tail += body + b"\0" * (len(body) % 2)
        else:
            place = body.ljust(4, b"\0")
        entries += struct.pack(order + "HHI", tag, TYPES[kind], len(items)) + place
    head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(order + "I", start)
    directory = struct.pack(order + "H", len(values)) + entries + bytes(4)
    return head + pixels + b"\0" * (len(pixels) % 2) + directory + tail


def grey_tiff(numbers: np.ndarray, *, order: Literal["<", ">"] = "<", **options: Any) -> bytes:
    """Return a TIFF of [h, w] or [h, w, c] samples of any number type of numpy."""
    kind = numbers.dtype
    height, width = numbers.shape[:2]
    channels = numbers.shape[2] if numbers.ndim == 3 else 1
    pixels = numbers.astype(kind.newbyteorder(order)).tobytes()
    formats = {"u": 1, "i": 2, "f": 3, "c": 6}
    ordinary: dict[str, Any] = {"bits": kind.itemsize * 8, "channels": channels, "format": formats[kind.kind]}
    return tiff(pixels, width, height, order=order, **ordinary | options)
