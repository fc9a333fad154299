"""Tests the score of an ideal picture: probability, rank, robustness, spectral slope and total variation."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from models.classifier import Classifier
from models.classify import classify
from models.ideal.score import Score, score, spectrum_slope, total_variation, variation_gradient
from models.ideal.subject import ChannelSubject, ClassSubject
from models.ideal.views import FAMILIES
from models.layers import maps
from models.preprocessing import preprocess, to_float
from models.query import Answer, Passes, Query
from models.run import run
from tests.conftest import Draw
from tests.networks import Counting, TwoChannelNetwork, unnormalised


def score_of(classifier: Classifier, picture: Tensor, index: int = 2, **options: frozenset[str]) -> Score:
    arguments = {"trained_on": frozenset[str](), **options}
    unrounded = torch.full((1, 3, 32, 32), 0.5)
    subject = ClassSubject(index, classifier.spec)
    return run(score(picture, unrounded, subject, classifier.spec, Passes(), **arguments), classifier)


@pytest.mark.parametrize("index", range(4))
@pytest.mark.parametrize("size", [32, 50])
def test_rank_and_strength_agree_with_classify(tiny: Classifier, draw: Draw, index: int, size: int) -> None:
    picture = draw(size, size, seed=index)
    result = score_of(tiny, picture, index)
    ranked = run(classify(picture, tiny.spec, top=4), tiny)
    assert result.rank is not None and ranked[result.rank - 1].index == index
    assert result.strength == pytest.approx(ranked[result.rank - 1].probability, abs=1e-6)
    grey = tiny.logits(torch.full((1, 3, 32, 32), 0.5)).softmax(dim=1)[0, index].item()
    assert result.promised == pytest.approx(grey, abs=1e-6)


def test_robust_is_the_mean_of_the_families(tiny: Classifier, draw: Draw) -> None:
    """A family is the mean probability over its views; `held_out` is the mean of the families not trained on."""
    picture = draw(40, 40)
    result = score_of(tiny, picture, trained_on=frozenset(["crops", "shifts", "noise"]))
    for name, views_of in FAMILIES.items():
        mean = tiny.logits(views_of(picture, tiny.spec)).softmax(dim=1)[:, 2].mean().item()
        assert result.families[name] == pytest.approx(mean, abs=1e-6)
    assert result.robust == pytest.approx(np.mean(list(result.families.values())))
    assert result.held_out == pytest.approx(np.mean([result.families[name] for name in ("blur", "jpeg", "half")]))
    assert result.families[result.weakest] == min(result.families.values())


def test_the_families_of_a_channel_are_relative_to_its_activation(tiny: Classifier, draw: Draw) -> None:
    picture, layer = draw(32, 32), tiny.layers.find("0")
    subject = ChannelSubject(layer, 3)
    drawn = torch.full((1, 3, 32, 32), 0.5)
    result = run(score(picture, drawn, subject, tiny.spec, Passes(), trained_on=frozenset()), tiny)

    def activation(pixels: Tensor) -> float:
        (answer,) = tiny.answer([Query(pixels, layer="0")])
        assert answer.activations is not None
        return maps(answer.activations)[:, 3].mean().item()

    own = activation(preprocess(to_float(picture).unsqueeze(0), tiny.spec))
    assert result.rank is None and result.strength == pytest.approx(own, abs=1e-6)
    blurred = activation(FAMILIES["blur"](picture, tiny.spec))
    assert result.families["blur"] == pytest.approx(blurred / abs(own), rel=1e-3)


def test_relative_values_of_a_negative_activation_are_negative() -> None:
    """Red - 0.5 of a picture whose red is 0.2 is -0.3 in every view, so all relative values are -1."""
    classifier = Classifier(TwoChannelNetwork(), unnormalised(2, 32))
    picture = torch.full((3, 32, 32), 51, dtype=torch.uint8)
    subject = ChannelSubject(classifier.layers.find("convolution"), 1)
    drawn = to_float(picture).unsqueeze(0)
    result = run(score(picture, drawn, subject, classifier.spec, Passes(), trained_on=frozenset()), classifier)
    assert result.strength == result.promised == pytest.approx(-0.3)
    assert list(result.families.values()) == pytest.approx([-1] * 6, abs=0.05)


def test_scoring_takes_43_forward_passes(tiny: Classifier, draw: Draw) -> None:
    """24 crops, 8 shifts, 3 blurs, 3 JPEGs, 2 noises, 1 half size, the picture, and its tensor before rounding.

    On a CPU a query of eight is answered four rows at a time.
    """
    subject, sizes = ClassSubject(0, tiny.spec), []

    class Sizes(Counting):
        def answer(self, queries: list[Query]) -> list[Answer]:
            sizes.extend(len(query.pixels) for query in queries)
            return super().answer(queries)

    network, passes = Sizes(tiny), Passes()
    run(
        score(draw(32, 32), torch.zeros(1, 3, 32, 32), subject, tiny.spec, passes, trained_on=frozenset()),
        network,
    )
    assert (passes.forward, passes.backward) == (network.forward, network.backward) == (43, 0)
    assert sizes == [4] * 10 + [3]


def test_total_variation_is_the_sum_of_mean_differences() -> None:
    """For rows 0 1 and 3 3, differences are 1 and 0 across (mean 1/2) and 3 and 2 down (mean 5/2): 3 in all."""
    picture = torch.tensor([[0.0, 1.0], [3.0, 3.0]]).expand(1, 3, 2, 2)
    assert total_variation(picture).item() == pytest.approx(3)


def test_a_flat_picture_has_no_variation() -> None:
    assert total_variation(torch.full((2, 3, 5, 5), 0.3)).item() == 0


@pytest.mark.parametrize("shape", [(1, 3, 7, 5), (3, 2, 9)])
def test_the_gradient_of_total_variation_agrees_with_autograd(shape: tuple[int, ...]) -> None:
    """This includes equal neighbours, where the gradient is 0."""
    picture = torch.rand(shape, generator=torch.Generator().manual_seed(0)).mul(5).round().requires_grad_()
    (expected,) = torch.autograd.grad(total_variation(picture), picture)
    torch.testing.assert_close(variation_gradient(picture), expected)


@given(seed=st.integers(0, 100))
def test_total_variation_is_invariant_to_flips_transposition_and_inversion(seed: int) -> None:
    picture = torch.rand(1, 3, 6, 9, generator=torch.Generator().manual_seed(seed))
    for transformed in (picture.flip(2), picture.flip(3), picture.transpose(2, 3), 1 - picture):
        torch.testing.assert_close(total_variation(transformed), total_variation(picture))


@pytest.mark.parametrize("slope", [0.0, 0.5, 1.0, 1.5])
def test_the_spectral_slope_of_a_known_spectrum(slope: float) -> None:
    """The picture has random phases and the amplitude frequency ** -slope; rounding to 8 bits costs a little."""
    random = np.random.default_rng(0)
    line = np.fft.fftfreq(256)
    radius = np.hypot(line[:, None], line)
    radius[0, 0] = 1.0
    spectrum = np.fft.fft2(random.normal(size=(256, 256)))
    plane = np.fft.ifft2(spectrum / abs(spectrum) * radius**-slope).real
    levels = torch.from_numpy((128 + 40 * plane / plane.std()).clip(0, 255).round().astype(np.uint8))
    assert spectrum_slope(levels.expand(3, 256, 256)) == pytest.approx(slope, abs=0.1)


def test_constant_and_tiny_pictures_have_a_finite_slope() -> None:
    assert spectrum_slope(torch.full((3, 64, 64), 9, dtype=torch.uint8)) == 0
    for side in (16, 17, 28):
        noise = np.random.default_rng(side).integers(0, 256, (3, side, side), dtype=np.uint8)
        assert np.isfinite(spectrum_slope(torch.from_numpy(noise)))


def test_the_spectral_slope_of_a_photo_is_about_1_3(chelsea: Tensor) -> None:
    assert 1.0 < spectrum_slope(chelsea) < 1.6


def test_the_spectral_slope_of_white_noise_is_zero() -> None:
    """Levels are independent and uniform; the mean of three colours is white noise as well."""
    noise = np.random.default_rng(0).integers(0, 256, (3, 224, 224), dtype=np.uint8)
    assert spectrum_slope(torch.from_numpy(noise)) == pytest.approx(0, abs=0.1)


def test_contrast_and_brightness_do_not_change_the_spectral_slope(chelsea: Tensor) -> None:
    """They scale the whole spectrum; 0.02 allows for rounding to half as many levels."""
    assert spectrum_slope(chelsea // 2 + 40) == pytest.approx(spectrum_slope(chelsea), abs=0.02)


def test_the_rank_is_one_more_than_the_classes_above(draw: Draw) -> None:
    """For the logits 3, 1, 2 and 0, the ranks are 1, 3, 2 and 4."""

    class Fixed(nn.Module):
        def forward(self, pixels: Tensor) -> Tensor:
            return torch.tensor([3.0, 1.0, 2.0, 0.0]).expand(len(pixels), 4)

    classifier = Classifier(Fixed(), unnormalised(4, 32))
    assert [score_of(classifier, draw(32, 32), index).rank for index in range(4)] == [1, 3, 2, 4]


def test_equal_classes_are_ranked_as_by_classify() -> None:
    """The network has the same logit for all classes."""

    class Blind(nn.Module):
        def forward(self, pixels: Tensor) -> Tensor:
            return 0 * pixels.mean(dim=(2, 3))

    classifier = Classifier(Blind(), unnormalised(3, 32))
    picture = torch.full((3, 32, 32), 9, dtype=torch.uint8)
    ranked = [prediction.index for prediction in run(classify(picture, classifier.spec, top=3), classifier)]
    assert [score_of(classifier, picture, index).rank for index in ranked] == [1, 2, 3]
