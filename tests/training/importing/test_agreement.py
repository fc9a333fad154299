"""How far two ways of preprocessing agree, against Pillow's, which timm and torchvision use."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn
from torchvision.transforms import InterpolationMode
from torchvision.transforms._presets import ImageClassification

from models.classifier import Classifier
from models.preprocessing import preprocess, to_float
from models.spec import Spec
from tests.foreign_networks import photos
from training.importing.agreement import Agreement, compare, cut_text, unsteady_text
from training.importing.model import BadSource, Preprocessing, SourceModel

SPEC = Spec("of this test", ("a", "b", "c"), input_size=64, resize=72)


class Blurred(nn.Module):
    """A linear network of 4 x 4 mean colours, of which small differences of the input change little."""

    def __init__(self, classes: int = 3) -> None:
        super().__init__()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            self.head = nn.Linear(48, classes)

    def forward(self, pixels: Tensor) -> Tensor:
        return self.head(nn.functional.adaptive_avg_pool2d(pixels, 4).flatten(1))


def pillows(spec: Spec) -> Preprocessing:
    """Return the preprocessing of torchvision's transforms, which resize with Pillow."""
    transforms = ImageClassification(
        crop_size=spec.side,
        resize_size=max(spec.resize_size),
        mean=spec.mean,
        std=spec.std,
        interpolation=InterpolationMode(spec.interpolation),
    )
    return lambda image: transforms(image).unsqueeze(0)


def compared(
    spec: Spec, preprocessing: Preprocessing, pictures: Sequence[Tensor], network: nn.Module | None = None
) -> Agreement:
    model = SourceModel(network or Blurred(), spec, {}, preprocessing)
    return compare(model, Classifier(model.network, spec), preprocessing, pictures)


def own(spec: Spec) -> Preprocessing:
    """Return the preprocessing of the spec itself, normalised."""
    mean, std = (torch.tensor(values).reshape(1, -1, 1, 1) for values in (spec.mean, spec.std))

    def process(image: Image.Image) -> Tensor:
        levels = torch.from_numpy(np.array(image)).permute(2, 0, 1)
        return (preprocess(to_float(levels)[None], spec) - mean) / std

    return process


