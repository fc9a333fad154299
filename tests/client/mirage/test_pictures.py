"""What can be sent as a picture, and as which file it is sent."""

import os
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from mirage.errors import BadPicture
from mirage.pictures import to_file

PIXELS = np.arange(4 * 5 * 3, dtype=np.uint8).reshape(4, 5, 3)


def decoded(file: bytes) -> "np.ndarray[tuple[int, ...], np.dtype[np.uint8]]":
    return np.asarray(Image.open(BytesIO(file)))


def test_files_and_bytes_are_sent_as_they_are(tmp_path: Path) -> None:
    path = tmp_path / "a picture \n.jpg"
    path.write_bytes(b"any bytes")
    assert to_file(path) == to_file(str(path)) == to_file(b"any bytes") == b"any bytes"


@pytest.mark.parametrize("shape", [(4, 5), (4, 5, 3), (4, 5, 4)])
def test_arrays_keep_every_value(shape: tuple[int, ...]) -> None:
    """They become PNG files, in which nothing is lost."""
    array = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    np.testing.assert_array_equal(decoded(to_file(array)), array)


@pytest.mark.parametrize(
    ("array", "advice"),
    [
        (np.zeros((4, 5, 3)), r"\(array \* 255\)"),
        (np.zeros((4, 5, 3), dtype=np.int64), "uint8"),
        (np.zeros((3, 40, 50), dtype=np.uint8), r"transpose\(1, 2, 0\)"),
        (np.zeros((0, 5, 3), dtype=np.uint8), "shape"),
        (np.zeros((1, 4, 5, 3), dtype=np.uint8), "shape"),
    ],
)
def test_arrays_that_leave_a_doubt_are_refused(array: object, advice: str) -> None:
    """To guess which number is white, or where the channels are, would give wrong results without a word."""
    with pytest.raises(BadPicture, match=advice):
        to_file(array)  # type: ignore[arg-type]


def test_a_tensor_is_refused_with_how_to_convert_it() -> None:
    with pytest.raises(BadPicture, match=r"permute\(1, 2, 0\)"):
        to_file(torch.zeros(3, 4, 5))  # type: ignore[arg-type]


def test_a_picture_of_pillow_is_turned_as_its_exif_data_say() -> None:
    """Orientation 6 is a quarter turn clockwise: the first column from below becomes the first row."""
    buffer, exif = BytesIO(), Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(PIXELS).save(buffer, "PNG", exif=exif)
    np.testing.assert_array_equal(decoded(to_file(Image.open(buffer))), np.rot90(PIXELS, -1))


def in_mode(mode: str) -> Image.Image:
    """A mid-grey picture. Pillow makes some modes only by way of another one."""
    grey = Image.new("RGB", (5, 4), (128, 128, 128))
    if mode == "LAB":
        return Image.new("LAB", (5, 4), (137, 128, 128))  # CIE lightness 53.6 of 100 is level 128 in sRGB
    by_way_of = {"PA": "P", "RGBa": "RGBA"}
    return (grey.convert(by_way_of[mode]) if mode in by_way_of else grey).convert(mode)


@pytest.mark.parametrize(
    "mode", ["1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBX", "RGBa", "CMYK", "YCbCr", "HSV", "LAB"]
)
def test_every_mode_with_a_range_of_values_is_sent(mode: str) -> None:
    """Mid-grey stays mid-grey, within what a conversion rounds; with a palette it is near it.

    With two levels, half of the pixels are white.
    """
    with Image.open(BytesIO(to_file(in_mode(mode)))) as sent:
        assert sent.size == (5, 4)
        levels = sent.convert("RGB").getpixel((2, 2))
        white = sum(level > 127 for level in sent.convert("L").tobytes())
    assert isinstance(levels, tuple)
    if mode == "1":
        assert 8 <= white <= 12
    else:
        assert all(abs(level - 128) <= {"P": 30, "PA": 30}.get(mode, 3) for level in levels), levels


@pytest.mark.parametrize("mode", ["F", "I"])
def test_modes_without_a_range_of_values_are_refused(mode: str) -> None:
    with pytest.raises(BadPicture, match="convert it"):
        to_file(Image.new(mode, (5, 4)))


@pytest.mark.parametrize("path", ["no such file", "", "a\0b", "http://example.com/cat.jpg", "/"])
def test_what_is_no_file_is_refused(path: str) -> None:
    with pytest.raises(BadPicture):
        to_file(path)


def test_a_truncated_picture_of_pillow_is_refused() -> None:
    buffer = BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)).save(buffer, "PNG")
    with pytest.raises(BadPicture, match="damaged"):
        to_file(Image.open(BytesIO(buffer.getvalue()[:3000])))


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs pipes with names")
def test_a_pipe_is_refused_instead_of_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    with pytest.raises(BadPicture, match="no regular file"):
        to_file(tmp_path / "pipe.png")
