"""A classifier's answers: right, and the same whoever else is asked in the same batch."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from torch import Tensor, nn

from models.attacks.objectives import log_odds
from models.classifier import Classifier, Normalize, choose_device
from models.query import Objective, Query
from models.spec import Spec
from tests.networks import LinearNetwork, unnormalised

# What another batch's order of summation may move, relative to the size of logits and gradients.
TOLERANCE = 1e-5


def away_from(labels: Tensor) -> Objective:
    return lambda logits: log_odds(logits, labels)


def towards(labels: Tensor) -> Objective:
    return lambda logits: -log_odds(logits, labels)


def noise(rows: int, side: int = 32, seed: int = 0) -> Tensor:
    return torch.rand(rows, 3, side, side, generator=torch.Generator().manual_seed(seed))


def assert_near(found: Tensor | None, wanted: Tensor | None) -> None:
    assert found is not None
    assert wanted is not None
    assert (found - wanted).abs().max() <= TOLERANCE * (1 + wanted.abs().max())


@st.composite
def queries(draw: st.DrawFn) -> list[Query]:
    """One to five queries of one to four rows, each with an objective of its own kind or none."""
    asked = []
    for number in range(draw(st.integers(1, 5))):
        labels = torch.tensor(draw(st.lists(st.integers(0, 3), min_size=1, max_size=4)))
        kinds = [None, towards(labels), away_from(labels), lambda logits: -logits[:, 1] / 4]
        asked.append(
            Query(noise(len(labels), seed=draw(st.integers(0, 99)) + 100 * number), draw(st.sampled_from(kinds)))
        )
    return asked


@given(asked=queries())
@settings(max_examples=25)
def test_alone_is_together(tiny: Classifier, asked: list[Query]) -> None:
    """The law: logits and gradients do not depend on the strangers in the batch, nor on what they ask."""
    for query, together in zip(asked, tiny.answer(asked), strict=True):
        (alone,) = tiny.answer([query])
        assert_near(together.logits, alone.logits)
        assert (together.gradients is None) == (together.losses is None) == (query.objective is None)
        if query.objective is not None:
            assert_near(together.gradients, alone.gradients)
            torch.testing.assert_close(together.losses, query.objective(together.logits))


def test_alone_is_together_on_imagenet(imagenet: object, chelsea: Tensor) -> None:
    """The law again for a trained MobileNetV2, at its real depth."""
    classifier: Classifier = imagenet.classifier  # type: ignore[attr-defined]
    asked = [
        Query(noise(3, 224)),
        Query(noise(1, 224, seed=1), towards(torch.tensor([281]))),
        Query(noise(2, 224, seed=2), away_from(torch.tensor([281, 7]))),
    ]
    for query, together in zip(asked, classifier.answer(asked), strict=True):
        (alone,) = classifier.answer([query])
        assert_near(together.logits, alone.logits)
        if query.objective is not None:
            assert_near(together.gradients, alone.gradients)


def test_a_stranger_that_is_not_finite_harms_nobody(tiny: Classifier) -> None:
    """NaN pixels of one row give that row NaN, and no other."""
    healthy = Query(noise(2), towards(torch.tensor([0, 1])))
    ill = Query(torch.full((1, 3, 32, 32), torch.nan), towards(torch.tensor([0])))
    (alone,) = tiny.answer([healthy])
    together, of_ill = tiny.answer([healthy, ill])
    assert_near(together.logits, alone.logits)
    assert_near(together.gradients, alone.gradients)
    assert of_ill.logits.isnan().all()


def test_logits_and_gradients_of_a_linear_model(linear: Classifier, weights_of_linear: Tensor) -> None:
    """Logit k's gradient is row k of the weight, whatever the picture; the logits are one matrix product."""
    shown = noise(3, 16)
    (answer,) = linear.answer([Query(shown, lambda logits: logits[:, 2])])
    layer = LinearNetwork(3, 16).layer
    torch.testing.assert_close(answer.logits, layer(shown.flatten(1)).detach())
    assert answer.losses is not None
    assert answer.losses.tolist() == answer.logits[:, 2].tolist()
    assert not answer.losses.requires_grad
    torch.testing.assert_close(answer.gradients, weights_of_linear[2].expand(3, -1, -1, -1))


