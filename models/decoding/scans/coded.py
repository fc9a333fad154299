"""How many frames a coded picture in an AVIF or HEIC has, and how large they are."""

from dataclasses import dataclass

from models.decoding.scans import pieces
from models.decoding.scans.bits import av1_size, hevc_size
from models.decoding.scans.boxes import number

SEQUENCE_HEADER, FRAME_HEADERS = 1, (3, 6)
"""Types of AV1 units: the header of a sequence, and the two that begin a frame."""
SEQUENCE_SET = 33
"""Type of the HEVC unit that states the size."""


@dataclass
class Coded:
    """The number of frames, pixels of one, and units that were read."""

    frames: int = 0
    pixels: int = 0
    units: int = 0


def av1(data: bytes) -> Coded:
    """Read the open bitstream units (AV1, 5.3) of a picture, up to the first bytes that are no unit."""
    coded, start, end = Coded(), 0, len(data)
    while start < end and coded.frames <= pieces.MOST_FRAMES and coded.units <= pieces.FEW_PIECES:
        header = data[start]
        kind = header >> 3 & 15
        if header & 0x81:  # the forbidden and the reserved bit
            break
        coded.units += 1
        coded.frames += kind in FRAME_HEADERS
        start += 2 if header & 4 else 1
        size = end - start if not header & 2 else 0
        shift = 0
        while header & 2 and start < end and shift < 56:
            byte = data[start]
            size |= (byte & 0x7F) << shift
            start, shift = start + 1, shift + 7
            if byte < 0x80:
                break
        if kind == SEQUENCE_HEADER:
            width, height = av1_size(data[start : min(start + size, end)])
            coded.pixels = max(coded.pixels, width * height)
        start += size
    return coded


def hevc(data: bytes) -> Coded:
    """Read the units of an HEVC picture, which have their lengths before them (ISO/IEC 14496-15)."""
    coded, start, end = Coded(), 0, len(data)
    while start + 7 <= end and coded.frames <= pieces.MOST_FRAMES and coded.units <= pieces.FEW_PIECES:
        kind, size = data[start + 4] >> 1 & 63, number(data, start, 4)
        coded.units += 1
        coded.frames += kind < 32 and data[start + 6] >= 0x80  # the first slice of a frame (H.265, 7.3.6.1)
        if kind == SEQUENCE_SET:
            coded.pixels = max(coded.pixels, _hevc_pixels(data[start + 4 : min(start + 4 + size, end)]))
        start += 4 + size
    return coded


def hevc_configuration(data: bytes, start: int, end: int) -> int:
    """Pixels of a frame by the sequence parameter sets in a box hvcC (ISO/IEC 14496-15, 8.3.3.1)."""
    place, pixels = start + 23, 0
    for _ in range(number(data, start + 22, 1)):
        units, place = number(data, place + 1, 2), place + 3
        for _ in range(units):
            size = number(data, place, 2)
            if place + 2 + size > end:
                return pixels
            unit = data[place + 2 : place + 2 + size]
            if unit and unit[0] >> 1 & 63 == SEQUENCE_SET:
                pixels = max(pixels, _hevc_pixels(unit))
            place += 2 + size
    return pixels


def _hevc_pixels(unit: bytes) -> int:
    width, height = hevc_size(unit)
    return width * height
