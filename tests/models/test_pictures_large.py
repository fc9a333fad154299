"""Tests that large photos are reduced while they are decoded, and that the refusal names the setting of the limit."""

import io
import subprocess
import sys

import numpy as np
import pytest
import torch
from PIL import Image

from models.pictures import PictureTooLarge, decode, inspect
from soak.pictures.files import grey_tiff

SMOOTH = Image.fromarray(np.random.default_rng(0).integers(0, 256, (5, 7, 3), dtype=np.uint8)).resize((200, 120), 3)
LIMIT = 3000


def file_of(image: Image.Image, format: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format, **options)
    return buffer.getvalue()


def tensor(image: Image.Image) -> torch.Tensor:
    return torch.from_numpy(np.array(image.convert("RGB"))).permute(2, 0, 1)


@pytest.mark.parametrize(
    ("most", "shape"),
    [
        (24_000, (120, 200)),
        (23_999, (60, 100)),
        (6_000, (60, 100)),
        (5_999, (30, 50)),
        (1_499, (15, 25)),
        (374, (8, 13)),
    ],
)
@pytest.mark.parametrize("progressive", [False, True])
def test_a_jpeg_is_decoded_to_the_largest_scale_that_is_allowed(
    most: int, shape: tuple[int, int], progressive: bool
) -> None:
    """The scale is 1/2, 1/4 or 1/8 (or 1/16, by halving again); width and height remain those of the file."""
    picture = inspect(file_of(SMOOTH, "JPEG", quality=95, progressive=progressive), reduce_above=most)
    assert picture.pixels.shape[1:] == shape
    assert (picture.width, picture.height) == (200, 120)
    expected = tensor(SMOOTH.reduce(-(-200 // shape[1])))
    assert (picture.pixels.int() - expected.int()).abs().float().mean() < 3


def test_sides_that_do_not_divide_are_rounded_up() -> None:
    """203 x 121 by 4 is 51 x 31."""
    picture = inspect(file_of(SMOOTH.resize((203, 121)), "JPEG"), reduce_above=2000)
    assert picture.pixels.shape == (3, 31, 51)


@pytest.mark.parametrize("format", ["PNG", "WEBP", "TIFF", "BMP", "PPM", "GIF"])
@pytest.mark.parametrize("mode", ["RGB", "L", "P", "1"])
def test_other_formats_are_reduced_by_a_whole_factor(format: str, mode: str) -> None:
    """200 x 120 pixels are reduced by 3: every pixel is the mean of 9, as Pillow reduces the whole decoded picture."""
    data = (
        file_of(SMOOTH.convert(mode), format, **({"lossless": True} if format == "WEBP" else {}))
        if not (format == "PPM" and mode == "P")
        else file_of(SMOOTH, format)
    )
    whole = Image.fromarray(decode(data).permute(1, 2, 0).numpy())
    picture = inspect(data, reduce_above=LIMIT)
    assert torch.equal(picture.pixels, tensor(whole.reduce(3)))
    assert (picture.width, picture.height) == (200, 120)


def test_transparent_pixels_are_white_before_they_are_averaged() -> None:
    """Every block of 2 x 2 pixels is half black and half transparent, so its mean is 128, not black."""
    pixels = np.zeros((4, 4, 4), np.uint8)
    pixels[:, ::2, 3] = 255
    assert inspect(file_of(Image.fromarray(pixels), "PNG"), reduce_above=4).pixels.unique().tolist() == [128]


def test_16_bits_are_scaled_before_they_are_averaged() -> None:
    numbers = np.arange(65536).reshape(256, 256).astype(np.uint16)
    whole = Image.fromarray(decode(grey_tiff(numbers)).permute(1, 2, 0).numpy())
    picture = inspect(grey_tiff(numbers), reduce_above=128 * 128)
    assert torch.equal(picture.pixels, tensor(whole.reduce(2)))


@pytest.mark.parametrize("format", ["JPEG", "PNG", "TIFF"])
def test_a_large_picture_is_turned_upright(format: str) -> None:
    """Orientation 6: width and height are those of the upright picture."""
    exif = Image.Exif()
    exif[0x0112] = 6
    picture = inspect(file_of(SMOOTH, format, exif=exif), reduce_above=6000)
    assert (picture.width, picture.height) == (120, 200)
    assert picture.pixels.shape[1] > picture.pixels.shape[2]
    small = inspect(file_of(SMOOTH, format), reduce_above=6000).pixels
    assert torch.equal(picture.pixels, small.transpose(1, 2).flip(2))


def test_a_picture_below_the_limit_is_not_reduced() -> None:
    data = file_of(SMOOTH, "JPEG")
    assert torch.equal(inspect(data, reduce_above=24_000).pixels, decode(data))


@pytest.mark.parametrize("name", ["MIRAGE_MAX_PIXELS", "--max-pixels"])
def test_the_refusal_names_the_setting_that_lifts_it(name: str) -> None:
    for data in (file_of(SMOOTH, "PNG"), file_of(SMOOTH, "PPM")):
        with pytest.raises(PictureTooLarge, match=f"200 x 120 pixels; the limit is 100: .* or raise {name}$"):
            decode(data, max_pixels=100, limit_name=name)


@pytest.mark.parametrize("format", ["WEBP", "GIF", "TIFF", "JPEG", "PNG"])
def test_pillows_own_limit_does_not_replace_ours(format: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A picture above both limits is too large, not broken, and one that is only above Pillow's limit is decoded."""
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    data = file_of(SMOOTH, format)
    with pytest.raises(PictureTooLarge, match="or raise --max-pixels"):
        decode(data, max_pixels=900, limit_name="--max-pixels")
    assert decode(data, max_pixels=24_000).shape == (3, 120, 200)


MEASURE = """
import io, sys
import numpy as np
from PIL import Image
from models.pictures import inspect

Image.MAX_IMAGE_PIXELS = 1_000_000  # far below max_pixels: it must not stop the decoder
tile = Image.fromarray(np.random.default_rng(0).integers(0, 256, (50, 64, 3), dtype=np.uint8))
status = lambda key: int(open("/proc/self/status").read().split(key)[1].split()[0]) // 1024
for kind, mode, size in (("JPEG", "RGB", (8000, 5000)), ("PNG", "L", (6000, 4000))):
    file = io.BytesIO()
    tile.convert(mode).resize(size).save(file, kind, **({"compress_level": 1} if kind == "PNG" else {}))
    open("/proc/self/clear_refs", "w").write("5")
    before = status("VmRSS:")
    picture = inspect(file.getvalue(), max_pixels=200_000_000, reduce_above=6_000_000)
    print(kind, picture.width * picture.height, picture.pixels[0].numel(), status("VmHWM:") - before)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the peak is read from /proc")
def test_decoding_a_large_picture_takes_a_fraction_of_its_memory() -> None:
    """Decoded without reduction, the JPEG of 40 megapixels takes 280 MB and the grey PNG of 24 megapixels 190 MB."""
    code = [sys.executable, "-W", "error::PIL.Image.DecompressionBombWarning", "-c", MEASURE]
    process = subprocess.run(code, capture_output=True, text=True, check=True)
    rows = {kind: tuple(map(int, numbers)) for kind, *numbers in map(str.split, process.stdout.splitlines())}
    assert rows["JPEG"][:2] == (40_000_000, 2_500_000)
    assert rows["PNG"][:2] == (24_000_000, 6_000_000)
    assert rows["JPEG"][2] < 100
    assert rows["PNG"][2] < 130
