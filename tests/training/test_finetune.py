import copy
import math

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from models import architectures
from models.classifier import Classifier
from models.spec import Spec
from tests.training.drawn import ARCHITECTURE, grating, trained_looking
from training.finetune import Diverged, FineTuning, parameter_groups, schedule, train_mode
from training.recipe import Recipe

SPEC = Spec(ARCHITECTURE, ("x", "y"), input_size=32, resize=36)
CPU = torch.device("cpu")


@pytest.fixture
def network() -> nn.Module:
    return trained_looking(2)


@pytest.fixture(scope="module")
def batch() -> tuple[Tensor, Tensor]:
    """Eight gratings of two classes."""
    levels = np.stack([np.asarray(grating(number % 2, number, side=32)) for number in range(8)])
    return torch.from_numpy(levels).permute(0, 3, 1, 2), torch.arange(8) % 2


def tuning(network: nn.Module, steps: int = 20, **choices: float) -> FineTuning:
    return FineTuning(network, SPEC, Recipe(**choices), steps=steps, device=CPU, precision="float32")


def test_the_schedule_rises_and_falls() -> None:
    """Of 20 steps the first 2 rise to the top; half-way down the cosine it is at one half; it ends near 0."""
    rates = [schedule(step, 20, 0.1) for step in range(20)]
    assert rates[:3] == [0.5, 1.0, 1.0]
    assert rates[11] == pytest.approx(0.5)
    assert rates[19] == pytest.approx(0.5 * (1 + math.cos(math.pi * 17 / 18)))
    assert rates[2:] == sorted(rates[2:], reverse=True)


def test_every_parameter_is_in_one_group(network: nn.Module) -> None:
    """The head is the last Linear, 1024 x 2 + 2; biases and normalisations do not decay."""
    groups = parameter_groups(network, Recipe(head_rate=1.0, trunk_rate=0.1, weight_decay=0.5))
    assert sum(len(group["params"]) for group in groups) == len(list(network.parameters()))
    sizes = {
        (group["highest"], group["weight_decay"]): sum(parameter.numel() for parameter in group["params"])
        for group in groups
    }
    assert sizes[1.0, 0.5] == 2048 and sizes[1.0, 0.0] == 2
    assert all(parameter.ndim == 1 for group in groups if not group["weight_decay"] for parameter in group["params"])


def test_only_batch_norm_stays_in_evaluation_mode(network: nn.Module) -> None:
    train_mode(network)
    modes = {isinstance(layer, nn.BatchNorm2d): layer.training for layer in network.modules()}
    assert modes == {True: False, False: True}


def test_statistics_do_not_move_and_weights_do(network: nn.Module, batch: tuple[Tensor, Tensor]) -> None:
    before = copy.deepcopy(network.state_dict())
    tuning(network).train_epoch([batch])
    for key, tensor in network.state_dict().items():
        same = torch.equal(tensor, before[key])
        assert same == ("running" in key or "num_batches" in key), key


def test_the_loss_falls(network: nn.Module, batch: tuple[Tensor, Tensor]) -> None:
    found = tuning(network, trunk_rate=1e-3)
    losses = [found.train_epoch([batch]) for _ in range(20)]
    assert losses[-1] < 0.7 * losses[0]


def test_the_average_follows_its_formula(network: nn.Module, batch: tuple[Tensor, Tensor]) -> None:
    """Over 20 steps with a window of 0.1 the decay is 1 - 1/2: after two steps it lies half-way between them."""
    found = tuning(network, steps=20, average_window=0.1)
    found.train_epoch([batch])
    first = copy.deepcopy(found.candidates()["raw"])
    found.train_epoch([batch])
    key = "features.0.0.weight"
    second, average = (found.candidates()[name][key] for name in ("raw", "ema"))
    assert torch.allclose(average, (first[key] + second) / 2, atol=1e-7)


def test_scores_are_those_of_the_classifier(network: nn.Module, batch: tuple[Tensor, Tensor]) -> None:
    """Raw and averaged side by side, from pixels in [0, 1], with the normalisation that will be served."""
    pixels = batch[0] / 255
    found = tuning(copy.deepcopy(network))
    expected = Classifier(network, SPEC).logits(pixels)
    assert torch.allclose(found.scores(pixels), torch.cat([expected, expected], dim=1), atol=1e-5)


def test_a_loss_that_is_no_number_is_told(network: nn.Module, batch: tuple[Tensor, Tensor]) -> None:
    with torch.no_grad():
        architectures.head(network).bias.fill_(math.nan)
    with pytest.raises(Diverged, match="at step 0: lower the learning rates"):
        tuning(network).train_epoch([batch])


def test_a_restored_run_goes_on_to_the_same_weights(network: nn.Module, batch: tuple[Tensor, Tensor]) -> None:
    undisturbed = tuning(copy.deepcopy(network))
    undisturbed.train_epoch([batch, batch])
    saved = copy.deepcopy(undisturbed.state())
    undisturbed.train_epoch([batch])
    resumed = tuning(network)
    resumed.restore(saved)
    resumed.train_epoch([batch])
    for name, weights in resumed.candidates().items():
        assert all(torch.equal(tensor, undisturbed.candidates()[name][key]) for key, tensor in weights.items())
