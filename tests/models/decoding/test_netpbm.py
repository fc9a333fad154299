"""Tests PBM, PGM, PPM and PAM files in plain and binary form, with levels worked out by hand."""

import io

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from models.pictures import BrokenPicture, PictureTooLarge, UnclearLevels, decode, inspect

GREY = {
    "P1": (b"P1\n3 2\n1 0 1\n0 1 0\n", [[0, 255, 0], [255, 0, 255]]),
    "P1 without blanks": (b"P1 3 2 101010", [[0, 255, 0], [255, 0, 255]]),
    "P1 with a comment in it": (b"P1\n#c 1\n3 2\n10#1 1 1\n1010", [[0, 255, 0], [255, 0, 255]]),
    "P4": (b"P4\n3 2\n\xa0\x40", [[0, 255, 0], [255, 0, 255]]),
    "P4 of ten columns": (b"P4 10 1\n\xff\x00", [[0] * 8 + [255] * 2]),
    "P2": (b"P2\n# made by hand\n3 1\n255\n0 100 255\n", [[0, 100, 255]]),
    "P2 up to 15": (b"P2 3 1 15 0 7 15", [[0, 119, 255]]),
    "P2 up to 1000": (b"P2 3 1 1000 0 500 1000", [[0, 128, 255]]),
    "P5": (b"P5 3 1 255\n\x00\x64\xff", [[0, 100, 255]]),
    "P5 up to 15": (b"P5 3 1 15\n\x00\x07\x0f", [[0, 119, 255]]),
    "P5 up to 4095": (b"P5 3 1 4095\n\x00\x00\x08\x00\x0f\xff", [[0, 128, 255]]),
    "P5 up to 65535": (b"P5 3 1 65535\n\x00\x00\x10\xff\xff\xff", [[0, 17, 255]]),
    "P7 of bits": (b"P7\nWIDTH 2\nHEIGHT 1\nDEPTH 1\nMAXVAL 1\nTUPLTYPE BLACKANDWHITE\nENDHDR\n\x00\x01", [[0, 255]]),
    "P7 with alpha": (
        b"P7\n# c\nWIDTH 2\nHEIGHT 1\nDEPTH 2\nMAXVAL 255\nTUPLTYPE GRAYSCALE_ALPHA\nENDHDR\n\x09\xff\x00\x00",
        [[9, 255]],
    ),
}


@pytest.mark.parametrize("kind", GREY)
def test_grey_files_have_the_expected_levels(kind: str) -> None:
    data, expected = GREY[kind]
    picture = inspect(data)
    assert picture.pixels.tolist() == [expected] * 3
    assert (picture.format, picture.width, picture.height) == ("PPM", len(expected[0]), len(expected))


COLOURS = {
    "P3": b"P3 2 1 255 255 0 9 10 20 30",
    "P6": b"P6 2 1 255\n\xff\x00\x09\x0a\x14\x1e",
    "P6 of 16 bits": b"P6 2 1 65535\n" + np.array([255, 0, 9, 10, 20, 30], ">u2").__mul__(257).astype(">u2").tobytes(),
    "P6 up to 510": b"P6 2 1 510\n" + (np.array([255, 0, 9, 10, 20, 30]) * 2).astype(">u2").tobytes(),
    "P7": b"P7\nWIDTH 2\nHEIGHT 1\nDEPTH 3\nMAXVAL 255\nTUPLTYPE RGB\nENDHDR\n\xff\x00\x09\x0a\x14\x1e",
    "P7 with alpha": b"P7\nWIDTH 2\nHEIGHT 1\nDEPTH 4\nMAXVAL 255\nENDHDR\n\xff\x00\x09\xff\x0a\x14\x1e\xff",
}


@pytest.mark.parametrize("kind", COLOURS)
def test_colour_files_have_the_expected_levels(kind: str) -> None:
    assert decode(COLOURS[kind])[:, 0].T.tolist() == [[255, 0, 9], [10, 20, 30]]


@pytest.mark.parametrize("head", [b"P5\r\n3 2\r\n255\r\n", b"P5\n3 2\n255\n", b"P5 3 2 255 ", b"P5 3 2 255\r"])
def test_a_header_may_end_with_carriage_return_and_line_feed(head: bytes) -> None:
    """Where the file is one byte longer, the second byte of the line end is not taken for the first pixel."""
    assert decode(head + bytes([10, 20, 30, 40, 50, 60]))[0].tolist() == [[10, 20, 30], [40, 50, 60]]


