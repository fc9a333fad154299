"""Mutated picture files: each seed stands for one file, the same on every machine with the same libraries."""

import random
from typing import Literal

from soak.pictures.mutations.bases import LARGE, bases, large_base
from soak.pictures.mutations.sizes import enlarged
from soak.pictures.mutations.splitting import Pieces, joined, mended_boxes, pieces_of

MOST_BYTES = 3_000_000
"""Largest size of a mutated file."""
LARGE_SHARE = 0.005
"""Share of the files that are made from a picture of 24.5 megapixels: each takes half a second to decode."""
ENLARGED_SHARE = 0.1
"""Share of the other files whose header states a large size."""
NUMBERS = (
    0,
    1,
    2,
    3,
    7,
    8,
    255,
    256,
    1000,
    4095,
    4999,
    16_383,
    32_767,
    65_535,
    2**24,
    2**31 - 1,
    2**31,
    2**32 - 1,
    2**63,
)
"""Numbers that are written over others: the ends of types, and sizes that are still allowed."""
REPEATS = (2, 3, 20, 300, 5_000, 60_000, 1_000_000)
"""How often a piece is repeated, as far as MOST_BYTES allows."""


def mutated(seed: int) -> tuple[str, bytes]:
    """Return the format and the bytes of a damaged or hostile file: a picture with one to six changes.

    Nearly all are small, many of which state a large size, and some have 24.5 megapixels.

    The changes are those of a format's pieces (segments, chunks, tags, boxes): left out, repeated up to a million
    times, exchanged, cut off, put into one another, with other numbers in them; and those of single bytes.
    """
    draw = random.Random(seed)
    if draw.random() < LARGE_SHARE:
        number = draw.randrange(len(LARGE))
        format, data = LARGE[number][0], large_base(number)
    else:
        formats = sorted({format for format, _ in bases()})
        format = draw.choice(formats)  # formats are equally frequent, however many variants they have
        data = draw.choice([data for kind, data in bases() if kind == format])
        if draw.random() < ENLARGED_SHARE:
            data = enlarged(draw, format, data)
    if draw.random() < 0.2:
        return format, _with_changed_bytes(draw, data)
    pieces = pieces_of(format, data)
    for _ in range(draw.choice((1, 1, 1, 2, 3, 6))):
        pieces = _with_changed_pieces(draw, format, pieces)
    file = joined(format, pieces, mended=draw.random() < 0.8)
    if draw.random() < 0.1:
        file = _with_changed_bytes(draw, file)
    return format, file[:MOST_BYTES]


def _with_changed_pieces(draw: random.Random, format: str, pieces: Pieces) -> Pieces:
    if not pieces:
        return pieces
    index = draw.randrange(len(pieces))
    piece, before, after = pieces[index], pieces[:index], pieces[index + 1 :]
    match draw.choice(("number",) * 6 + ("repeat",) * 4 + ("delete", "exchange", "cut", "lengthen", "nest", "foreign")):
        case "number":
            changed = [_with_number(draw, piece)]
        case "repeat":
            times = min(draw.choice(REPEATS), max(1, MOST_BYTES // max(len(piece), 1)))
            changed = [piece * times]
        case "delete":
            changed = []
        case "exchange":
            other = draw.randrange(len(pieces))
            exchanged = list(pieces)
            exchanged[index], exchanged[other] = exchanged[other], exchanged[index]
            return exchanged
        case "cut":
            changed = [piece[: draw.randrange(len(piece) + 1)]]
        case "lengthen":
            changed = [piece + bytes([draw.choice((0, 255, 65))]) * draw.choice((1, 2, 100, 70_000))]
        case "nest":
            place = draw.randrange(len(piece) + 1)
            changed = [piece[:place] + draw.choice(pieces)[:100_000] + piece[place:]]
        case _:
            others = pieces_of(format, draw.choice([data for kind, data in bases() if kind == format]))
            changed = [piece, draw.choice(others)]
    result = [*before, *changed, *after]
    if format in ("AVIF", "HEIF", "JPEG2000") and draw.random() < 0.8:
        result = mended_boxes(result, index, sum(map(len, changed)) - len(piece))
    return result


def _with_number(draw: random.Random, piece: bytes) -> bytes:
    """Write another number over one near the beginning of a piece, where lengths, counts and sizes stand."""
    if not piece:
        return piece
    width = draw.choice((1, 2, 2, 4, 4, 8))
    place = draw.randrange(min(len(piece), 40)) if draw.random() < 0.8 else draw.randrange(len(piece))
    order: Literal["little", "big"] = draw.choice(("little", "big"))
    value = draw.choice(NUMBERS)
    if draw.random() < 0.4:
        value = int.from_bytes(piece[place : place + width], order) + draw.choice((-16, -2, -1, 1, 2, 16, 256))
    return piece[:place] + (value % (1 << 8 * width)).to_bytes(width, order) + piece[place + width :]


def _with_changed_bytes(draw: random.Random, data: bytes) -> bytes:
    file = bytearray(data)
    for _ in range(draw.choice((1, 2, 4, 16))):
        place = draw.randrange(len(file) + 1)
        match draw.choice(("set", "set", "set", "flip", "delete", "insert", "cut")):
            case "set" if place < len(file):
                file[place] = draw.choice((0, 1, 127, 128, 254, 255, draw.randrange(256)))
            case "flip" if place < len(file):
                file[place] ^= 1 << draw.randrange(8)
            case "delete":
                del file[place : place + draw.choice((1, 2, 4, 32))]
            case "insert":
                file[place:place] = draw.randbytes(draw.choice((1, 2, 4, 32)))
            case "cut" if draw.random() < 0.2:
                del file[place:]
    return bytes(file)
