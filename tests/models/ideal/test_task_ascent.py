"""Gradient ascent: what it draws, what the options change, and when it ends."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from models.classifier import Classifier
from models.ideal.options import METHODS
from models.ideal.score import total_variation
from models.preprocessing import preprocess, to_float
from models.spec import Spec
from tests.models.ideal.draw import draw_one
from tests.networks import unnormalised


class Colours(nn.Module):
    """Three classes, red, green and blue: how far the channel's mean is above the others'."""

    def forward(self, pixels: Tensor) -> Tensor:
        means = pixels.mean(dim=(2, 3))
        return 30 * (means - means.mean(dim=1, keepdim=True))


@pytest.mark.parametrize("index", range(3))
@pytest.mark.parametrize("method", METHODS)
def test_the_ideal_of_a_colour_is_that_colour(method: str, index: int) -> None:
    """From noise to a picture whose mean is plainly red, green or blue; MACO's phases cannot change a mean by much."""
    classifier = Classifier(Colours(), unnormalised(3, 16))
    result = draw_one(classifier, index, method=method, steps=200, patience=0)
    means = result.picture.float().mean(dim=(1, 2))
    others = means[[other for other in range(3) if other != index]]
    assert result.score.rank == 1
    if method != "maco":
        assert means[index] > others.max() + 40
        assert result.score.strength > 0.95


class Stripes(nn.Module):
    """Two classes of grey pictures: how much they vary along and down."""

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


def test_a_grey_network_has_grey_ideals() -> None:
    """One channel, 28 x 28: a class for light and one for dark, which only grey can tell."""

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
    result = draw_one(classifier, 1, steps=60)
    assert result.picture.float().mean() < 60 and result.score.rank == 1 and result.score.strength > 0.95


def test_the_plain_recipe_is_what_one_would_write(linear: Classifier) -> None:
    """20 steps of size 1 down 10 x cross-entropy + 0.005 x sum of |dx| + |dy|, from N(0, 1), in a loop of its own."""
    picture = torch.randn(3, 16, 16, generator=torch.Generator().manual_seed(7)).requires_grad_()
    for _ in range(20):
        logits = linear.logits(picture.unsqueeze(0))
        variation = picture.diff(dim=1).abs().sum() + picture.diff(dim=2).abs().sum()
        loss = 10 * nn.functional.cross_entropy(logits, torch.tensor([1])) + 0.005 * variation
        (slope,) = torch.autograd.grad(loss, picture)
        picture = (picture - slope).detach().requires_grad_()
    result = draw_one(linear, 1, method="pixel", crops=0, clamp=False, seed=7, steps=20)
    assert (result.picture.float() - picture.detach().clamp(0, 1) * 255).abs().max() < 0.51
    assert result.score.promised == pytest.approx(linear.logits(picture.unsqueeze(0)).softmax(dim=1)[0, 1].item())


@pytest.mark.parametrize("crops", [0, 1, 5])
def test_a_step_follows_the_mean_over_the_crops(crops: int) -> None:
    """The logit is the picture's mean, so one step of size 3 x 16 x 16 raises it by 1, however many crops there are.

    A crop's pixels weigh 1 together wherever it lies, and descent is plain; the score tells the logit, the other is 0.
    """

    class Mean(nn.Module):
        def forward(self, pixels: Tensor) -> Tensor:
            mean = pixels.mean(dim=(1, 2, 3))
            return torch.stack([mean, 0 * mean], dim=1)

    options = {"objective": "logit", "crops": crops, "noise": 0.0, "tv": 0.0, "clamp": False}
    classifier = Classifier(Mean(), unnormalised(2, 16))
    result = draw_one(classifier, 0, method="pixel", steps=1, learning_rate=3.0 * 16 * 16, **options)
    start = torch.randn(3, 16, 16, generator=torch.Generator().manual_seed(0)).mean().item()
    assert torch.tensor(result.score.promised).logit().item() == pytest.approx(start + 1, abs=1e-4)


@pytest.mark.parametrize("objective", ["logit", "cross_entropy", "margin"])
@pytest.mark.parametrize("method", METHODS)
def test_it_climbs(tiny: Classifier, method: str, objective: str) -> None:
    """On a convolutional network the class's probability ends above that of the first step."""
    start, end = (
        draw_one(tiny, 2, method=method, objective=objective, steps=steps, tv=0.0, patience=0) for steps in (1, 40)
    )
    assert end.score.strength > start.score.strength + (0.05 if method == "maco" else 0.4)


@pytest.mark.parametrize("method", METHODS)
def test_a_channel_is_called_forth(tiny: Classifier, method: str) -> None:
    """Its mean activation on the 8-bit picture: what the score says, far more than on noise and than at the start.

    MACO's spectrum of a photo leaves this small network little: there it is more than at the start.
    """
    layer = tiny.layers.find("2")
    start, end = (draw_one(tiny, (layer, 9), method=method, steps=steps, tv=0.0, patience=0) for steps in (1, 40))
    seen: list[Tensor] = []
    hook = tiny.network[1][2].register_forward_hook(lambda _, __, output: seen.append(output))
    tiny.logits(preprocess(to_float(end.picture).unsqueeze(0), tiny.spec))
    hook.remove()
    assert end.score.strength == pytest.approx(seen[0][0, 9].mean().item(), abs=1e-5)
    assert end.on_noise is not None
    assert end.score.strength > (
        start.score.strength if method == "maco" else 2 * max(start.score.strength, end.on_noise)
    )


def test_variation_costs(tiny: Classifier) -> None:
    """Against a high price on variation the picture ends smoother."""
    free, dear = (to_float(draw_one(tiny, 0, steps=25, tv=price).picture) for price in (0.0, 500.0))
    assert total_variation(dear.unsqueeze(0)) < 0.7 * total_variation(free.unsqueeze(0))


def test_decay_smooths(tiny: Classifier) -> None:
    slopes = [draw_one(tiny, 0, steps=10, size=128, decay=decay).score.slope for decay in (0.5, 2.0)]
    assert slopes[1] > slopes[0] + 0.3


def test_it_ends_when_nothing_rises_any_more(tiny: Classifier) -> None:
    """A class that is sure after a few steps: far fewer than a thousand, and all where told to go on."""
    result = draw_one(tiny, 1, steps=1000, crops=2, patience=10)
    assert 18 <= result.steps < 200
    assert draw_one(tiny, 1, steps=250, crops=1, patience=0).steps == 250


@pytest.mark.parametrize("patience", [1, 5])
def test_what_never_rises_ends_with_its_patience(patience: int) -> None:
    """A network that says the same of all pictures: the window of 8 fills, and then it waits."""

    class Blind(nn.Module):
        def forward(self, pixels: Tensor) -> Tensor:
            return 0 * pixels.mean(dim=(2, 3))

    classifier = Classifier(Blind(), unnormalised(3, 16))
    assert draw_one(classifier, 0, steps=50, patience=patience).steps == 8 + patience
    assert draw_one(classifier, 0, steps=50, patience=0).steps == 50
