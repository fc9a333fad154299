"""Tests the gradient ascent of ideal pictures: its results, the effect of its options, and when it stops."""

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from models.classifier import Classifier
from models.ideal.options import METHODS
from models.ideal.score import total_variation
from models.ideal.task import ideal
from models.preprocessing import preprocess, to_float
from models.run import run
from models.spec import Spec
from tests.models.ideal.draw import draw_one
from tests.networks import Recording, unnormalised


class Colours(nn.Module):
    """A network of the classes red, green and blue; a logit is 30 x (mean of the colour - mean of all)."""

    def forward(self, pixels: Tensor) -> Tensor:
        means = pixels.mean(dim=(2, 3))
        return 30 * (means - means.mean(dim=1, keepdim=True))


@pytest.mark.parametrize("index", [0, *(pytest.param(index, marks=pytest.mark.slow) for index in (1, 2))])
@pytest.mark.parametrize("method", METHODS)
def test_the_ideal_of_a_colour_is_that_colour(method: str, index: int) -> None:
    """The mean colour becomes clearly red, green or blue, but MACO's phases cannot change a mean by much."""
    classifier = Classifier(Colours(), unnormalised(3, 16))
    result = draw_one(classifier, index, method=method, effort="thorough", steps=200, patience=0)
    means = result.picture.float().mean(dim=(1, 2))
    others = means[[channel for channel in range(3) if channel != index]]
    assert result.score.rank == 1
    if method != "maco":
        assert means[index] > others.max() + 40
        assert result.score.strength > 0.95


class Stripes(nn.Module):
    """A network of two classes of grey pictures: their horizontal and their vertical variation."""

    def forward(self, pixels: Tensor) -> Tensor:
        return 2 * torch.stack([pixels.diff(dim=axis).abs().sum(dim=(1, 2, 3)) for axis in (3, 2)], dim=1)


@pytest.mark.parametrize("index", range(2))
@pytest.mark.parametrize("method", METHODS)
def test_a_network_of_one_channel_draws_its_class_in_grey(method: str, index: int) -> None:
    spec = replace(unnormalised(2, 24), mean=(0.0,), std=(1.0,))
    result = draw_one(Classifier(Stripes(), spec), index, method=method, steps=60, patience=0, crops=0, tv=0.0)
    red, green, blue = result.picture
    assert torch.equal(red, green) and torch.equal(green, blue)
    assert result.score.rank == 1 and result.score.strength > 0.95
    along, down = (result.picture[0].float().diff(dim=axis).abs().sum() for axis in (1, 0))
    assert (along > down) == (index == 0)


def test_the_ideals_of_a_one_channel_network_are_grey() -> None:
    """The network takes 1 x 28 x 28 pixels and has a class for light pictures and one for dark pictures."""

    class Light(nn.Module):
        def forward(self, grey: Tensor) -> Tensor:
            assert grey.shape[1:] == (1, 28, 28)
            mean = grey.mean(dim=(1, 2, 3))
            return torch.stack([8 * mean, -8 * mean], dim=1)

    spec = Spec("resnet18", ("light", "dark"), input_size=28, resize=28, mean=(0.5,), std=(0.5,))
    classifier = Classifier(Light(), spec)
    for method in METHODS:
        red, green, blue = draw_one(classifier, 1, method=method, steps=60).picture
        assert torch.equal(red, green) and torch.equal(green, blue)
    result = draw_one(classifier, 1, effort="thorough", steps=60)
    assert result.picture.float().mean() < 60 and result.score.rank == 1 and result.score.strength > 0.95


def test_the_plain_recipe_agrees_with_a_loop_written_out(linear: Classifier) -> None:
    """20 gradient steps of size 1 from N(0, 1) on 10 x cross-entropy + 0.005 x the sum of |dx| + |dy|."""
    picture = torch.randn(3, 16, 16, generator=torch.Generator().manual_seed(7)).requires_grad_()
    for _ in range(20):
        logits = linear.logits(picture.unsqueeze(0))
        variation = picture.diff(dim=1).abs().sum() + picture.diff(dim=2).abs().sum()
        loss = 10 * nn.functional.cross_entropy(logits, torch.tensor([1])) + 0.005 * variation
        (gradient,) = torch.autograd.grad(loss, picture)
        picture = (picture - gradient).detach().requires_grad_()
    result = draw_one(linear, 1, method="pixel", crops=0, clamp=False, seed=7, steps=20)
    assert (result.picture.float() - picture.detach().clamp(0, 1) * 255).abs().max() < 0.51
    assert result.score.promised == pytest.approx(linear.logits(picture.unsqueeze(0)).softmax(dim=1)[0, 1].item())


