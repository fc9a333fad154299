"""Tests 16-bit samples: they become the right levels, or an error states their range."""

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image, features

from models.pictures import BrokenPicture, UnclearLevels, decode
from soak.pictures.files import chunk, grey_tiff, png, tiff
from tests.models.decoding.levels import LEVELS, RAMP, grey, levels, noise


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("compression", [1, 8])
def test_every_16_bit_number_becomes_the_nearest_level(order: str, compression: int) -> None:
    """65,535 is white, so number n becomes level n / 257, rounded."""
    pixels = RAMP.astype(order + "u2").tobytes()
    packed = zlib.compress(pixels) if compression == 8 else pixels
    assert (grey(tiff(packed, 256, 256, bits=16, order=order, compression=compression)) == LEVELS).all()
    assert (grey(png(RAMP[..., None], bits=16)) == LEVELS).all()


@pytest.mark.parametrize("channels", [3, 4])
@pytest.mark.parametrize("kind", ["png", "interlaced png", "tiff", "big-endian tiff", "compressed tiff"])
def test_16_bit_colours_are_rounded_and_not_truncated(kind: str, channels: int) -> None:
    """0x10FF becomes level 17, though its upper byte is 16; alpha is opaque."""
    rotated = RAMP.T[::-1]
    colours = np.stack([RAMP, rotated, RAMP[::-1], np.full_like(RAMP, 65535)][:channels], axis=-1).astype(np.uint16)
    alpha = {338: ("u2", 2)} if channels == 4 else {}
    if "png" in kind:
        data = png(colours, bits=16, interlaced=kind == "interlaced png")
    elif kind == "compressed tiff":
        data = tiff(
            zlib.compress(colours.astype("<u2").tobytes()),
            256,
            256,
            bits=16,
            channels=channels,
            compression=8,
            extra_tags=alpha,
        )
    else:
        data = grey_tiff(colours, order=">" if kind == "big-endian tiff" else "<", extra_tags=alpha)
    assert (levels(data) == np.stack([LEVELS, LEVELS.T[::-1], LEVELS[::-1]], axis=-1)).all()


def test_16_bit_grey_with_alpha_is_composited_on_white() -> None:
    """Opaque pixels are unchanged, transparent ones become white, and black at alpha 1/5 becomes 204."""
    numbers = np.array([[[65535, 65535], [257 * 100, 65535], [0, 0], [0, 13107]]])
    for interlaced in (False, True):
        assert grey(png(numbers, bits=16, interlaced=interlaced)).tolist() == [[255, 100, 255, 204]]


def test_16_bit_colours_with_alpha_are_composited_on_white() -> None:
    numbers = np.array([[[65535, 0, 257 * 9, 65535], [0, 0, 0, 0], [0, 0, 0, 13107]]])
    assert levels(png(numbers, bits=16)).tolist() == [[[255, 0, 9], [255, 255, 255], [204, 204, 204]]]


def test_only_the_exact_16_bit_transparent_colour_is_transparent() -> None:
    """A colour that has only the same upper bytes is opaque."""
    numbers = np.array([[[40000, 50000, 60000], [40001, 50000, 60000]]])
    decoded = levels(png(numbers, bits=16, before=chunk(b"tRNS", struct.pack(">3H", 40000, 50000, 60000))))
    assert decoded[0].tolist() == [[255, 255, 255], [156, 195, 233]]


@pytest.mark.parametrize("bits", [8, 9, 10, 12, 14, 15])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("kind", ["png", "tiff"])
def test_fewer_bits_in_a_16_bit_file_are_refused(kind: str, channels: int, bits: int) -> None:
    """Taken for 16 bits, they would be nearly black. The message has their range and the likely white."""
    numbers = noise((1 << bits) - 1, (16, 24, channels)).astype(np.uint16)
    data = png(numbers, bits=16) if kind == "png" else grey_tiff(numbers[..., 0] if channels == 1 else numbers)
    with pytest.raises(UnclearLevels, match=rf"from 0 to {(1 << bits) - 1:,}.*8 bits per channel, with black as 0"):
        decode(data)


def test_grey_with_alpha_of_12_bits_is_refused() -> None:
    numbers = np.stack([noise(4095), np.full((16, 24), 65535)], axis=-1)
    with pytest.raises(UnclearLevels, match="0 to 4,095"):
        decode(png(numbers, bits=16))


def test_numbers_around_the_middle_of_the_range_are_refused() -> None:
    """A known data set of CT slices stores Hounsfield units + 32,768, which would become a uniform grey."""
    with pytest.raises(UnclearLevels, match="from 31,744 to 35,839"):
        decode(png((noise(4095) + 31744)[..., None], bits=16))


@pytest.mark.parametrize("level", [0, 20, 255])
def test_8_bit_levels_times_257_are_accepted_however_dark(level: int) -> None:
    """Programs convert 8 to 16 bits in this way, and no other range gives only multiples of 257."""
    dark = noise(level, (16, 24))
    assert (grey(png(257 * dark[..., None], bits=16)) == dark).all()
    colours = np.stack([dark, dark, dark], axis=-1)
    assert (grey(grey_tiff((257 * colours).astype(np.uint16))) == dark).all()


def test_a_dark_picture_with_16_significant_bits_is_accepted() -> None:
    numbers = noise(4095)
    decoded = grey(png(numbers[..., None], bits=16, before=chunk(b"sBIT", b"\x10")))
    assert (decoded == np.rint(numbers / 257)).all()


