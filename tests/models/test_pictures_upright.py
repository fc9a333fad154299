"""Tests that pictures are turned upright by their EXIF orientation, and that damaged EXIF is ignored."""

import struct
from collections.abc import Callable

import pytest
import torch
from PIL import Image
from torch import Tensor

from models.pictures import decode
from tests.conftest import Draw
from tests.models.picture_files import ORIENTATION, corners, file_of, image_of

# How a stored picture is turned upright, by EXIF's orientation, on [3, h, w].
UPRIGHT: dict[int, Callable[[Tensor], Tensor]] = {
    1: lambda p: p,
    2: lambda p: p.flip(2),
    3: lambda p: p.flip(1, 2),
    4: lambda p: p.flip(1),
    5: lambda p: p.transpose(1, 2),
    6: lambda p: p.transpose(1, 2).flip(2),
    7: lambda p: p.transpose(1, 2).flip(1, 2),
    8: lambda p: p.transpose(1, 2).flip(1),
}


@pytest.mark.parametrize("orientation", UPRIGHT)
@pytest.mark.parametrize("format", ["PNG", "TIFF", "WEBP"])
def test_pictures_are_turned_upright_by_their_orientation(format: str, orientation: int) -> None:
    """The eight orientations are those of the EXIF standard; 6, the commonest, is a quarter turn clockwise."""
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    options = {"lossless": True} if format == "WEBP" else {}
    data = file_of(image_of(corners()), format, exif=exif, **options)
    assert torch.equal(decode(data), UPRIGHT[orientation](corners()))


def test_a_jpeg_is_turned_upright(draw: Draw) -> None:
    """The pixels agree up to the loss of JPEG at quality 95."""
    exif = Image.Exif()
    exif[ORIENTATION] = 6
    pixels = draw(40, 64)
    decoded = decode(file_of(image_of(pixels), "JPEG", exif=exif, quality=95, subsampling=0))
    assert decoded.shape == (3, 64, 40)
    assert (decoded.int() - UPRIGHT[6](pixels).int()).abs().max() <= 12


@pytest.mark.parametrize("orientation", [0, 9, 65535])
def test_an_orientation_that_does_not_exist_turns_nothing(orientation: int) -> None:
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    assert torch.equal(decode(file_of(image_of(corners()), "PNG", exif=exif)), corners())


@pytest.mark.filterwarnings("ignore::UserWarning:PIL")  # Pillow warns about the damaged block
@pytest.mark.parametrize(
    "block",
    [
        b"Exif\x00\x00garbage without any structure",
        b"Exif\x00\x00MM\x00*\x00\x00\x00\x08\xff\xff",
        b"Exif\x00\x00II*\x00\x08\x00\x00\x00\x02\x00\x12\x01\x02\x00\x00\x01\x00\x00\xff\xff\xff\x7f\x0f\x01\x05\x00",
        b"Exif\x00\x00",
    ],
)
def test_a_damaged_exif_block_is_ignored(block: bytes, draw: Draw) -> None:
    """Some cameras write invalid blocks; the pixels are intact, so the picture is decoded as it is stored."""
    whole = file_of(image_of(draw(16, 24)), "JPEG")
    marker = b"\xff\xe1" + struct.pack(">H", len(block) + 2) + block
    assert torch.equal(decode(whole[:2] + marker + whole[2:]), decode(whole))


@pytest.mark.filterwarnings("ignore::UserWarning:PIL")
def test_changing_any_byte_of_an_exif_block_leaves_the_picture_readable() -> None:
    """Every byte of a valid block is set to 0, 1, 2 and 255; the picture is decoded, turned or not."""
    exif = Image.Exif()
    exif.update({ORIENTATION: 6, 0x010F: "Maker", 0x011A: 72.0, 0x0132: "2020:01:01 00:00:00"})
    exif.get_ifd(0x8769)[0x9003] = "2020:01:01 00:00:00"
    data = file_of(Image.new("RGB", (3, 2), "red"), "JPEG", exif=exif)
    start = data.index(b"Exif\x00\x00")
    (length,) = struct.unpack(">H", data[start - 2 : start])
    for place in range(start, start + length - 2):
        for value in (0, 1, 2, 255):
            changed = data[:place] + bytes([value]) + data[place + 1 :]
            assert decode(changed).shape in [(3, 2, 3), (3, 3, 2)]
