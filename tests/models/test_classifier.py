"""Tests that a classifier's logits and gradients are right and do not depend on the other queries of the batch."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from torch import Tensor, nn

from models.attacks.objectives import log_odds
from models.classifier import Classifier, choose_device
from models.network_ends import Normalize
from models.query import LabelObjective, Objective, Query
from models.spec import Spec
from tests.networks import LinearNetwork, unnormalised

# Largest difference that another order of summation in another batch may make, relative to the largest value.
TOLERANCE = 1e-5


def away_from(labels: Tensor) -> Objective:
    return lambda logits: log_odds(logits, labels)


def towards(labels: Tensor) -> Objective:
    return lambda logits: -log_odds(logits, labels)


def noise(rows: int, side: int = 32, seed: int = 0) -> Tensor:
    return torch.rand(rows, 3, side, side, generator=torch.Generator().manual_seed(seed))


def assert_near(actual: Tensor | None, expected: Tensor | None) -> None:
    assert actual is not None
    assert expected is not None
    assert (actual - expected).abs().max() <= TOLERANCE * (1 + expected.abs().max())


@st.composite
def queries(draw: st.DrawFn) -> list[Query]:
    """Draw one to five queries of one to four rows, each with one of five objectives or none."""
    batch = []
    for number in range(draw(st.integers(1, 5))):
        labels = torch.tensor(draw(st.lists(st.integers(0, 3), min_size=1, max_size=4)))
        kinds = [
            None,
            towards(labels),
            away_from(labels),
            LabelObjective(log_odds, labels),
            LabelObjective(log_odds, labels, negative=True),
            lambda logits: -logits[:, 1] / 4,
        ]
        batch.append(
            Query(noise(len(labels), seed=draw(st.integers(0, 99)) + 100 * number), draw(st.sampled_from(kinds)))
        )
    return batch


@given(batch=queries())
@settings(max_examples=25)
def test_an_answer_does_not_depend_on_the_rest_of_the_batch(tiny: Classifier, batch: list[Query]) -> None:
    """Logits and gradients of a query are the same alone and together with other queries and objectives."""
    for query, together in zip(batch, tiny.answer(batch), strict=True):
        (alone,) = tiny.answer([query])
        assert_near(together.logits, alone.logits)
        assert (together.gradients is None) == (together.losses is None) == (query.objective is None)
        if query.objective is not None:
            assert_near(together.gradients, alone.gradients)
            torch.testing.assert_close(together.losses, query.objective(together.logits))


def test_an_answer_does_not_depend_on_the_rest_of_the_batch_on_imagenet(imagenet: object, chelsea: Tensor) -> None:
    """The same holds for a trained MobileNetV2, a network of realistic depth."""
    classifier: Classifier = imagenet.classifier  # type: ignore[attr-defined]
    batch = [
        Query(noise(3, 224)),
        Query(noise(1, 224, seed=1), towards(torch.tensor([281]))),
        Query(noise(2, 224, seed=2), away_from(torch.tensor([281, 7]))),
    ]
    for query, together in zip(batch, classifier.answer(batch), strict=True):
        (alone,) = classifier.answer([query])
        assert_near(together.logits, alone.logits)
        if query.objective is not None:
            assert_near(together.gradients, alone.gradients)


def test_nan_pixels_do_not_affect_other_queries(tiny: Classifier) -> None:
    """A row of NaN pixels gets NaN logits; the other rows of the batch are unaffected."""
    healthy = Query(noise(2), towards(torch.tensor([0, 1])))
    nan_query = Query(torch.full((1, 3, 32, 32), torch.nan), towards(torch.tensor([0])))
    (alone,) = tiny.answer([healthy])
    together, nan_answer = tiny.answer([healthy, nan_query])
    assert_near(together.logits, alone.logits)
    assert_near(together.gradients, alone.gradients)
    assert nan_answer.logits.isnan().all()


def test_logits_and_gradients_of_a_linear_model(linear: Classifier, weights_of_linear: Tensor) -> None:
    """The gradient of logit k is row k of the weight for any picture, and the logits are one matrix product."""
    pixels = noise(3, 16)
    (answer,) = linear.answer([Query(pixels, lambda logits: logits[:, 2])])
    layer = LinearNetwork(3, 16).layer
    torch.testing.assert_close(answer.logits, layer(pixels.flatten(1)).detach())
    assert answer.losses is not None
    assert answer.losses.tolist() == answer.logits[:, 2].tolist()
    assert not answer.losses.requires_grad
    torch.testing.assert_close(answer.gradients, weights_of_linear[2].expand(3, -1, -1, -1))


def test_gradients_agree_with_finite_differences(tiny: Classifier) -> None:
    """Along a random direction d, (f(x + h d) - f(x - h d)) / 2 h is the inner product of the gradient and d."""
    objective = towards(torch.tensor([2]))
    pixels, direction, step = noise(1), noise(1, seed=9) - 0.5, 1e-2
    (answer,) = tiny.answer([Query(pixels, objective)])
    assert answer.gradients is not None
    above, below = (objective(tiny.answer([Query(pixels + h * direction)])[0].logits) for h in (step, -step))
    difference_quotient = (above - below) / (2 * step)
    torch.testing.assert_close(
        (answer.gradients * direction).sum(), difference_quotient.squeeze(), rtol=2e-2, atol=1e-3
    )


def test_normalisation_is_the_first_layer() -> None:
    """A network that sums its input gives 0 for the mean colour, and 16 x 16 = 256 for one std more in each channel."""

    class Sum(nn.Module):
        def forward(self, pixels: Tensor) -> Tensor:
            return pixels.sum(dim=(2, 3))

    spec = Spec("squeezenet1_1", ("r", "g", "b"), input_size=16, resize=16)
    classifier = Classifier(Sum(), spec)
    mean, std = (torch.tensor(values).reshape(1, 3, 1, 1).expand(1, 3, 16, 16) for values in (spec.mean, spec.std))
    at_mean, above = classifier.answer([Query(mean), Query(mean + std)])
    torch.testing.assert_close(at_mean.logits, torch.zeros(1, 3), atol=1e-4, rtol=0)
    torch.testing.assert_close(above.logits, torch.full((1, 3), 256.0), atol=1e-3, rtol=0)


def grey_spec(mean: float, std: float) -> Spec:
    return Spec("squeezenet1_1", ("a", "b"), input_size=16, resize=16, mean=(mean,), std=(std,))


def in_pillows_grey(levels: Tensor) -> Tensor:
    """Convert uint8 [3, h, w] to grey [1, 1, h, w] with Pillow's Image.convert("L")."""
    image = Image.fromarray(levels.permute(1, 2, 0).numpy()).convert("L")
    return torch.from_numpy(np.array(image)).reshape(1, 1, *levels.shape[1:])


