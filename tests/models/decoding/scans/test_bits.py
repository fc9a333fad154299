"""Sizes in the headers of AV1 and HEVC, against those of pictures that were encoded."""

import pytest

from models.decoding.scans.bits import Bits, av1_size, hevc_size


def test_numbers_are_read_from_the_first_bit_on() -> None:
    """1010 0101 1111 0000, and zeros behind the end."""
    bits = Bits(b"\xa5\xf0")
    assert [bits.read(count) for count in (1, 3, 4, 6, 4)] == [1, 0b010, 0b0101, 0b111100, 0]


@pytest.mark.parametrize(("code", "number"), [(0b1 << 7, 0), (0b010 << 5, 1), (0b011 << 5, 2), (0b00111 << 3, 6)])
def test_numbers_in_exp_golomb_code(code: int, number: int) -> None:
    """The table at the beginning of 9.2 in H.265."""
    assert Bits(bytes([code])).golomb() == number


def test_a_code_without_end_ends() -> None:
    assert Bits(b"").golomb() == 0
    assert Bits(bytes(100)).golomb() == (1 << 32) - 1


def packed(*fields: tuple[int, int]) -> bytes:
    """Write numbers, each with its number of bits, and fill up the last byte."""
    text = "".join(f"{value:0{count}b}" for value, count in fields)
    return int(text.ljust(-(-len(text) // 8) * 8, "0"), 2).to_bytes(-(-len(text) // 8), "big")


def test_the_short_header_of_an_av1_still_picture() -> None:
    """Profile, still picture, short form, level, then bits of width and height, and both less one (5.5.1)."""
    assert av1_size(packed((0, 3), (1, 1), (1, 1), (8, 5), (11, 4), (10, 4), (3999, 12), (1999, 11))) == (4000, 2000)


def test_the_long_header_of_an_av1_animation() -> None:
    """With timing, a model of the decoder whose delays have 10 bits, and two operating points, one of a high tier."""
    timing = [(1, 1), (1, 32), (30, 32), (1, 1), (1, 1)]  # the last is the code of 0
    model = [(1, 1), (9, 5), (1, 32), (3, 5), (4, 5)]
    first = [(1, 12), (9, 5), (1, 1), (1, 1), (5, 10), (6, 10), (0, 1), (1, 1), (3, 4)]
    second = [(1, 12), (5, 5), (0, 1), (0, 1)]
    size = [(15, 4), (15, 4), (65_535, 16), (16_383, 16)]
    header = packed((0, 3), (0, 1), (0, 1), *timing, *model, (1, 1), (1, 5), *first, *second, *size)
    assert av1_size(header) == (65_536, 16_384)


def golomb(value: int) -> tuple[int, int]:
    return value + 1, 2 * (value + 1).bit_length() - 1


def test_an_hevc_parameter_set_with_layers() -> None:
    """Two layers below the highest, of which one has a profile and one a level, and colours that are not subsampled."""
    layers = [(0b10, 2), (0b01, 2), *[(0, 2)] * 6, (1, 88), (1, 8)]
    profile = [(0, 4), (2, 3), (1, 1), (1, 88), (93, 8), *layers]
    unit = packed((0x4201, 16), *profile, golomb(0), golomb(3), (0, 1), golomb(4000), golomb(3000))
    escaped = unit[:3]
    for byte in unit[3:]:
        # An encoder writes a 3 between two zeros and a small byte.
        escaped += (b"\3" if escaped.endswith(b"\0\0") and byte <= 3 else b"") + bytes([byte])
    assert escaped != unit
    assert hevc_size(escaped) == (4000, 3000)