class Mean(nn.Module):
    """A network of two classes whose logits are the mean of all pixels, and 0."""

    def forward(self, pixels: Tensor) -> Tensor:
        mean = pixels.mean(dim=(1, 2, 3))
        return torch.stack([mean, 0 * mean], dim=1)


def rise_of_the_mean(**options: Any) -> float:
    """Draw by plain gradient descent with steps of 3 x 16 x 16 for Mean, and return by how much its logit rose."""
    plain = {"objective": "logit", "noise": 0.0, "tv": 0.0, "clamp": False, "patience": 0}
    classifier = Classifier(Mean(), unnormalised(2, 16))
    result = draw_one(classifier, 0, method="pixel", learning_rate=3.0 * 16 * 16, **plain, **options)
    start = torch.randn(3, 16, 16, generator=torch.Generator().manual_seed(0)).mean().item()
    return torch.tensor(result.score.promised).logit().item() - start


@pytest.mark.parametrize("crops", [0, 1, 5])
def test_a_step_follows_the_mean_over_the_crops(crops: int) -> None:
    """The logit is the picture's mean, so one step of size 3 x 16 x 16 raises it by 1, however many crops there are.

    The weights of a crop's pixels sum to 1 wherever it lies. The other logit is 0, so the score gives the logit.
    """
    assert rise_of_the_mean(crops=crops, steps=1) == pytest.approx(1, abs=1e-4)


@pytest.mark.parametrize(("final_rate", "rise"), [(1.0, 3), (0.5, 1 + 0.75 + 0.5), (0.0, 1 + 0.5 + 0)])
def test_the_learning_rate_falls_linearly_to_the_final_rate(final_rate: float, rise: float) -> None:
    """Every step at the full learning rate would raise the logit by 1."""
    assert rise_of_the_mean(crops=2, steps=3, final_rate=final_rate) == pytest.approx(rise, abs=1e-3)


@pytest.mark.parametrize("objective", ["logit", "cross_entropy", "margin"])
@pytest.mark.parametrize("method", METHODS)
def test_the_probability_rises_during_the_ascent(tiny: Classifier, method: str, objective: str) -> None:
    """On a small convolutional network, 40 steps end with a much higher probability than one step."""
    start, end = (
        draw_one(tiny, 2, method=method, effort="thorough", objective=objective, steps=steps, tv=0.0, patience=0)
        for steps in (1, 40)
    )
    assert end.score.strength > start.score.strength + (0.05 if method == "maco" else 0.4)


@pytest.mark.parametrize("method", METHODS)
def test_the_activation_of_a_channel_rises_during_the_ascent(tiny: Classifier, method: str) -> None:
    """The score is the mean activation on the 8-bit picture, at least twice that on noise and that at the start.

    With MACO's fixed spectrum this small network only gets above the start.
    """
    layer = tiny.layers.find("2")
    start, end = (draw_one(tiny, (layer, 9), method=method, steps=steps, tv=0.0, patience=0) for steps in (1, 40))
    activations: list[Tensor] = []
    hook = tiny.network[1][2].register_forward_hook(lambda _, __, output: activations.append(output))
    tiny.logits(preprocess(to_float(end.picture).unsqueeze(0), tiny.spec))
    hook.remove()
    assert end.score.strength == pytest.approx(activations[0][0, 9].mean().item(), abs=1e-5)
    assert end.on_noise is not None
    assert end.score.strength > (
        start.score.strength if method == "maco" else 2 * max(start.score.strength, end.on_noise)
    )


def test_a_high_tv_weight_gives_a_smoother_picture(tiny: Classifier) -> None:
    """With a weight of 500 the total variation is less than 0.7 of that without."""
    rough, smooth = (to_float(draw_one(tiny, 0, steps=25, tv=weight).picture) for weight in (0.0, 500.0))
    assert total_variation(smooth.unsqueeze(0)) < 0.7 * total_variation(rough.unsqueeze(0))