def test_grey_agrees_with_pillows_conversion(chelsea: Tensor) -> None:
    """In a photo and on a coarse grid of all colours, they differ by at most the half level that Pillow rounds."""
    steps = torch.arange(0, 256, 17, dtype=torch.uint8)
    cube = torch.cartesian_prod(steps, steps, steps).T.reshape(3, 64, 64)
    for levels in (chelsea[:, :256, :256], cube):
        grey = Normalize(grey_spec(0.0, 1.0))(levels.unsqueeze(0) / 255)
        assert grey.shape == (1, 1, *levels.shape[1:])
        assert (255 * grey - in_pillows_grey(levels)).abs().max() < 0.502


def test_grey_is_normalised_as_one_channel(chelsea: Tensor) -> None:
    """The result is (grey - mean) / std; at a std of 1/4, Pillow's rounding by half a level grows to two levels."""
    levels = chelsea[:, :256, :256]
    normalised = Normalize(grey_spec(0.4, 0.25))(levels.unsqueeze(0) / 255)
    expected = (in_pillows_grey(levels) / 255 - 0.4) / 0.25
    torch.testing.assert_close(normalised, expected, rtol=0, atol=0.502 / 255 / 0.25)


def test_converting_a_grey_picture_to_grey_changes_nothing() -> None:
    """The three weights sum to 1, so the grey of three equal channels is that channel."""
    grey = noise(2, 16)[:, :1]
    torch.testing.assert_close(Normalize(grey_spec(0.0, 1.0))(grey.expand(-1, 3, -1, -1)), grey, rtol=0, atol=1e-6)


def test_gradients_have_three_colours_for_a_one_channel_network() -> None:
    """For a network that sums its one channel, the gradients are the grey weights of red, green and blue over std."""

    class Sum(nn.Module):
        def forward(self, grey: Tensor) -> Tensor:
            assert grey.shape[1] == 1
            return grey.sum(dim=(2, 3)).expand(-1, 2)

    classifier = Classifier(Sum(), grey_spec(0.5, 0.25))
    pixels = noise(2, 16)
    (answer,) = classifier.answer([Query(pixels, lambda logits: logits[:, 0])])
    assert answer.gradients is not None
    weights = torch.tensor([0.299, 0.587, 0.114]).reshape(1, 3, 1, 1)
    torch.testing.assert_close(answer.gradients, (weights / 0.25).expand(2, 3, 16, 16))


