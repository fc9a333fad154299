"""Tests that preprocessing agrees with torchvision's transforms and lets gradients pass."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from models.architectures import architectures, weight_choices
from models.network_ends import Normalize
from models.preprocessing import preprocess, preprocessor, to_float, to_levels
from models.spec import Spec
from models.store import imagenet_spec
from tests.conftest import Draw

SIZES = [
    (375, 500),  # landscape
    (500, 375),  # portrait
    (300, 451),  # odd
    (97, 141),  # smaller than the crop
    (256, 256),  # as large as the resize
    (1000, 40),  # a strip
    (1, 1),
]


@pytest.mark.parametrize(("height", "width"), SIZES)
@pytest.mark.parametrize("architecture", ["mobilenet_v2", "vit_b_16", "swin_t"])
def test_preprocessing_agrees_with_torchvision(architecture: str, height: int, width: int, draw: Draw) -> None:
    """With the normalisation, every pixel equals that of torchvision's transforms for the same weights.

    Swin's transforms are bicubic and overshoot [0, 1]; here pixels are clamped, so the expected ones are too.
    """
    weights = weight_choices(architecture)[0]
    spec = imagenet_spec(architecture, weights)
    pixels = to_float(draw(height, width)).unsqueeze(0)
    expected = weights.transforms()(pixels)
    if spec.interpolation == "bicubic":
        std, mean = (torch.tensor(values).reshape(1, 3, 1, 1) for values in (spec.std, spec.mean))
        expected = ((expected * std + mean).clamp(0, 1) - mean) / std
    torch.testing.assert_close(Normalize(spec)(preprocess(pixels, spec)), expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("architecture", architectures())
def test_every_published_weight_has_a_spec(architecture: str) -> None:
    """Sizes, interpolation, mean and std are torchvision's, for all weights that it publishes."""
    for weights in weight_choices(architecture):
        spec, theirs = imagenet_spec(architecture, weights), weights.transforms()
        assert [spec.input_size] == theirs.crop_size
        assert [spec.resize] == theirs.resize_size
        assert spec.interpolation == theirs.interpolation.value
        assert (list(spec.mean), list(spec.std)) == (theirs.mean, theirs.std)
        assert len(spec.classes) == 1000


def test_weights_without_a_classification_head_are_no_choice() -> None:
    """VGG16 has two sets of published weights, one of which is for features only and has no head."""
    assert [weights.name for weights in weight_choices("vgg16")] == ["IMAGENET1K_V1"]


def test_a_constant_picture_stays_constant() -> None:
    """Resizing takes weighted means, and the mean of one colour is that colour."""
    spec = Spec("mobilenet_v2", ("a", "b"))
    colour = torch.tensor([0.2, 0.5, 0.9]).reshape(1, 3, 1, 1)
    preprocessed = preprocess(colour.expand(1, 3, 301, 97), spec)
    torch.testing.assert_close(preprocessed, colour.expand(1, 3, 224, 224))


def test_the_centre_is_cropped() -> None:
    """A picture of 36 x 36, the resize's own size, is not resized; 2 pixels are cut off every side."""
    spec = Spec("mobilenet_v2", ("a", "b"), input_size=32, resize=36)
    pixels = torch.rand(1, 3, 36, 36, generator=torch.Generator().manual_seed(0))
    assert torch.equal(preprocess(pixels, spec), pixels[..., 2:34, 2:34])


@given(height=st.integers(1, 90), width=st.integers(1, 90), bicubic=st.booleans())
def test_preprocessed_pixels_stay_between_0_and_1(height: int, width: int, bicubic: bool) -> None:
    """A chequerboard is the hardest case, because bicubic interpolation overshoots at every edge."""
    spec = Spec(
        "mobilenet_v2", ("a", "b"), input_size=16, resize=18, interpolation="bicubic" if bicubic else "bilinear"
    )
    checks = (torch.arange(height).reshape(-1, 1) + torch.arange(width)) % 2
    preprocessed = preprocess(checks.float().expand(1, 3, height, width), spec)
    assert preprocessed.shape == (1, 3, 16, 16)
    assert preprocessed.min() >= -1e-6
    assert preprocessed.max() <= 1 + 1e-6


@pytest.mark.parametrize(("height", "width"), [(20, 31), (9, 7), (18, 18)])
@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
def test_preprocessing_has_correct_gradients(height: int, width: int, interpolation: str) -> None:
    """Checked by finite differences in double precision, for enlarged and reduced pictures."""
    spec = Spec("mobilenet_v2", ("a", "b"), input_size=16, resize=18, interpolation=interpolation)
    random = torch.Generator().manual_seed(0)
    # Away from 0 and 1, where bicubic's clamp would cut the gradient off.
    pixels = 0.4 + 0.2 * torch.rand(1, 3, height, width, generator=random, dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda x: preprocess(x, spec)[:, :1], pixels.requires_grad_(), fast_mode=True)


def test_preprocessor_gives_the_same_as_preprocess(draw: Draw) -> None:
    spec = Spec("mobilenet_v2", ("a", "b"), input_size=32, resize=36)
    pixels = to_float(draw(50, 60)).unsqueeze(0)
    assert torch.equal(preprocessor(spec)(pixels), preprocess(pixels, spec))


def test_all_levels_survive_conversion_to_float_and_back() -> None:
    """All 256 levels are unchanged."""
    levels = torch.arange(256, dtype=torch.uint8).expand(3, 1, 256)
    assert torch.equal(to_levels(to_float(levels)), levels)


def test_floats_are_rounded_to_the_nearest_level_and_clamped() -> None:
    """0.49 levels round down and 0.51 levels round up; values outside [0, 1] become 0 or 255."""
    pixels = torch.tensor([-0.3, 0.49 / 255, 0.51 / 255, 254.6 / 255, 1.7])
    assert to_levels(pixels.expand(3, 1, 5))[0, 0].tolist() == [0, 0, 1, 255, 255]


def test_levels_do_not_require_gradients() -> None:
    pixels: Tensor = torch.rand(3, 2, 2, requires_grad=True)
    assert not to_levels(pixels).requires_grad
