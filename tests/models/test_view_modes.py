"""Tests that /classify preprocesses as `preprocess` does, for every kind of preprocessing."""

import io
from functools import partial
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from models.pictures import inspect
from models.preprocessing import preprocess, to_float
from models.resize import KERNELS
from models.spec import Spec
from models.view import DETAIL, preprocess_levels, view
from tests.conftest import Draw


def spec_of(**fields: Any) -> Spec:
    return Spec("squeezenet1_1", ("a", "b"), **{"input_size": (24, 40), "resize": (30, 44), **fields})


@pytest.mark.parametrize("antialias", [True, False])
@pytest.mark.parametrize("interpolation", KERNELS)
@pytest.mark.parametrize("mode", ["crop", "squash", "pad"])
@given(height=st.integers(1, 120), aspect=st.floats(1 / 8, 8))
@settings(max_examples=8)
def test_levels_are_preprocessed_as_by_preprocess(
    mode: str, interpolation: str, antialias: bool, height: int, aspect: float
) -> None:
    """To 1e-4 of the range, whether Pillow or PyTorch resizes; noise is the hardest case."""
    spec = spec_of(resize_mode=mode, interpolation=interpolation, antialias=antialias, padding=(0.2, 0.5, 0.9))
    shape = (3, height, max(1, round(height * aspect)))
    levels = torch.randint(0, 256, shape, generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    expected = preprocess(to_float(levels).unsqueeze(0), spec)
    torch.testing.assert_close(preprocess_levels(levels, spec), expected, rtol=0, atol=1e-4)


def jpeg(height: int, width: int, draw: Draw) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(draw(height, width).permute(1, 2, 0).numpy()).save(buffer, "JPEG", quality=95)
    return buffer.getvalue()


@pytest.mark.parametrize("fields", [{}, {"resize_mode": "squash"}, {"resize_mode": "pad"}])
def test_a_large_jpeg_keeps_enough_detail_for_both_sides_of_the_input(fields: dict[str, Any], draw: Draw) -> None:
    """Its shorter side is at least twice the longer side of the resized picture, 2 x 44; pixels are within 4 levels."""
    sides: list[int] = []
    for height, width in ((8 * DETAIL * 44, 12 * DETAIL * 44), (2 * DETAIL * 44, 2 * DETAIL * 44)):
        file, spec = jpeg(height, width, draw), spec_of(**fields)
        seen, exact = view(file, spec, read=partial(inspect, admit=sides.append)), view(file, spec, exact=True)
        assert not seen.exact and exact.exact and (seen.height, seen.width) == (height, width)
        assert (seen.pixels - exact.pixels).abs().max() <= 4 / 255
    assert sides == [DETAIL * 44 * round(1.5 * DETAIL * 44), (DETAIL * 44) ** 2]


@pytest.mark.parametrize("fields", [{"interpolation": "nearest"}, {"antialias": False}])
def test_a_large_jpeg_of_which_single_pixels_are_read_is_decoded_in_full(fields: dict[str, Any], draw: Draw) -> None:
    """Decoded at a smaller scale its pixels would be means."""
    file, spec = jpeg(8 * DETAIL * 44, 8 * DETAIL * 44, draw), spec_of(**fields)
    assert view(file, spec).exact