def test_12_significant_bits_in_the_low_bits_are_scaled() -> None:
    """The sBIT chunk states 12 bits and the numbers are not scaled up to 16 bits, so 4,095 is white."""
    numbers = noise(4095)
    decoded = grey(png(numbers[..., None], bits=16, before=chunk(b"sBIT", b"\x0c")))
    assert (decoded == np.rint(numbers * 255 / 4095)).all()


@pytest.mark.parametrize("scaled", ["moved", "repeated", "multiplied"])
def test_12_significant_bits_that_were_scaled_up_are_read_as_16_bits(scaled: str) -> None:
    """The PNG standard names three ways of scaling up; the picture may be dark."""
    twelve = noise(1000)
    wide = {
        "moved": twelve << 4,
        "repeated": twelve << 4 | twelve >> 8,
        "multiplied": np.rint(twelve * 65535 / 4095).astype(int),
    }
    decoded = grey(png(wide[scaled][..., None], bits=16, before=chunk(b"sBIT", b"\x0c")))
    assert (decoded == np.rint(wide[scaled] / 257)).all()


@pytest.mark.parametrize("channels", [1, 3])
def test_ambiguous_12_significant_bits_are_refused(channels: int) -> None:
    """Multiples of 16 up to 4,080 may be low 12-bit numbers, or 12 bits scaled up to a nearly black picture."""
    numbers = noise(255, (16, 24, channels)) * 16
    with pytest.raises(UnclearLevels, match="from 0 to 4,080"):
        decode(png(numbers, bits=16, before=chunk(b"sBIT", b"\x0c" * channels)))


@pytest.mark.parametrize("channels", [2, 3, 4])
def test_significant_bits_are_used_for_colours_and_alpha(channels: int) -> None:
    """As for grey, low 12-bit numbers have the white 4,095, and those that were scaled up 65,535."""
    numbers = noise(4095, (16, 24, channels), seed=channels)
    if channels != 3:
        numbers[..., -1] = 65535
    bits = chunk(b"sBIT", b"\x0c" * channels)
    colours = numbers[..., : {2: 1, 3: 3, 4: 3}[channels]]
    assert (levels(png(numbers, bits=16, before=bits)) == np.rint(colours * 255 / 4095)).all()
    dark = noise(1200, (16, 24, 3)) * 16
    assert (levels(png(dark, bits=16, before=chunk(b"sBIT", b"\x0c" * 3))) == np.rint(dark / 257)).all()


@pytest.mark.parametrize("bits", [10, 12])
@pytest.mark.parametrize("channels", [1, 3])
def test_a_single_bright_pixel_does_not_make_a_range_clear(bits: int, channels: int) -> None:
    """One 65,535 among 12-bit numbers must not have them accepted as 16 bits."""
    numbers = noise((1 << bits) - 1, (40, 40, channels))
    numbers[20, 20] = 65535
    with pytest.raises(UnclearLevels, match="nearly all of which lie between"):
        decode(png(numbers, bits=16))


def test_a_dark_float_picture_with_one_bright_pixel_is_refused() -> None:
    numbers = (noise(1000, (40, 40)) / 20_000).astype(np.float32)
    numbers[5, 5] = 1
    with pytest.raises(UnclearLevels, match=r"nearly all of which lie between 0 and 0\.05"):
        decode(grey_tiff(numbers))


def test_negative_numbers_that_lost_their_sign_are_refused() -> None:
    """A scan of -1,000 to 3,000 stored as unsigned numbers would show air as the brightest material."""
    signed = noise(4000, (40, 40)) - 1000
    with pytest.raises(UnclearLevels, match="as if negative numbers had been stored without their sign"):
        decode(png(signed.astype(np.int16).view(np.uint16)[..., None], bits=16))


def test_a_drawing_of_few_tones_is_accepted() -> None:
    numbers = np.array([0, 300, 65000, 65535])[noise(3, (40, 40))]
    assert (grey(png(numbers[..., None], bits=16)) == np.rint(numbers / 257)).all()


@pytest.mark.parametrize(
    ("numbers", "example"),
    [(np.arange(20, 32700, 17), "32,767"), (np.arange(3, 4000), "4,095"), (np.arange(31_744, 34_804), "")],
)
def test_the_example_in_a_refusal_fits_the_numbers(numbers: np.ndarray, example: str) -> None:
    with pytest.raises(UnclearLevels) as caught:
        decode(png(np.resize(numbers, (64, 64, 1)), bits=16))
    assert f"where white is {example}" in caught.value.remedy if example else "where" not in caught.value.remedy


@pytest.mark.skipif(not features.check("jpg_2000"), reason="this Pillow reads no JPEG 2000")
def test_a_16_bit_jpeg_2000_is_handled_as_a_png() -> None:
    """The whole 16-bit range is scaled, and 12-bit numbers are refused."""

    def file_of(numbers: np.ndarray) -> bytes:
        buffer = io.BytesIO()
        Image.fromarray(numbers.astype(np.uint16)).save(buffer, "JPEG2000")
        return buffer.getvalue()

    assert (grey(file_of(RAMP)) == LEVELS).all()
    with pytest.raises(UnclearLevels, match="16-bit JPEG 2000 holds numbers from 0 to 4,095"):
        decode(file_of(noise(4095)))


def test_unclear_levels_is_a_subclass_of_broken_picture() -> None:
    assert issubclass(UnclearLevels, BrokenPicture)