def test_logits_are_divided_by_the_temperature(linear: Classifier) -> None:
    """At temperature 4, all logits and gradients are a quarter of those at temperature 1."""
    cool = Classifier(LinearNetwork(3, 16), unnormalised(3, 16, temperature=4.0))
    query = Query(noise(2, 16), lambda logits: logits[:, 0])
    (warm,), (quarter,) = linear.answer([query]), cool.answer([query])
    torch.testing.assert_close(quarter.logits * 4, warm.logits)
    assert quarter.gradients is not None
    torch.testing.assert_close(quarter.gradients * 4, warm.gradients)


def test_weights_and_batch_norm_statistics_never_change(tiny: Classifier) -> None:
    """No weight requires or gets a gradient, and no running statistic changes when gradients are asked for."""
    before = {key: value.clone() for key, value in tiny.network.state_dict().items()}
    tiny.answer([Query(noise(4), towards(torch.tensor([0, 1, 2, 3])))])
    assert not tiny.network.training
    assert all(not weight.requires_grad and weight.grad is None for weight in tiny.network.parameters())
    for key, value in tiny.network.state_dict().items():
        assert torch.equal(value, before[key]), key


def test_a_network_in_training_mode_is_served_in_evaluation_mode() -> None:
    """With dropout in training mode, the same query would get two different answers."""
    network = nn.Sequential(LinearNetwork(3, 16), nn.Dropout(0.5)).train()
    classifier = Classifier(network, unnormalised(3, 16))
    query = Query(noise(1, 16))
    assert torch.equal(classifier.answer([query])[0].logits, classifier.answer([query])[0].logits)


@pytest.mark.parametrize("enabled", [True, False])
def test_answers_are_independent_of_the_callers_gradient_mode_and_leave_it_unchanged(
    tiny: Classifier, enabled: bool
) -> None:
    with torch.set_grad_enabled(enabled):
        plain, with_gradients = tiny.answer([Query(noise(1)), Query(noise(1), towards(torch.tensor([0])))])
        tiny.answer([Query(noise(1))])
        assert torch.is_grad_enabled() is enabled
    assert with_gradients.gradients is not None
    assert with_gradients.gradients.abs().sum() > 0
    assert not plain.logits.requires_grad
    assert not with_gradients.logits.requires_grad
    assert not with_gradients.gradients.requires_grad


def test_the_pixels_of_a_query_are_not_changed(tiny: Classifier) -> None:
    """The tensor of a task keeps its values and does not start to require gradients."""
    pixels = noise(1)
    before = pixels.clone()
    tiny.answer([Query(pixels, towards(torch.tensor([0])))])
    assert torch.equal(pixels, before)
    assert not pixels.requires_grad


def test_probabilities_of_a_picture_of_any_size_sum_to_one(tiny: Classifier, chelsea: Tensor) -> None:
    probabilities = tiny.probabilities(chelsea.unsqueeze(0) / 255)
    assert probabilities.shape == (1, 4)
    torch.testing.assert_close(probabilities.sum(dim=1), torch.ones(1))


def test_warm_up_leaves_no_gradients(tiny: Classifier) -> None:
    """It answers one picture of the input size without an error, and no weight has a gradient afterwards."""
    tiny.warm_up()
    assert all(weight.grad is None for weight in tiny.network.parameters())


def test_a_device_is_chosen_by_name_or_refused() -> None:
    """A named device is used, without a name the best one is, and an unknown name is an error."""
    assert choose_device("cpu").type == "cpu"
    assert choose_device().type in ("cpu", "cuda", "mps")
    with pytest.raises(RuntimeError):
        choose_device("nonsense")


@pytest.mark.gpu
def test_a_gpu_agrees_with_the_cpu(tiny: Classifier) -> None:
    """Without TF32, the logits and gradients of both agree to float tolerance."""
    device = choose_device()
    gpu_classifier = Classifier(tiny.network[1], tiny.spec, device=device)
    query = Query(noise(3), towards(torch.tensor([0, 1, 2])))
    on_gpu = Query(query.pixels.to(device), towards(torch.tensor([0, 1, 2], device=device)))
    (on_cpu,), (answer_of_gpu,) = tiny.answer([query]), gpu_classifier.answer([on_gpu])
    torch.testing.assert_close(answer_of_gpu.logits.cpu(), on_cpu.logits, rtol=1e-4, atol=1e-4)
    assert answer_of_gpu.gradients is not None
    torch.testing.assert_close(answer_of_gpu.gradients.cpu(), on_cpu.gradients, rtol=1e-3, atol=1e-4)
