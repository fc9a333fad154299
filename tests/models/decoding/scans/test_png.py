"""The scan of a PNG: what is cut off, what is left out, and what is refused."""

import struct
import zlib

import numpy as np
import pytest
import torch

from models.decoding.errors import BrokenPicture
from models.decoding.scans.png import significant_bits, trimmed
from models.pictures import decode
from soak.pictures.files import chunk, png

PIXELS = np.random.default_rng(0).integers(0, 256, (12, 20, 3))
PLAIN = png(PIXELS, bits=8)
EXIF = b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0"


def test_a_picture_without_metadata_is_not_copied() -> None:
    assert trimmed(PLAIN) is PLAIN


def test_chunks_that_the_pixels_do_not_need_are_left_out() -> None:
    """Ancillary ones, critical ones of an unknown type, and what follows the end."""
    others = chunk(b"tEXt", b"Comment\0hello") + chunk(b"iCCP", bytes(900)) + chunk(b"ABCD", b"x")
    assert trimmed(png(PIXELS, bits=8, before=others, after=others) + b"a video") == PLAIN


def test_a_long_animation_is_cut_off_behind_its_first_picture() -> None:
    """60,000 frames of a few bytes each are more chunks than a picture may have."""
    frame = chunk(b"fcTL", bytes(26)) + chunk(b"fdAT", bytes(20))
    data = png(PIXELS, bits=8, before=chunk(b"acTL", struct.pack(">II", 60_000, 0)), after=60_000 * frame)
    assert trimmed(data) == PLAIN
    assert torch.equal(decode(data), decode(PLAIN))


@pytest.mark.parametrize("place", ["before", "after"])
@pytest.mark.parametrize(
    "metadata",
    [
        chunk(b"eXIf", EXIF),
        chunk(b"eXIf", b"Exif\0\0" + EXIF),
        chunk(b"tEXt", b"Raw profile type exif\0\nexif\n 26\n" + EXIF.hex().encode()),
        chunk(b"iTXt", b'XML:com.adobe.xmp\0\0\0\0\0<a tiff:Orientation="6"/>'),
        chunk(b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + zlib.compress(b"<tiff:Orientation>6<")),
    ],
)
def test_only_the_orientation_is_left_of_exif_and_texts(metadata: bytes, place: str) -> None:
    short = trimmed(png(PIXELS, bits=8, **{place: metadata}))
    assert short == png(PIXELS, bits=8, before=chunk(b"eXIf", EXIF))


def test_no_more_than_16_texts_are_unpacked() -> None:
    """The seventeenth states the orientation, and no program writes so many."""
    others = 16 * chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0nothing")
    assert trimmed(png(PIXELS, bits=8, before=others + chunk(b"eXIf", EXIF))) == PLAIN


def test_a_damaged_chunk_before_the_end_is_left_to_the_decoder() -> None:
    """A chunk of the pixels that is cut off stays, so that the decoder refuses it; behind the pixels it is left out."""
    cut = PLAIN[: PLAIN.index(b"IDAT") + 100]
    assert trimmed(cut) is cut
    with pytest.raises(BrokenPicture):
        decode(cut)
    assert trimmed(PLAIN[:-12] + chunk(b"tIME", bytes(7)) + struct.pack(">I", 2**31) + b"tEXt") == PLAIN


def test_too_many_pieces_of_pixels_are_refused() -> None:
    empty = 11_000 * chunk(b"IDAT", b"")
    with pytest.raises(BrokenPicture, match="more pieces than any program writes"):
        trimmed(png(PIXELS, bits=8, before=empty))


def test_the_significant_bits_are_those_of_an_intact_chunk() -> None:
    """The largest of the channels; a chunk behind the pixels says nothing."""
    bits = chunk(b"sBIT", b"\x05\x06\x07")
    assert significant_bits(trimmed(png(PIXELS, bits=8, before=bits))) == 7
    assert significant_bits(trimmed(png(PIXELS, bits=8, after=bits))) is None
    assert significant_bits(png(PIXELS, bits=8, before=chunk(b"sBIT", b"\7", valid=False))) is None
