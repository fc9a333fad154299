"""Tests that what /classify shows the network is what `preprocess` makes of the decoded picture."""

import io
from functools import partial

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from models.pictures import decode, encode, inspect
from models.preprocessing import preprocess, to_float
from models.spec import Spec
from models.view import DETAIL, preprocess_levels, stacked, view
from tests.conftest import Draw

SPEC = Spec("mobilenet_v2", ("a", "b"), input_size=32, resize=36)


@given(
    height=st.integers(1, 300),
    aspect=st.floats(1 / 8, 8),
    crop=st.integers(16, 70),
    margin=st.integers(0, 30),
    mode=st.sampled_from(["bilinear", "bicubic"]),
)
@settings(max_examples=60)
def test_levels_are_preprocessed_as_by_preprocess(
    height: int, aspect: float, crop: int, margin: int, mode: str
) -> None:
    """For any shape, enlarged or reduced, all values agree to 1e-4 of the range; noise is the hardest case."""
    shape = (3, height, max(1, round(height * aspect)))
    levels = torch.randint(0, 256, shape, generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    spec = Spec("mobilenet_v2", ("a", "b"), input_size=crop, resize=crop + margin, interpolation=mode)
    expected = preprocess(to_float(levels).unsqueeze(0), spec)
    torch.testing.assert_close(preprocess_levels(levels, spec), expected, rtol=0, atol=1e-4)


def test_smooth_photos_agree_to_a_hundred_thousandth(draw: Draw) -> None:
    for size in ((180, 180), (375, 500), (1200, 1700)):
        levels = draw(*size)
        expected = preprocess(to_float(levels).unsqueeze(0), Spec("mobilenet_v2", ("a", "b")))
        ours = preprocess_levels(levels, Spec("mobilenet_v2", ("a", "b")))
        torch.testing.assert_close(ours, expected, rtol=0, atol=1e-5)


def jpeg(size: tuple[int, int], draw: Draw, **options: object) -> bytes:
    """Return a JPEG of smooth colours, of this width and height."""
    buffer = io.BytesIO()
    Image.fromarray(draw(size[1], size[0]).permute(1, 2, 0).numpy()).save(buffer, "JPEG", quality=95, **options)
    return buffer.getvalue()


def test_a_small_picture_and_one_that_is_no_jpeg_are_decoded_in_full(draw: Draw) -> None:
    large = draw(DETAIL * 36 * 2, DETAIL * 36 * 2)
    for file in (jpeg((DETAIL * 36 * 2 - 2, 400), draw), encode(large), encode(large, format="webp")):
        seen = view(file, SPEC)
        assert seen.exact
        expected = preprocess(to_float(decode(file)).unsqueeze(0), SPEC)
        torch.testing.assert_close(seen.pixels, expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("scale", [2, 4, 8])
@pytest.mark.parametrize("orientation", [1, 6])
def test_a_large_jpeg_is_decoded_at_a_smaller_scale(scale: int, orientation: int, draw: Draw) -> None:
    """The reported size is that of the upright picture in the file; pixels are within 4 levels, on average within 1."""
    size = (DETAIL * 36 * scale, DETAIL * 36 * scale + 8 * scale)
    exif = Image.Exif()
    exif[0x0112] = orientation
    file = jpeg(size, draw, exif=exif)
    seen, exact = view(file, SPEC), view(file, SPEC, exact=True)
    assert not seen.exact and exact.exact
    assert (seen.width, seen.height) == (exact.width, exact.height) == (size if orientation == 1 else size[::-1])
    expected = preprocess(to_float(decode(file)).unsqueeze(0), SPEC)
    torch.testing.assert_close(exact.pixels, expected, rtol=0, atol=1e-5)
    assert (seen.pixels - expected).abs().max() <= 4 / 255
    assert (seen.pixels - expected).abs().mean() <= 1 / 255


def test_a_scale_must_divide_both_sides(draw: Draw) -> None:
    """Otherwise the last pixels would cover less of the picture than the others, and shift the rest."""
    side = DETAIL * 36 * 8
    admitted: list[int] = []
    for width, scale in ((side, 8), (side + 4, 4), (side + 2, 2), (side + 1, 1)):
        view(jpeg((width, side), draw), SPEC, read=partial(inspect, admit=admitted.append))
        assert admitted[-1] == width * side // scale**2


def test_views_are_stacked_in_order(draw: Draw) -> None:
    views = [view(encode(draw(40, 50, seed)), SPEC) for seed in range(3)]
    together = stacked(views)
    assert together.shape == (3, 3, 32, 32)
    for row, one in zip(together, views, strict=True):
        assert torch.equal(row, one.pixels[0])