def test_gradients_are_finite_differences(tiny: Classifier) -> None:
    """Along a random direction, (f(x + h d) - f(x - h d)) / 2 h is the gradient's product with d."""
    objective = towards(torch.tensor([2]))
    shown, direction, step = noise(1), noise(1, seed=9) - 0.5, 1e-2
    (answer,) = tiny.answer([Query(shown, objective)])
    assert answer.gradients is not None
    above, below = (objective(tiny.answer([Query(shown + h * direction)])[0].logits) for h in (step, -step))
    slope = (above - below) / (2 * step)
    torch.testing.assert_close((answer.gradients * direction).sum(), slope.squeeze(), rtol=2e-2, atol=1e-3)


def test_normalisation_is_the_first_layer() -> None:
    """A network that sums its input, shown the mean colour, says 0; shown one std more in each channel, the count."""

    class Sum(nn.Module):
        def forward(self, seen: Tensor) -> Tensor:
            return seen.sum(dim=(2, 3))

    spec = Spec("squeezenet1_1", ("r", "g", "b"), input_size=16, resize=16)
    classifier = Classifier(Sum(), spec)
    mean, std = (torch.tensor(each).reshape(1, 3, 1, 1).expand(1, 3, 16, 16) for each in (spec.mean, spec.std))
    at_mean, above = classifier.answer([Query(mean), Query(mean + std)])
    torch.testing.assert_close(at_mean.logits, torch.zeros(1, 3), atol=1e-4, rtol=0)
    torch.testing.assert_close(above.logits, torch.full((1, 3), 256.0), atol=1e-3, rtol=0)


def grey_spec(mean: float, std: float) -> Spec:
    return Spec("squeezenet1_1", ("a", "b"), input_size=16, resize=16, mean=(mean,), std=(std,))


def in_pillows_grey(levels: Tensor) -> Tensor:
    """uint8 [3, h, w] by Image.convert("L"): [1, 1, h, w]."""
    image = Image.fromarray(levels.permute(1, 2, 0).numpy()).convert("L")
    return torch.from_numpy(np.array(image)).reshape(1, 1, *levels.shape[1:])


def test_one_channel_is_pillows_grey(chelsea: Tensor) -> None:
    """To the half level by which Pillow rounds, in a photograph and in every colour of a coarse cube."""
    steps = torch.arange(0, 256, 17, dtype=torch.uint8)
    cube = torch.cartesian_prod(steps, steps, steps).T.reshape(3, 64, 64)
    for levels in (chelsea[:, :256, :256], cube):
        grey = Normalize(grey_spec(0.0, 1.0))(levels.unsqueeze(0) / 255)
        assert grey.shape == (1, 1, *levels.shape[1:])
        assert (255 * grey - in_pillows_grey(levels)).abs().max() < 0.502


def test_grey_is_normalised_as_one_channel(chelsea: Tensor) -> None:
    """(grey - mean) / std: what is half a level of 255 before is two of them at a std of a quarter."""
    levels = chelsea[:, :256, :256]
    found = Normalize(grey_spec(0.4, 0.25))(levels.unsqueeze(0) / 255)
    wanted = (in_pillows_grey(levels) / 255 - 0.4) / 0.25
    torch.testing.assert_close(found, wanted, rtol=0, atol=0.502 / 255 / 0.25)


def test_a_grey_picture_stays_what_it_is() -> None:
    """Three equal channels are that channel: the weights sum to 1."""
    grey = noise(2, 16)[:, :1]
    torch.testing.assert_close(Normalize(grey_spec(0.0, 1.0))(grey.expand(-1, 3, -1, -1)), grey, rtol=0, atol=1e-6)


def test_pixels_have_three_colours_whatever_the_network_is_given() -> None:
    """A network that sums its one channel: gradients towards red, green and blue are the weights of grey, over std."""

    class Sum(nn.Module):
        def forward(self, seen: Tensor) -> Tensor:
            assert seen.shape[1] == 1
            return seen.sum(dim=(2, 3)).expand(-1, 2)

    classifier = Classifier(Sum(), grey_spec(0.5, 0.25))
    shown = noise(2, 16)
    (answer,) = classifier.answer([Query(shown, lambda logits: logits[:, 0])])
    assert answer.gradients is not None
    weights = torch.tensor([0.299, 0.587, 0.114]).reshape(1, 3, 1, 1)
    torch.testing.assert_close(answer.gradients, (weights / 0.25).expand(2, 3, 16, 16))


