"""Tests decoding files of all formats to the pixels that a viewer shows, and encoding pixels as files."""

import io
import struct

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from models.pictures import decode, encode, inspect
from tests.conftest import Draw
from tests.models.picture_files import corners, file_of, image_of


def test_grey_becomes_three_equal_channels() -> None:
    levels = np.array([[0, 100, 255]], dtype=np.uint8)
    assert decode(file_of(Image.fromarray(levels), "PNG")).tolist() == [levels.tolist()] * 3


def test_a_picture_of_single_bits_becomes_black_and_white() -> None:
    bits = Image.fromarray(np.array([[0, 255], [255, 0]], dtype=np.uint8)).convert("1")
    assert decode(file_of(bits, "PNG"))[0].tolist() == [[0, 255], [255, 0]]


def test_palette_entries_become_their_colours() -> None:
    """The row has one pixel of palette entry 0, red, and one of entry 1, a dark blue."""
    image = Image.new("P", (2, 1))
    image.putpalette([255, 0, 0, 10, 20, 30])
    image.putpixel((1, 0), 1)
    assert decode(file_of(image, "PNG"))[:, 0].T.tolist() == [[255, 0, 0], [10, 20, 30]]


@pytest.mark.parametrize("format", ["PNG", "GIF"])
def test_a_transparent_palette_entry_becomes_white(format: str) -> None:
    """Entry 1 is transparent and so becomes white; entry 0 stays red."""
    image = Image.new("P", (2, 1))
    image.putpalette([255, 0, 0, 10, 20, 30])
    image.putpixel((1, 0), 1)
    pixels = decode(file_of(image, format, transparency=1))
    assert pixels[:, 0].T.tolist() == [[255, 0, 0], [255, 255, 255]]


@pytest.mark.parametrize("format", ["PNG", "WEBP", "TIFF"])
def test_alpha_is_composited_on_white(format: str) -> None:
    """An opaque pixel is unchanged, a transparent one white, and black at alpha 1/5 becomes 4/5 of 255 = 204."""
    rgba = np.array([[[10, 20, 30, 255], [10, 20, 30, 0], [0, 0, 0, 51]]], dtype=np.uint8)
    options = {"lossless": True} if format == "WEBP" else {}
    pixels = decode(file_of(Image.fromarray(rgba), format, **options))
    assert pixels[:, 0].T.tolist() == [[10, 20, 30], [255, 255, 255], [204, 204, 204]]


def test_grey_with_alpha_is_composited_on_white() -> None:
    image = Image.fromarray(np.array([[[0, 255], [0, 0]]], dtype=np.uint8), mode=None)
    assert image.mode == "LA"
    assert decode(file_of(image, "PNG"))[0].tolist() == [[0, 255]]


def test_the_transparent_colour_of_an_rgb_png_becomes_white() -> None:
    """The tRNS chunk of a PNG names one colour as transparent, here that of the first pixel."""
    pixels = decode(file_of(image_of(corners()), "PNG", transparency=(0, 255, 0)))
    assert pixels[:, 0, 0].tolist() == [255, 255, 255]
    assert torch.equal(pixels[:, 1], corners()[:, 1])


@pytest.mark.parametrize("format", ["PNG", "TIFF"])
def test_16_bit_grey_is_scaled(format: str) -> None:
    """65535 is white, so 257 k becomes level k for all 256 levels, and numbers in between are rounded."""
    exact = 257 * np.arange(256).reshape(16, 16)
    levels = np.concatenate([exact, np.minimum(exact + 120, 65535)]).astype(np.uint16)
    decoded = decode(file_of(Image.fromarray(levels), format))[0].flatten().tolist()
    assert decoded == [*range(256), *range(256)]


def test_a_cmyk_jpeg_is_converted_as_by_pillow(draw: Draw) -> None:
    """Pillow also handles the inverted CMYK of Adobe's files."""
    cmyk = image_of(draw(16, 16)).convert("CMYK")
    data = file_of(cmyk, "JPEG", quality=95)
    pixels = decode(data)
    assert pixels.shape == (3, 16, 16)
    expected = torch.from_numpy(np.array(Image.open(io.BytesIO(data)).convert("RGB"))).permute(2, 0, 1)
    assert torch.equal(pixels, expected)
    assert (pixels.int() - draw(16, 16).int()).abs().float().mean() < 8


