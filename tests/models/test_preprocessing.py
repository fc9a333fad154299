"""What the network sees of a picture: torchvision's own preprocessing, and gradients through it."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from models.architectures import architectures, weight_choices
from models.classifier import Normalize
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
def test_it_is_torchvisions_own(architecture: str, height: int, width: int, draw: Draw) -> None:
    """Followed by the normalisation, it gives what torchvision's transforms of the same weights give, pixel by pixel.

    Swin's are bicubic, whose overshoot past [0, 1] is cut off here: those pixels are compared after the same cut.
    """
    weights = weight_choices(architecture)[0]
    spec = imagenet_spec(architecture, weights)
    pixels = to_float(draw(height, width)).unsqueeze(0)
    wanted = weights.transforms()(pixels)
    if spec.interpolation == "bicubic":
        std, mean = (torch.tensor(each).reshape(1, 3, 1, 1) for each in (spec.std, spec.mean))
        wanted = ((wanted * std + mean).clamp(0, 1) - mean) / std
    torch.testing.assert_close(Normalize(spec)(preprocess(pixels, spec)), wanted, rtol=0, atol=1e-5)


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


def test_weights_without_classes_are_none_to_choose() -> None:
    """VGG16 has two sets of weights, and the one for features alone has no head."""
    assert [weights.name for weights in weight_choices("vgg16")] == ["IMAGENET1K_V1"]


def test_a_constant_picture_stays_constant() -> None:
    """Every weighted mean of one colour is that colour."""
    spec = Spec("mobilenet_v2", ("a", "b"))
    colour = torch.tensor([0.2, 0.5, 0.9]).reshape(1, 3, 1, 1)
    seen = preprocess(colour.expand(1, 3, 301, 97), spec)
    torch.testing.assert_close(seen, colour.expand(1, 3, 224, 224))


def test_the_centre_is_kept() -> None:
    """Of a picture at the resize's own size, 36 x 36, exactly the middle 32 x 32 are seen: 2 off each side."""
    spec = Spec("mobilenet_v2", ("a", "b"), input_size=32, resize=36)
    pixels = torch.rand(1, 3, 36, 36, generator=torch.Generator().manual_seed(0))
    assert torch.equal(preprocess(pixels, spec), pixels[..., 2:34, 2:34])


@given(height=st.integers(1, 90), width=st.integers(1, 90), bicubic=st.booleans())
def test_it_stays_in_bounds_at_any_size(height: int, width: int, bicubic: bool) -> None:
    """Black and white checks, the hardest case for bicubic overshoot, stay within [0, 1] and fill the input."""
    spec = Spec(
        "mobilenet_v2", ("a", "b"), input_size=16, resize=18, interpolation="bicubic" if bicubic else "bilinear"
    )
    checks = (torch.arange(height).reshape(-1, 1) + torch.arange(width)) % 2
    seen = preprocess(checks.float().expand(1, 3, height, width), spec)
    assert seen.shape == (1, 3, 16, 16)
    assert seen.min() >= -1e-6
    assert seen.max() <= 1 + 1e-6


@pytest.mark.parametrize(("height", "width"), [(20, 31), (9, 7), (18, 18)])
@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
def test_gradients_pass_through(height: int, width: int, interpolation: str) -> None:
    """Finite differences in double precision, enlarging and reducing."""
    spec = Spec("mobilenet_v2", ("a", "b"), input_size=16, resize=18, interpolation=interpolation)
    random = torch.Generator().manual_seed(0)
    # Away from 0 and 1, where bicubic's clamp would cut the gradient off.
    pixels = 0.4 + 0.2 * torch.rand(1, 3, height, width, generator=random, dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda x: preprocess(x, spec)[:, :1], pixels.requires_grad_(), fast_mode=True)


def test_preprocessor_is_preprocess_for_one_model(draw: Draw) -> None:
    spec = Spec("mobilenet_v2", ("a", "b"), input_size=32, resize=36)
    pixels = to_float(draw(50, 60)).unsqueeze(0)
    assert torch.equal(preprocessor(spec)(pixels), preprocess(pixels, spec))


def test_levels_and_floats_are_each_others_inverse() -> None:
    """All 256 levels come back as themselves."""
    levels = torch.arange(256, dtype=torch.uint8).expand(3, 1, 256)
    assert torch.equal(to_levels(to_float(levels)), levels)


def test_levels_are_the_nearest_and_clamped() -> None:
    """0.5 of a level and above goes up to the even neighbour or the next; what is outside [0, 1] ends at its border."""
    pixels = torch.tensor([-0.3, 0.49 / 255, 0.51 / 255, 254.6 / 255, 1.7])
    assert to_levels(pixels.expand(3, 1, 5))[0, 0].tolist() == [0, 0, 1, 255, 255]


def test_to_levels_leaves_its_graph() -> None:
    pixels: Tensor = torch.rand(3, 2, 2, requires_grad=True)
    assert not to_levels(pixels).requires_grad
