"""What image processors of transformers do, in the fields of a spec: compared with what they really do to photos."""

from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from models.network_ends import Normalize
from models.preprocessing import preprocess, to_float
from models.spec import Spec
from tests.foreign_networks import photos
from training.importing.model import BadSource
from training.importing.sources.processors import preprocessing_fields

transformers = pytest.importorskip("transformers")


def processor(name: str, **values: Any) -> Any:
    return getattr(transformers, name)(**values)


SQUARE = {"height": 64, "width": 64}
CASES: dict[str, tuple[str, dict[str, Any], dict[str, Any]]] = {
    "squashed": ("ViTImageProcessor", {"size": SQUARE}, {"resize_mode": "squash", "resize": 64, "input_size": 64}),
    "squashed and cropped": (
        "DeiTImageProcessor",
        {"size": {"height": 72, "width": 72}, "crop_size": SQUARE},
        {"resize_mode": "squash", "resize": 72, "input_size": 64},
    ),
    "rectangular": (
        "ViTImageProcessor",
        {"size": {"height": 48, "width": 80}},
        {"resize_mode": "squash", "resize": (48, 80), "input_size": (48, 80)},
    ),
    "cropped": (
        "BitImageProcessor",
        {"size": {"shortest_edge": 72}, "crop_size": SQUARE},
        {"resize": 72, "input_size": 64},
    ),
    "cropped to a rectangle": (
        "BitImageProcessor",
        {"size": {"shortest_edge": 72}, "crop_size": {"height": 48, "width": 64}},
        {"resize": 72, "input_size": (48, 64)},
    ),
    "ConvNeXt, cropped": (
        "ConvNextImageProcessor",
        {"size": {"shortest_edge": 64}, "crop_pct": 0.9},
        {"resize": 71, "input_size": 64},
    ),
    "ConvNeXt, squashed": (
        "ConvNextImageProcessor",
        {"size": {"shortest_edge": 384}, "resample": 2},
        {"resize_mode": "squash", "resize": 384, "input_size": 384},
    ),
    "LeViT, enlarged": (
        "LevitImageProcessor",
        {"size": {"shortest_edge": 64}, "crop_size": SQUARE},
        {"resize": 73, "input_size": 64},
    ),
    "PoolFormer, enlarged": (
        "PoolFormerImageProcessor",
        {"size": {"shortest_edge": 64}, "crop_size": SQUARE, "crop_pct": 0.9},
        {"resize": 71, "input_size": 64},
    ),
    "PoolFormer, a square": (
        "PoolFormerImageProcessor",
        {"size": SQUARE, "crop_size": SQUARE, "crop_pct": 0.8},
        {"resize": 80, "input_size": 64},
    ),
    "blue first": (
        "MobileViTImageProcessor",
        {"size": {"shortest_edge": 72}, "crop_size": SQUARE},
        {"resize": 72, "input_size": 64, "colours": "BGR"},
    ),
    "from -1 to 1 by its factor": (
        "EfficientNetImageProcessor",
        {
            "size": SQUARE,
            "rescale_factor": 1 / 127.5,
            "rescale_offset": True,
            "include_top": False,
            "do_normalize": False,
        },
        {"mean": pytest.approx((0.5,) * 3), "std": pytest.approx((0.5,) * 3)},
    ),
    "divided twice": (
        "EfficientNetImageProcessor",
        {"size": SQUARE, "include_top": True, "image_std": [0.5, 0.5, 0.4]},
        {"std": pytest.approx((0.25, 0.25, 0.16))},
    ),
    "from 0 to 255": (
        "ViTImageProcessor",
        {"size": SQUARE, "do_rescale": False, "do_normalize": False},
        {"mean": (0.0,) * 3, "std": pytest.approx((1 / 255,) * 3)},
    ),
    "from 0 to 1": (
        "ViTImageProcessor",
        {"size": SQUARE, "do_normalize": False},
        {"mean": (0.0,) * 3, "std": (1.0,) * 3},
    ),
    "one mean for all": (
        "ViTImageProcessor",
        {"size": SQUARE, "image_mean": 0.4, "image_std": 0.2},
        {"mean": pytest.approx((0.4,) * 3), "std": pytest.approx((0.2,) * 3)},
    ),
    "nearest": ("ViTImageProcessor", {"size": SQUARE, "resample": 0}, {"interpolation": "nearest"}),
    "Lanczos": ("ViTImageProcessor", {"size": SQUARE, "resample": 1}, {"interpolation": "lanczos"}),
    "bicubic": ("ViTImageProcessor", {"size": SQUARE, "resample": 3}, {"interpolation": "bicubic"}),
}
"""A processor, its values, and the fields that follow from them."""
NOT_OF_TORCHVISION = ("Lanczos",)
"""Interpolations that torchvision has no code for: transformers takes bicubic instead, with a warning."""


