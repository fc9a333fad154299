from dataclasses import replace
from typing import Any

import pytest

from models.spec import Spec
from training.report.input_text import input_text

SPEC = Spec("mobilenet_v2", ("cat", "dog"), input_size=224, resize=256)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        (
            {},
            "Input: a picture of any size in RGB; it is resized in proportion to 256 pixels on its shorter side "
            "(bilinear, antialiased), and its centre of 224 x 224 pixels is classified.",
        ),
        (
            {"input_size": (96, 128), "resize": (100, 140), "interpolation": "bicubic", "antialias": False},
            "Input: a picture of any size in RGB; it is resized in proportion to cover 100 x 140 pixels (bicubic, "
            "without antialiasing), and its centre of 96 x 128 pixels is classified.",
        ),
        (
            {"resize_mode": "squash", "resize": 224, "colours": "BGR"},
            "Input: a picture of any size in BGR; it is resized to 224 x 224 pixels without regard to its proportions "
            "(bilinear, antialiased), and its centre of 224 x 224 pixels is classified.",
        ),
        (
            {"resize_mode": "pad", "resize": 224, "mean": (0.5,), "std": (0.5,)},
            "Input: a picture of any size in grey; it is resized in proportion to fit into 224 x 224 pixels, filled up "
            "with one colour (bilinear, antialiased), and the centre of 224 x 224 pixels is classified.",
        ),
    ],
)
def test_the_sentence_says_what_preprocessing_does(changes: dict[str, Any], expected: str) -> None:
    assert input_text(replace(SPEC, **changes)) == expected