@pytest.fixture(scope="module")
def checkerboard() -> Tensor:
    """Black and white squares of three pixels, on which bicubic interpolation overshoots most."""
    levels = torch.from_numpy(np.indices((200, 260)).sum(axis=0) // 3 % 2 * 255).to(torch.uint8)
    return levels.expand(3, -1, -1).contiguous()


def test_the_same_preprocessing_agrees_completely() -> None:
    agreement = compared(SPEC, own(SPEC), photos())
    assert (agreement.photos, agreement.same_top) == (12, 12) and agreement.is_steady
    assert agreement.levels < 1e-3 and agreement.levels_cut < 1e-3 and agreement.logits < 1e-6 and agreement.holds


@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
def test_pillow_differs_by_its_rounding_alone(interpolation: str) -> None:
    """Half a level for each of the two passes, and more by the second's weights, whose absolute values exceed 1."""
    spec = replace(SPEC, interpolation=interpolation)
    agreement = compared(spec, pillows(spec), photos())
    assert agreement.holds and agreement.same_top == 12
    assert 0.5 < agreement.levels_cut < 1.2 and 0.1 < agreement.mean_levels < 0.5


def test_where_bicubic_interpolation_overshoots_pillow_cuts_off_earlier(checkerboard: Tensor) -> None:
    """Values beyond black and white are cut off after the first pass there, and only after both here."""
    spec = replace(SPEC, interpolation="bicubic", resize=180, input_size=160)
    agreement = compared(spec, pillows(spec), [checkerboard])
    assert agreement.levels > 5 > 1.5 > agreement.levels_cut and agreement.holds
    bilinear = replace(spec, interpolation="bilinear")
    assert compared(bilinear, pillows(bilinear), [checkerboard]).levels < 1.2, "which does not overshoot"


@pytest.mark.parametrize(
    "fields",
    [
        {"interpolation": "bicubic"},
        {"resize": 70},
        {"mean": (0.5, 0.5, 0.5)},
        {"std": (0.25, 0.25, 0.25)},
        {"colours": "BGR"},
        {"resize_mode": "squash"},
        {"antialias": False},
    ],
    ids=str,
)
def test_a_wrong_description_does_not_hold(fields: dict[str, object]) -> None:
    """Each is far from Pillow's bilinear interpolation to 72 pixels with ImageNet's normalisation."""
    agreement = compared(replace(SPEC, **fields), pillows(SPEC), photos())  # type: ignore[arg-type]
    assert not agreement.holds and agreement.levels_cut > 3


def test_another_shape_is_refused() -> None:
    """The message has both, and what to give."""
    with pytest.raises(
        BadSource, match=r"makes an input of 3 x 60 x 60 values, and by its description it has 3 x 64 x"
    ):
        compared(SPEC, pillows(replace(SPEC, input_size=60)), photos()[:1])
    with pytest.raises(BadSource, match="makes an input of 1 x 64 x 64 values"):
        compared(SPEC, lambda image: torch.zeros(1, 1, 64, 64), photos()[:1])


class Biased(nn.Module):
    """Logits 0 and the mean of the pixels, plus a bias: which one is larger changes at one brightness."""

    def __init__(self, bias: float, scale: float) -> None:
        super().__init__()
        self.bias, self.scale = bias, scale

    def forward(self, pixels: Tensor) -> Tensor:
        second = self.scale * pixels.mean(dim=(1, 2, 3)) + self.bias
        return torch.stack([torch.zeros_like(second), second], dim=1)


@pytest.mark.parametrize(("scale", "same_top"), [(1.0, 1), (1000.0, 0)])
def test_a_network_that_reacts_to_one_level_is_not_a_wrong_description(scale: float, same_top: int) -> None:
    """One way of preprocessing is brighter by a level, 1/255. The second logit rises by `scale` times that.

    It begins at 0.5/255 or at -0.5 * 1000/255, so the border between the classes is crossed only by the second one.
    """
    spec = Spec("of this test", ("a", "b"), input_size=32, resize=32, mean=(0.0,) * 3, std=(1.0,) * 3)
    grey = torch.full((3, 32, 32), 128, dtype=torch.uint8)
    sign = 1 if scale == 1 else -1
    network = Biased(-scale * (128 - sign * 0.5) / 255, scale)
    as_it_is = own(spec)
    agreement = compared(spec, lambda image: as_it_is(image) + 1 / 255, [grey], network)
    assert agreement.holds and agreement.levels == pytest.approx(1, abs=1e-3) and agreement.same_top == same_top
    largest = scale / 255 * (1.5 if scale == 1 else 0.5)
    assert agreement.logits == pytest.approx(scale / 255 / (1 + largest), rel=1e-3)
    assert agreement.is_steady == (scale == 1)
    if scale == 1000:
        assert unsteady_text(agreement).endswith(
            "changes its logits by up to 132% of their size, and the most probable class of 1 of 1 pictures"
        )


def test_one_label_has_no_second_one() -> None:
    spec = replace(SPEC, classes=("a",), multi_label=True)
    assert compared(spec, own(spec), photos()[:2], Blurred(1)).holds


def test_pictures_without_colours_are_compared_too(checkerboard: Tensor) -> None:
    """The library makes one channel; the spec says L."""
    spec = replace(SPEC, mean=(0.5,), std=(0.25,))
    colours = replace(SPEC, mean=(0.0,) * 3, std=(1.0,) * 3)
    to_colours = pillows(colours)

    def grey(image: Image.Image) -> Tensor:
        return (to_colours(image.convert("L").convert("RGB"))[:, :1] - 0.5) / 0.25

    class Flat(nn.Module):
        def forward(self, pixels: Tensor) -> Tensor:
            return nn.functional.adaptive_avg_pool2d(pixels, (1, 3)).flatten(1)

    agreement = compared(spec, grey, [checkerboard, *photos()], Flat())
    assert agreement.holds and 0.3 < agreement.levels < 1.7


def test_the_text_has_every_figure() -> None:
    agreement = Agreement(photos=24, levels=7.23, levels_cut=1.09, mean_levels=0.288, logits=2e-3, same_top=23)
    assert agreement.text == (
        "the most probable class is the same on 23 of 24 pictures; the values of the input differ by 7.23 levels of "
        "255 at most (0.288 on average; 1.09 at most where values beyond black and white are cut off after each pass, "
        "as it does), and the logits by 0.002 of their size"
    )
    assert agreement.holds and cut_text(1.0, 1.0) == ""
    assert agreement.to_json()["tolerance"] == {"levels": 1.5, "logits": 0.05}
    assert not replace(agreement, levels_cut=1.6).holds and not agreement.is_steady
    steady = replace(agreement, same_top=24)
    assert steady.is_steady and not replace(steady, logits=0.06).is_steady