@pytest.mark.parametrize("case", CASES)
def test_the_fields_describe_what_the_processor_does(case: str) -> None:
    """The input of the network differs by rounding alone: by up to 1.5 levels of 255, where nothing is cut off."""
    name, values, expected = CASES[case]
    made = processor(name, **values)
    fields = preprocessing_fields(made, 3)
    assert {field: fields[field] for field in expected} == expected
    if case in NOT_OF_TORCHVISION:
        return
    spec = Spec("of this test", ("a", "b"), **fields)
    normalise, std = Normalize(spec), torch.tensor(spec.std).reshape(1, -1, 1, 1)
    for photo in photos()[:4]:
        image = Image.fromarray(np.asarray(photo.permute(1, 2, 0)))
        theirs = made(images=image, return_tensors="pt")["pixel_values"]
        ours = normalise(preprocess(to_float(photo)[None], spec))
        assert ours.shape == theirs.shape
        assert 255 * ((ours - theirs) * std).abs().max() < 1.5


def test_the_centre_is_rounded_down() -> None:
    """A picture of 79 x 72 pixels has 15 beside the centre of 64: it begins at 7, and torchvision takes 8.

    Columns have the level of their number, so that the first value says where the crop begins.
    """
    made = processor("BitImageProcessor", size={"shortest_edge": 72}, crop_size=SQUARE, do_normalize=False)
    levels = torch.arange(79, dtype=torch.uint8).expand(3, 72, 79).contiguous()
    theirs = made(images=Image.fromarray(levels.permute(1, 2, 0).numpy()), return_tensors="pt")["pixel_values"]
    spec = Spec("of this test", ("a", "b"), **preprocessing_fields(made, 3))
    ours = preprocess(to_float(levels)[None], spec)
    assert (255 * theirs[0, 0, 0, 0]).round() == (255 * ours[0, 0, 0, 0]).round() == 7


@pytest.mark.parametrize(
    ("name", "values", "reason"),
    [
        ("ViTImageProcessor", {"do_resize": False}, "does not resize pictures"),
        ("ViTImageProcessor", {"size": SQUARE, "do_pad": True}, "pads pictures to a size of their own"),
        (
            "BitImageProcessor",
            {"size": {"shortest_edge": 64}, "do_center_crop": False},
            "makes pictures of different sizes",
        ),
        ("BitImageProcessor", {"size": {"shortest_edge": 64, "longest_edge": 99}}, "bounds both sides of the picture"),
        (
            "ViTImageProcessor",
            {"size": SQUARE, "image_mean": [0.5, 0.5]},
            "normalises 2 channels, and the network has 3",
        ),
        (
            "ViTImageProcessor",
            {"size": SQUARE, "image_mean": ["a"] * 3},
            "values of the image processor cannot be used",
        ),
        ("ViTImageProcessor", {"size": SQUARE, "rescale_factor": "a"}, "values of the image processor cannot be used"),
    ],
)
def test_what_a_spec_cannot_describe_is_refused(name: str, values: dict[str, Any], reason: str) -> None:
    with pytest.raises(BadSource, match=reason):
        preprocessing_fields(processor(name, **values), 3)


class Values:
    """A processor with these values, whatever they are."""

    def __init__(self, **values: Any) -> None:
        self.values = values

    def to_dict(self) -> dict[str, Any]:
        return self.values


@pytest.mark.parametrize("resample", [None, 9, "bilinear", [2], {}])
def test_an_unknown_interpolation_is_refused(resample: Any) -> None:
    with pytest.raises(BadSource):
        preprocessing_fields(Values(size=SQUARE, resample=resample), 3)


@pytest.mark.parametrize(
    "size", [5.5, "large", {"height": "x", "width": 3}, {"shortest_edge": [1]}, {"depth": 3}, [1, 2]]
)
def test_sizes_of_no_kind_are_refused(size: Any) -> None:
    with pytest.raises(BadSource):
        preprocessing_fields(Values(size=size), 3)


def test_a_single_channel_has_a_single_mean() -> None:
    fields = preprocessing_fields(processor("ViTImageProcessor", size=SQUARE, image_mean=[0.4], image_std=[0.2]), 1)
    assert (fields["mean"], fields["std"], fields["colours"]) == (pytest.approx((0.4,)), pytest.approx((0.2,)), None)
