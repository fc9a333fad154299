"""Decoding: files of all formats become the picture that a person sees in them; encoding gives them back."""

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


def test_black_and_white_bits() -> None:
    bits = Image.fromarray(np.array([[0, 255], [255, 0]], dtype=np.uint8)).convert("1")
    assert decode(file_of(bits, "PNG"))[0].tolist() == [[0, 255], [255, 0]]


def test_palette() -> None:
    """Entry 0 is red and 1 is a blue: a row of both."""
    image = Image.new("P", (2, 1))
    image.putpalette([255, 0, 0, 10, 20, 30])
    image.putpixel((1, 0), 1)
    assert decode(file_of(image, "PNG"))[:, 0].T.tolist() == [[255, 0, 0], [10, 20, 30]]


@pytest.mark.parametrize("format", ["PNG", "GIF"])
def test_palette_with_transparency_lies_on_white(format: str) -> None:
    """Entry 1 is transparent, so white; entry 0 stays red."""
    image = Image.new("P", (2, 1))
    image.putpalette([255, 0, 0, 10, 20, 30])
    image.putpixel((1, 0), 1)
    found = decode(file_of(image, format, transparency=1))
    assert found[:, 0].T.tolist() == [[255, 0, 0], [255, 255, 255]]


@pytest.mark.parametrize("format", ["PNG", "WEBP", "TIFF"])
def test_alpha_lies_on_white(format: str) -> None:
    """Opaque stays, transparent is white, and black at 1/5 is 4/5 of white: 204."""
    rgba = np.array([[[10, 20, 30, 255], [10, 20, 30, 0], [0, 0, 0, 51]]], dtype=np.uint8)
    options = {"lossless": True} if format == "WEBP" else {}
    found = decode(file_of(Image.fromarray(rgba), format, **options))
    assert found[:, 0].T.tolist() == [[10, 20, 30], [255, 255, 255], [204, 204, 204]]


def test_grey_with_alpha_lies_on_white() -> None:
    image = Image.fromarray(np.array([[[0, 255], [0, 0]]], dtype=np.uint8), mode=None)
    assert image.mode == "LA"
    assert decode(file_of(image, "PNG"))[0].tolist() == [[0, 255]]


def test_rgb_with_a_transparent_colour_lies_on_white() -> None:
    """PNG's tRNS chunk names one colour that is not there."""
    found = decode(file_of(image_of(corners()), "PNG", transparency=(0, 255, 0)))
    assert found[:, 0, 0].tolist() == [255, 255, 255]
    assert torch.equal(found[:, 1], corners()[:, 1])


@pytest.mark.parametrize("format", ["PNG", "TIFF"])
def test_16_bit_grey_is_scaled(format: str) -> None:
    """65535 is white, 257 k is level k for all 256, and what lies between goes to the nearest."""
    exact = 257 * np.arange(256).reshape(16, 16)
    levels = np.concatenate([exact, np.minimum(exact + 120, 65535)]).astype(np.uint16)
    found = decode(file_of(Image.fromarray(levels), format))[0].flatten().tolist()
    assert found == [*range(256), *range(256)]


def test_cmyk_jpeg(draw: Draw) -> None:
    """Converted as Pillow does it, which Adobe's inverted files need too."""
    cmyk = image_of(draw(16, 16)).convert("CMYK")
    data = file_of(cmyk, "JPEG", quality=95)
    found = decode(data)
    assert found.shape == (3, 16, 16)
    wanted = torch.from_numpy(np.array(Image.open(io.BytesIO(data)).convert("RGB"))).permute(2, 0, 1)
    assert torch.equal(found, wanted)
    assert (found.int() - draw(16, 16).int()).abs().float().mean() < 8


@pytest.mark.parametrize("format", ["GIF", "PNG", "WEBP", "TIFF"])
def test_an_animation_is_its_first_frame(format: str) -> None:
    frames = [Image.new("RGB", (4, 3), colour) for colour in ("red", "blue", "lime")]
    options = {"lossless": True} if format == "WEBP" else {}
    found = decode(file_of(frames[0], format, save_all=True, append_images=frames[1:], **options))
    assert found.shape == (3, 3, 4)
    assert found.flatten(1).T.unique(dim=0).tolist() == [[255, 0, 0]]


def test_mpo_is_a_jpeg_with_more_in_it(draw: Draw) -> None:
    """Phones write the main picture first."""
    first, second = image_of(draw(16, 24)), image_of(draw(16, 24, seed=1))
    data = file_of(first, "MPO", save_all=True, append_images=[second])
    assert (decode(data).int() - draw(16, 24).int()).abs().float().mean() < 6


def test_the_format_is_told_by_the_bytes() -> None:
    assert inspect(file_of(image_of(corners()), "BMP")).format == "BMP"
    assert inspect(encode(corners())).format == "PNG"


@given(height=st.integers(1, 20), width=st.integers(1, 20), seed=st.integers(0, 99))
@pytest.mark.parametrize("format", ["png", "webp"])
def test_exact_formats_return_every_level(format: str, height: int, width: int, seed: int) -> None:
    """Not one bit is lost: an adversarial picture survives its own file."""
    pixels = torch.randint(0, 256, (3, height, width), dtype=torch.uint8, generator=torch.Generator().manual_seed(seed))
    assert torch.equal(decode(encode(pixels, format=format)), pixels)


def test_jpeg_is_near(draw: Draw) -> None:
    found = decode(encode(draw(40, 60), format="jpeg"))
    assert (found.int() - draw(40, 60).int()).abs().float().mean() < 3


def test_text_stands_in_the_png() -> None:
    """In any script, beside the unchanged pixels."""
    data = encode(corners(), text={"mirage:label": "Siamese cat", "mirage:words": "狐 фокс"})
    image = Image.open(io.BytesIO(data))
    assert image.text == {"mirage:label": "Siamese cat", "mirage:words": "狐 фокс"}
    assert torch.equal(decode(data), corners())


def test_a_decoded_picture_owns_its_memory() -> None:
    """Writing into it is allowed, and does not touch the file's bytes."""
    data = encode(corners())
    pixels = decode(data)
    pixels.zero_()
    assert pixels.is_contiguous()
    assert torch.equal(decode(data), corners())


def bmp_with_alpha(alpha: np.ndarray) -> bytes:
    """2 x 3 pixels of (30, 20, 10), each with an alpha of its own (BITMAPV5HEADER)."""
    rows = np.concatenate([np.full((2, 3, 3), [10, 20, 30]), alpha[::-1, :, None]], axis=2).astype("u1").tobytes()
    header = struct.pack("<IiiHHIIiiII", 124, 3, 2, 1, 32, 3, len(rows), 0, 0, 0, 0)
    header += struct.pack("<IIII", 0xFF0000, 0xFF00, 0xFF, 0xFF000000) + b"BGRs" + bytes(64)
    return b"BM" + struct.pack("<IHHI", 14 + len(header) + len(rows), 0, 0, 14 + len(header)) + header + rows


def test_a_bmp_whose_alpha_was_left_unused_is_opaque() -> None:
    """It would be a white picture otherwise; an alpha that is used is laid on white."""
    assert decode(bmp_with_alpha(np.zeros((2, 3)))).permute(1, 2, 0).tolist() == [[[30, 20, 10]] * 3] * 2
    used = decode(bmp_with_alpha(np.array([[255, 0, 0], [0, 0, 0]])))
    assert used.permute(1, 2, 0).tolist() == [[[30, 20, 10], [255] * 3, [255] * 3], [[255] * 3] * 3]
