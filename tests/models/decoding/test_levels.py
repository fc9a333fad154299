"""Decoding: only as many pixels as a file states, which is what was asked for with `admit`."""

import struct

import pytest

from models.decoding.errors import BrokenPicture
from models.decoding.levels import read_levels
from soak.pictures.mutations.bases import bases


@pytest.mark.parametrize(("number", "size"), [(4, "30 x 64"), (6, "64 x 40")])
def test_a_crop_that_is_left_out_on_one_side_is_refused(number: int, size: str) -> None:
    """A turned HEIC of 64 x 64 coded pixels, cropped to 30 x 40; the crop begins 2^31 halves of a pixel aside."""
    pytest.importorskip("pillow_heif")
    asked: list[int] = []
    file = bytearray(next(data for format, data in bases() if format == "HEIF"))
    read_levels(bytes(file))
    struct.pack_into(">I", file, file.index(b"clap") + 4 + 4 * number, 2**31)
    with pytest.raises(BrokenPicture, match=f"states 30 x 40 pixels, and has {size}"):
        read_levels(bytes(file), admit=asked.append)
    assert asked == [30 * 40]
