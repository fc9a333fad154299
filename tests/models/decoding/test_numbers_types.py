"""Tests TIFF tags, floats and other sample types: the white level is known, or an error states what was received."""

import numpy as np
import pytest

from models.pictures import BrokenPicture, UnclearLevels, decode
from soak.pictures.files import grey_tiff, tiff
from tests.models.decoding.levels import LEVELS, RAMP, grey, levels, noise


def test_a_tiff_of_unknown_compression_is_refused_for_that() -> None:
    """JPEG 2000 within a TIFF is refused for its compression, not for unclear levels."""
    with pytest.raises(BrokenPicture, match=r"packed by a method \(compression 34712\)") as caught:
        decode(tiff(bytes(12), 2, 2, bits=8, channels=3, compression=34712))
    assert not isinstance(caught.value, UnclearLevels)
    assert "save it without compression" in caught.value.remedy


@pytest.mark.parametrize("tag", [281, 341])
@pytest.mark.parametrize("white", [1023, 4095, 65535])
def test_a_stated_largest_value_of_full_bits_is_white(white: int, tag: int) -> None:
    """The tags MaxSampleValue and SMaxSampleValue count if they are 2 ** bits - 1."""
    numbers = noise(900).astype(np.uint16)
    assert (
        grey(grey_tiff(numbers, extra_tags={tag: ("u2", white)})) == np.rint(numbers.astype(int) * 255 / white)
    ).all()


def test_a_stated_largest_value_that_is_a_statistic_is_not_white() -> None:
    """3,871 is no end of a range of bits, only the largest number of this picture."""
    with pytest.raises(UnclearLevels, match="3,871"):
        decode(grey_tiff(noise(3871).astype(np.uint16), extra_tags={281: ("u2", 3871)}))


def test_numbers_above_the_stated_white_are_refused() -> None:
    with pytest.raises(UnclearLevels, match="5,000, although it says that 4,095 is white"):
        decode(grey_tiff(noise(5000).astype(np.uint16), extra_tags={281: ("u2", 4095)}))


def test_packed_12_bit_numbers_have_the_white_4095() -> None:
    """Two numbers are stored in three bytes, and BitsPerSample states 12 bits."""
    numbers = noise(4095, (4, 8))
    first, second = numbers[:, 0::2], numbers[:, 1::2]
    packed = np.stack([first >> 4, (first & 15) << 4 | second >> 8, second & 255], axis=-1).astype(np.uint8)
    assert (grey(tiff(packed.tobytes(), 8, 4, bits=12)) == np.rint(numbers * 255 / 4095)).all()


def test_16_bit_white_is_zero_is_inverted() -> None:
    """With the photometric interpretation 0, 0 is white and 65,535 is black."""
    assert (grey(grey_tiff(RAMP.astype(np.uint16), photometric=0)) == 255 - LEVELS).all()


@pytest.mark.parametrize("order", ["<", ">"])
def test_floats_from_0_to_1_become_levels(order: str) -> None:
    """By convention 1 is white; numbers are rounded to the nearest level."""
    numbers = np.linspace(0, 1, 16 * 24, dtype=np.float32).reshape(16, 24)
    assert (grey(grey_tiff(numbers, order=order)) == np.rint(numbers.astype(float) * 255)).all()


def pfm(numbers: np.ndarray, kind: bytes) -> bytes:
    """Return a little-endian portable float map, which stores the lowest row first."""
    height, width = numbers.shape[:2]
    return b"P%c\n%d %d\n-1.0\n" % (kind, width, height) + numbers[::-1].astype("<f4").tobytes()


def test_a_portable_float_map_from_0_to_1_becomes_levels() -> None:
    numbers = np.linspace(0, 1, 16 * 24 * 3, dtype=np.float32).reshape(16, 24, 3)
    assert (levels(pfm(numbers, b"F")) == np.rint(numbers.astype(float) * 255)).all()
    assert (grey(pfm(numbers[..., 0], b"f")) == np.rint(numbers[..., 0].astype(float) * 255)).all()


UNCLEAR_FLOATS = {
    "0 to 255": (np.linspace(0, 255, 384), "0 to 255"),
    "-1 to 1": (np.linspace(-1, 1, 384), "-1 to 1: negative"),
    "all dark": (np.linspace(0, 0.2, 384), "0 to 0.2"),
    "all 0": (np.zeros(384), "0 to 0"),
    "a little more than 1": (np.linspace(0, 1.001, 384), "1.001"),
    "NaN": (np.append(np.linspace(0, 1, 383), np.nan), "not finite"),
    "infinite": (np.append(np.linspace(0, 1, 383), np.inf), "not finite"),
}


@pytest.mark.parametrize("kind", UNCLEAR_FLOATS)
def test_floats_of_another_range_are_refused(kind: str) -> None:
    numbers, reason = UNCLEAR_FLOATS[kind]
    with pytest.raises(UnclearLevels, match=f"32 bits.*{reason}.*convert it to 8 bits"):
        decode(grey_tiff(numbers.reshape(16, 24).astype(np.float32)))


def test_floats_with_a_stated_white_of_255_become_levels() -> None:
    """The white is stated by the tags SMinSampleValue and SMaxSampleValue."""
    numbers = np.linspace(0, 255, 384, dtype=np.float32).reshape(16, 24)
    data = grey_tiff(numbers, extra_tags={340: ("f4", 0), 341: ("f4", 255)})
    assert (grey(data) == np.rint(numbers)).all()


UNSUPPORTED = {
    "32 bits unsigned": (noise(255).astype(np.uint32), {}),
    "32 bits signed": (noise(70000).astype(np.int32), {}),
    "32 bits negative": (noise(255).astype(np.int32) - 9, {}),
    "16 bits signed": (noise(32767).astype(np.int16), {}),
    "16 bits negative": (noise(3000).astype(np.int16) - 1000, {}),
    "8 bits signed": (noise(127).astype(np.int8), {}),
    "64-bit floats": (noise(1).astype(np.float64), {}),
    "RGB floats": (noise(1, (8, 8, 3)).astype(np.float32), {}),
    "5 channels of 16 bits": (noise(65535, (8, 8, 5)).astype(np.uint16), {}),
    "2 channels of 16 bits": (noise(65535, (8, 8, 2)).astype(np.uint16), {}),
}


@pytest.mark.parametrize("kind", UNSUPPORTED)
def test_sample_types_without_a_known_white_are_refused_by_name(kind: str) -> None:
    numbers, _ = UNSUPPORTED[kind]
    with pytest.raises(UnclearLevels, match=r"TIFF of \d channels? of \d+ bits.*convert it to 8 bits"):
        decode(grey_tiff(numbers))


def test_16_bit_planar_samples_are_refused() -> None:
    """Pillow would read the 16-bit planes of such a file as 8-bit ones."""
    planes = np.ascontiguousarray(noise(65535, (8, 8, 3)).astype("<u2").transpose(2, 0, 1))
    with pytest.raises(UnclearLevels, match="each channel apart"):
        decode(tiff(planes.tobytes(), 8, 8, bits=16, channels=3, planar=2))


def test_8_bit_planar_samples_are_decoded() -> None:
    numbers = noise(255, (8, 8, 3))
    planes = np.ascontiguousarray(numbers.astype("u1").transpose(2, 0, 1))
    assert (levels(tiff(planes.tobytes(), 8, 8, bits=8, channels=3, planar=2)) == numbers).all()


def test_lab_is_refused_by_name() -> None:
    with pytest.raises(UnclearLevels, match="CIELAB"):
        decode(grey_tiff(noise(255, (8, 8, 3)).astype(np.uint8), photometric=8))
