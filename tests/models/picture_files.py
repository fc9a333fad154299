"""Builds small pictures whose pixels are all known, and encodes them as files."""

import io
import struct
import zlib

import torch
from PIL import Image
from torch import Tensor

ORIENTATION = 0x0112


FORMATS = ["PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF"]


def file_of(image: Image.Image, format: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format, **options)
    return buffer.getvalue()


def image_of(pixels: Tensor) -> Image.Image:
    return Image.fromarray(pixels.permute(1, 2, 0).numpy())


def corners() -> Tensor:
    """Return 2 x 3 pixels that all differ: red is 0, 40, .. 200, green is 255 - red and blue is red // 2."""
    red = torch.arange(6, dtype=torch.uint8).reshape(2, 3) * 40
    return torch.stack([red, 255 - red, red // 2])


def png_of_size(width: int, height: int) -> bytes:
    """Return a PNG whose header states the given size, but whose data are only a few bytes."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    pixels = zlib.compress(bytes(900))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")