def test_a_first_pixel_of_the_value_of_a_line_feed_is_a_pixel() -> None:
    assert decode(b"P5 3 2 255\r" + bytes([10, 20, 30, 40, 50, 60]))[0, 0, 0] == 10
    assert decode(b"P4 8 2\r\n\xf0\x0f")[0].tolist() == [[0] * 4 + [255] * 4, [255] * 4 + [0] * 4]


def test_12_bit_numbers_in_a_file_that_states_16_bits_are_refused() -> None:
    """Programs that know only the type of the numbers state 65,535; a stated 4,095 is used."""
    numbers = np.random.default_rng(0).integers(0, 4096, 64)
    data = b"P5 8 8 65535\n" + numbers.astype(">u2").tobytes()
    with pytest.raises(UnclearLevels, match=r"netpbm picture.*8 bits per channel"):
        decode(data)
    decoded = decode(data.replace(b"65535", b"4095"))[0].flatten().numpy()
    assert (decoded == np.rint(numbers * 255 / 4095)).all()


@pytest.mark.parametrize("mode", ["1", "L", "RGB"])
def test_files_written_by_pillow_are_decoded_exactly(mode: str) -> None:
    image = Image.fromarray(np.random.default_rng(1).integers(0, 256, (11, 13, 3), dtype=np.uint8)).convert(mode)
    buffer = io.BytesIO()
    image.save(buffer, "PPM")
    expected = torch.from_numpy(np.array(image.convert("RGB"))).permute(2, 0, 1)
    assert torch.equal(decode(buffer.getvalue()), expected)


@pytest.mark.parametrize(
    "data",
    [
        b"P5 3 1 255\n\x00\x64",
        b"P4 30 2\n\x00",
        b"P2 3 1 255 0 100",
        b"P2 3 1 255 0 100 256",
        b"P5 3 1 15\n\x00\x07\x10",
        b"P2 3 1 255 0 -1 2",
        b"P2 3 1 255 0 x 2",
        b"P1 3 1 012",
        b"P5 3 1 0\n\x00\x00\x00",
        b"P5 3 1 70000\n" + bytes(9),
        b"P5 3",
        b"P5 3 x 255\n" + bytes(9),
        b"P5 0 4 255\n",
        b"P7\nWIDTH 2\nHEIGHT 1\nENDHDR\n\x00",
        b"P7\nWIDTH 2\nHEIGHT 1\nDEPTH 9\nMAXVAL 255\nENDHDR\n" + bytes(18),
        b"Pf 2 1 0\n" + bytes(8),
        b"Pf 2 1 nan\n" + bytes(8),
        b"P3 4 4 255 " + b"9" * 5000,
    ],
)
def test_damaged_files_are_refused(data: bytes) -> None:
    with pytest.raises(BrokenPicture):
        decode(data)


def test_the_size_in_the_header_is_checked_first() -> None:
    """A file of a few bytes claims 400 million pixels, in every form."""
    for kind in (b"1", b"2", b"3", b"4", b"5", b"6"):
        with pytest.raises(PictureTooLarge, match="20000 x 20000 pixels"):
            decode(b"P" + kind + b" 20000 20000 255\n0")
    with pytest.raises(BrokenPicture, match="ends before"):
        decode(b"P3 5000 5000 255\n0 0 0")


@given(
    numbers=st.lists(st.integers(0, 300), min_size=12, max_size=12),
    between=st.sampled_from([b" ", b"\n", b"\t ", b"\r\n", b" # c\n"]),
    block=st.integers(8, 40),
)
@settings(max_examples=60)
def test_plain_numbers_may_cross_block_boundaries(numbers: list[int], between: bytes, block: int) -> None:
    """Plain text is read in blocks; for any block size the levels equal those of the binary form."""
    from models.decoding import netpbm

    plain = b"P3 2 2 300 " + between.join(b"%d" % number for number in numbers)
    binary = b"P6 2 2 300\n" + np.array(numbers, ">u2").tobytes()
    whole, netpbm.PLAIN_BLOCK = netpbm.PLAIN_BLOCK, block
    try:
        assert torch.equal(decode(plain), decode(binary))
    finally:
        netpbm.PLAIN_BLOCK = whole