def test_logits_are_divided_by_the_temperature(linear: Classifier) -> None:
    """At temperature 4 all logits and gradients are a quarter."""
    cool = Classifier(LinearNetwork(3, 16), unnormalised(3, 16, temperature=4.0))
    query = Query(noise(2, 16), lambda logits: logits[:, 0])
    (warm,), (quarter,) = linear.answer([query]), cool.answer([query])
    torch.testing.assert_close(quarter.logits * 4, warm.logits)
    assert quarter.gradients is not None
    torch.testing.assert_close(quarter.gradients * 4, warm.gradients)


def test_weights_are_frozen_and_batch_norm_stands_still(tiny: Classifier) -> None:
    """No weight asks for a gradient or gets one, and no running statistic moves, whatever is asked."""
    before = {key: value.clone() for key, value in tiny.network.state_dict().items()}
    tiny.answer([Query(noise(4), towards(torch.tensor([0, 1, 2, 3])))])
    assert not tiny.network.training
    assert all(not weight.requires_grad and weight.grad is None for weight in tiny.network.parameters())
    for key, value in tiny.network.state_dict().items():
        assert torch.equal(value, before[key]), key


def test_a_network_in_training_mode_is_served_in_evaluation_mode() -> None:
    """Dropout would answer one question in two ways."""
    network = nn.Sequential(LinearNetwork(3, 16), nn.Dropout(0.5)).train()
    classifier = Classifier(network, unnormalised(3, 16))
    query = Query(noise(1, 16))
    assert torch.equal(classifier.answer([query])[0].logits, classifier.answer([query])[0].logits)


@pytest.mark.parametrize("enabled", [True, False])
def test_answers_neither_heed_nor_change_the_callers_gradient_mode(tiny: Classifier, enabled: bool) -> None:
    with torch.set_grad_enabled(enabled):
        plain, wanted = tiny.answer([Query(noise(1)), Query(noise(1), towards(torch.tensor([0])))])
        tiny.answer([Query(noise(1))])
        assert torch.is_grad_enabled() is enabled
    assert wanted.gradients is not None
    assert wanted.gradients.abs().sum() > 0
    assert not plain.logits.requires_grad
    assert not wanted.logits.requires_grad
    assert not wanted.gradients.requires_grad


def test_pixels_of_the_asker_are_left_alone(tiny: Classifier) -> None:
    """A task's own tensor keeps its graph: it is neither changed nor asked for gradients."""
    shown = noise(1)
    kept = shown.clone()
    tiny.answer([Query(shown, towards(torch.tensor([0])))])
    assert torch.equal(shown, kept)
    assert not shown.requires_grad


def test_probabilities_are_of_preprocessed_pictures_and_sum_to_one(tiny: Classifier, chelsea: Tensor) -> None:
    found = tiny.probabilities(chelsea.unsqueeze(0) / 255)
    assert found.shape == (1, 4)
    torch.testing.assert_close(found.sum(dim=1), torch.ones(1))


def test_warm_up_asks_one_picture_of_the_input_size(tiny: Classifier) -> None:
    """It ends without an error and leaves no gradient behind."""
    tiny.warm_up()
    assert all(weight.grad is None for weight in tiny.network.parameters())


def test_choose_device() -> None:
    """A named device is taken at its word; one that does not exist is refused with a reason."""
    assert choose_device("cpu").type == "cpu"
    assert choose_device().type in ("cpu", "cuda", "mps")
    with pytest.raises(RuntimeError):
        choose_device("nonsense")


@pytest.mark.gpu
def test_a_gpu_says_what_the_processor_says(tiny: Classifier) -> None:
    """Without TF32, logits and gradients agree to float tolerance."""
    device = choose_device()
    there = Classifier(tiny.network[1], tiny.spec, device=device)
    query = Query(noise(3), towards(torch.tensor([0, 1, 2])))
    on_gpu = Query(query.pixels.to(device), towards(torch.tensor([0, 1, 2], device=device)))
    (here,), (away,) = tiny.answer([query]), there.answer([on_gpu])
    torch.testing.assert_close(away.logits.cpu(), here.logits, rtol=1e-4, atol=1e-4)
    assert away.gradients is not None
    torch.testing.assert_close(away.gradients.cpu(), here.gradients, rtol=1e-3, atol=1e-4)