def test_a_larger_decay_gives_a_larger_spectral_slope(tiny: Classifier) -> None:
    slopes = [draw_one(tiny, 0, steps=10, size=128, decay=decay).score.slope for decay in (0.5, 2.0)]
    assert slopes[1] > slopes[0] + 0.3


def test_the_ascent_stops_when_the_score_no_longer_rises(tiny: Classifier) -> None:
    """The probability reaches its maximum soon, so far fewer than 1000 steps are taken; with patience 0, all are."""
    result = draw_one(tiny, 1, effort="thorough", steps=1000, crops=2, patience=10)
    assert 18 <= result.steps < 200
    assert draw_one(tiny, 1, steps=250, crops=1, patience=0).steps == 250


class Blind(nn.Module):
    """A network with the same output for all pictures, so that no step changes the picture."""

    def forward(self, pixels: Tensor) -> Tensor:
        return 0 * pixels.mean(dim=(2, 3))


def test_the_noise_rises_linearly() -> None:
    """Within 0.8 of ten steps it rises from 0 to all; the picture and the random numbers are the same each time."""
    classifier, seen = Classifier(Blind(), unnormalised(3, 16)), []
    for options in ({"noise": 0.0}, {"noise_rise": 0.0}, {"noise_rise": 0.8}):
        network = Recording(classifier)
        run(ideal(0, classifier.spec, steps=10, crops=0, patience=0, tv=0.0, **{"noise": 0.05, **options}), network)
        seen.append(torch.cat(network.pixels[:10]))
    without, full, rising = seen
    for step in range(10):
        expected = without[step] + min(1, step / 8) * (full[step] - without[step])
        torch.testing.assert_close(rising[step], expected, atol=1e-5, rtol=0)
    assert not torch.equal(full, without)


@pytest.mark.parametrize(
    ("options", "rows"),
    [
        ({"crops": 1, "batch": 4}, [1, 1, 4, 4, 2]),
        ({"crops": 2, "batch": 5}, [2, 2, 4, 4, 4, 4, 4]),
        ({"crops": 4, "batch": 1}, [4] * 12),
        ({"crops": 0, "batch": 4}, [1] * 12),
        ({"crops": 1, "batch": 4, "size": 600}, [1] * 12),
    ],
    ids=["one crop", "two crops", "batch of 1", "whole", "large"],
)
def test_steps_share_passes_after_the_first_eighth(tiny: Classifier, options: dict[str, Any], rows: list[int]) -> None:
    """Of 12 steps 2 are alone. Then as many share a pass as have their crops in `batch`, unless they are large."""
    network = Recording(tiny)
    run(ideal(0, tiny.spec, steps=12, patience=0, sure=1.0, **options), network)
    assert [len(pixels) for pixels in network.pixels[: len(rows)]] == rows


def test_the_ascent_stops_when_the_class_is_sure(tiny: Classifier) -> None:
    """The probability of every step is far above 0.01, so only the window of 8 steps is waited for.

    A pass has the noise of its first step: after 7 steps alone, the first pass with all of it begins with step 27.
    """
    options = {"steps": 50, "patience": 0}
    assert draw_one(tiny, 1, sure=0.01, noise_rise=0.0, **options).steps == 8
    assert draw_one(tiny, 1, sure=0.01, noise_rise=0.5, **options).steps == 27 + 8
    assert draw_one(tiny, 1, sure=1.0, **options).steps == 50
    assert draw_one(tiny, 1, sure=0.01, noise_rise=0.5, noise=0.0, **options).steps == 8, "there is no noise to rise"


@pytest.mark.parametrize("patience", [1, 5])
def test_a_constant_score_stops_after_window_plus_patience(patience: int) -> None:
    """The network has the same output for all pictures, so it stops after the window of 8 steps and the patience.

    Both begin after the 20 steps in which the noise rises, if it does.
    """
    classifier = Classifier(Blind(), unnormalised(3, 16))
    assert draw_one(classifier, 0, steps=50, patience=patience, noise_rise=0.0).steps == 8 + patience
    assert draw_one(classifier, 0, steps=50, patience=patience, noise_rise=0.0, batch=8).steps == 8 + patience
    assert draw_one(classifier, 0, steps=50, patience=patience, noise_rise=0.4, batch=1).steps == 20 + 8 + patience
    assert draw_one(classifier, 0, steps=50, patience=0).steps == 50