@pytest.mark.parametrize("format", ["GIF", "PNG", "WEBP", "TIFF"])
def test_an_animation_is_decoded_to_its_first_frame(format: str) -> None:
    frames = [Image.new("RGB", (4, 3), colour) for colour in ("red", "blue", "lime")]
    options = {"lossless": True} if format == "WEBP" else {}
    pixels = decode(file_of(frames[0], format, save_all=True, append_images=frames[1:], **options))
    assert pixels.shape == (3, 3, 4)
    assert pixels.flatten(1).T.unique(dim=0).tolist() == [[255, 0, 0]]


def test_an_mpo_file_is_decoded_to_its_first_picture(draw: Draw) -> None:
    """Phones write the main picture first; the second is ignored."""
    first, second = image_of(draw(16, 24)), image_of(draw(16, 24, seed=1))
    data = file_of(first, "MPO", save_all=True, append_images=[second])
    assert (decode(data).int() - draw(16, 24).int()).abs().float().mean() < 6


def test_the_format_is_recognised_from_the_bytes() -> None:
    assert inspect(file_of(image_of(corners()), "BMP")).format == "BMP"
    assert inspect(encode(corners())).format == "PNG"


@given(height=st.integers(1, 20), width=st.integers(1, 20), seed=st.integers(0, 99))
@pytest.mark.parametrize("format", ["png", "webp"])
def test_lossless_formats_return_every_level(format: str, height: int, width: int, seed: int) -> None:
    """Saving an adversarial picture must not change it."""
    pixels = torch.randint(0, 256, (3, height, width), dtype=torch.uint8, generator=torch.Generator().manual_seed(seed))
    assert torch.equal(decode(encode(pixels, format=format)), pixels)


def test_encoding_as_jpeg_changes_little(draw: Draw) -> None:
    pixels = decode(encode(draw(40, 60), format="jpeg"))
    assert (pixels.int() - draw(40, 60).int()).abs().float().mean() < 3


def test_texts_are_stored_in_a_png() -> None:
    """Texts in any script are stored, and the pixels are unchanged."""
    data = encode(corners(), text={"mirage:label": "Siamese cat", "mirage:words": "狐 фокс"})
    image = Image.open(io.BytesIO(data))
    assert image.text == {"mirage:label": "Siamese cat", "mirage:words": "狐 фокс"}
    assert torch.equal(decode(data), corners())


def test_a_decoded_picture_owns_its_memory() -> None:
    """Writing into the decoded picture is allowed and does not change the bytes of the file."""
    data = encode(corners())
    pixels = decode(data)
    pixels.zero_()
    assert pixels.is_contiguous()
    assert torch.equal(decode(data), corners())


def bmp_with_alpha(alpha: np.ndarray) -> bytes:
    """Return a BMP (BITMAPV5HEADER) of 2 x 3 pixels of the colour (30, 20, 10) with the given alpha values."""
    rows = np.concatenate([np.full((2, 3, 3), [10, 20, 30]), alpha[::-1, :, None]], axis=2).astype("u1").tobytes()
    header = struct.pack("<IiiHHIIiiII", 124, 3, 2, 1, 32, 3, len(rows), 0, 0, 0, 0)
    header += struct.pack("<IIII", 0xFF0000, 0xFF00, 0xFF, 0xFF000000) + b"BGRs" + bytes(64)
    return b"BM" + struct.pack("<IHHI", 14 + len(header) + len(rows), 0, 0, 14 + len(header)) + header + rows


def test_a_bmp_whose_alpha_is_zero_everywhere_is_opaque() -> None:
    """Programs leave unused alpha at 0, which would give a white picture; other alpha is composited on white."""
    assert decode(bmp_with_alpha(np.zeros((2, 3)))).permute(1, 2, 0).tolist() == [[[30, 20, 10]] * 3] * 2
    used = decode(bmp_with_alpha(np.array([[255, 0, 0], [0, 0, 0]])))
    assert used.permute(1, 2, 0).tolist() == [[[30, 20, 10], [255] * 3, [255] * 3], [[255] * 3] * 3]
