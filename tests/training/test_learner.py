import copy
import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torchvision.transforms import v2

from models import architectures
from models.classifier import Classifier
from models.spec import Spec
from tests.training.drawn import OF_BLOCKS, grating, trained_looking
from training.learner import Diverged, Learner, mixing, train_mode
from training.recipe import Recipe

SPEC = Spec(OF_BLOCKS, ("x", "y"), input_size=32, resize=36)


@pytest.fixture
def network() -> nn.Module:
    return trained_looking(2, architecture=OF_BLOCKS)


@pytest.fixture(scope="module")
def batch() -> tuple[Tensor, Tensor]:
    """Eight gratings of two classes."""
    levels = np.stack([np.asarray(grating(number % 2, number, side=32)) for number in range(8)])
    return torch.from_numpy(levels).permute(0, 3, 1, 2), torch.arange(8) % 2


def learner(network: nn.Module, steps: int = 20, precision: str = "float32", **choices: Any) -> Learner:
    return Learner(network, SPEC, Recipe(**choices), steps=steps, precision=precision)


def test_only_batch_norm_stays_in_evaluation_mode(network: nn.Module) -> None:
    train_mode(network, frozen_statistics=True)
    modes = {isinstance(layer, nn.BatchNorm2d): layer.training for layer in network.modules()}
    assert modes == {True: False, False: True}
    train_mode(network, frozen_statistics=False)
    assert all(layer.training for layer in network.modules())


@pytest.mark.parametrize("frozen", [True, False])
def test_a_step_changes_weights_and_unfrozen_statistics(
    network: nn.Module, batch: tuple[Tensor, Tensor], frozen: bool
) -> None:
    before = copy.deepcopy(network.state_dict())
    learner(network, frozen_statistics=frozen).learn(*batch)
    for key, tensor in network.state_dict().items():
        statistic = "running" in key or "num_batches" in key
        assert torch.equal(tensor, before[key]) == (statistic and frozen), key


@pytest.mark.parametrize("frozen", [True, False])
def test_a_step_does_not_change_frozen_blocks(network: nn.Module, batch: tuple[Tensor, Tensor], frozen: bool) -> None:
    """Neither their weights nor their statistics change; the weights of all later blocks do."""
    before, still = copy.deepcopy(network.state_dict()), ("features.0.", "features.1.")
    trained = learner(network, frozen_blocks=2, frozen_statistics=frozen)
    trained.learn(*batch)
    for candidate in trained.candidates().values():
        for key, tensor in candidate.state_dict().items():
            stays = key.startswith(still) or (frozen and ("running" in key or "num_batches" in key))
            assert torch.equal(tensor, before[key]) == stays, key


def test_the_loss_falls(network: nn.Module, batch: tuple[Tensor, Tensor]) -> None:
    trained = learner(network, backbone_rate=1e-3)
    losses = [trained.learn(*batch) for _ in range(20)]
    assert losses[-1] < 0.7 * losses[0]


def test_the_first_loss_is_the_cross_entropy_of_the_classifier(
    network: nn.Module, batch: tuple[Tensor, Tensor]
) -> None:
    """Without dropout the logits are those of the service; smoothing of 0.2 gives a tenth to the other class."""
    pixels, labels = batch
    logs = Classifier(copy.deepcopy(network), SPEC).logits(pixels / 255).log_softmax(dim=1)
    smoothed = 0.9 * nn.functional.one_hot(labels, 2) + 0.1 * nn.functional.one_hot(1 - labels, 2)
    expected = -(smoothed * logs).sum(dim=1).mean().item()
    assert learner(network, dropout=0.0, label_smoothing=0.2).learn(*batch) == pytest.approx(expected, rel=1e-5)


def test_the_averaged_weights_follow_their_formula(network: nn.Module, batch: tuple[Tensor, Tensor]) -> None:
    """Over 20 steps with a window of 0.1 the decay is 1/2: after two steps it is the mean of both weights."""
    trained, key = learner(network, steps=20, average_window=0.1), "features.0.0.weight"
    trained.learn(*batch)
    first = trained.candidates()["raw"].state_dict()[key].clone()
    trained.learn(*batch)
    second, average = (trained.candidates()[name].state_dict()[key] for name in ("raw", "ema"))
    assert torch.allclose(average, (first + second) / 2, atol=1e-7)
    assert set(learner(network, average_window=0.0).candidates()) == {"raw"}


def test_scores_are_those_of_the_classifier(network: nn.Module, batch: tuple[Tensor, Tensor]) -> None:
    """Both raw and averaged weights give the logits of the service, from pixels in [0, 1]."""
    pixels = batch[0] / 255
    trained = learner(copy.deepcopy(network))
    expected = Classifier(network, SPEC).logits(pixels)
    for candidate in trained.candidates().values():
        assert torch.allclose(trained.scores(candidate, pixels), expected, atol=1e-5)


def test_gradients_are_clipped_together(network: nn.Module, batch: tuple[Tensor, Tensor]) -> None:
    """After a step whose gradient is larger, the norm of all gradients together is the limit of the recipe."""
    learner(network, clip=1e-3).learn(*batch)
    norms = [parameter.grad.norm() for parameter in network.parameters() if parameter.grad is not None]
    assert torch.stack(norms).norm().item() == pytest.approx(1e-3, rel=1e-3)


@pytest.mark.parametrize(("precision", "frozen"), [("float32", True), ("float32", False), ("bfloat16", True)])
def test_a_loss_that_is_no_number_changes_nothing(
    network: nn.Module, batch: tuple[Tensor, Tensor], precision: str, frozen: bool
) -> None:
    """Neither a weight nor a statistic of batch norm changes."""
    trained = learner(network, precision=precision, frozen_statistics=frozen)
    trained.learn(*batch)
    with torch.no_grad():
        architectures.head(network).bias.fill_(math.nan)
    before = copy.deepcopy(trained.state())
    with pytest.raises(Diverged, match="at step 1: give --resume --finish to take the best weights"):
        trained.learn(*batch)
    assert trained.step == 1
    for part in ("network", "average"):  # one bias is NaN, as the test has set it
        for key, tensor in trained.state()[part].items():
            assert torch.equal(tensor.nan_to_num(7), before[part][key].nan_to_num(7)), key


def test_a_gradient_that_is_no_number_changes_nothing(
    network: nn.Module, batch: tuple[Tensor, Tensor], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The loss is finite but its gradient is not: a step would make all weights NaN."""
    trained = learner(network, frozen_statistics=False)
    before = {key: tensor.clone() for key, tensor in network.state_dict().items()}
    monkeypatch.setattr(nn.utils, "clip_grad_norm_", lambda *_: torch.tensor(math.nan))
    with pytest.raises(Diverged):
        trained.learn(*batch)
    assert all(torch.equal(tensor, before[key]) for key, tensor in network.state_dict().items())


@pytest.mark.parametrize(
    "choices",
    [{}, {"frozen_statistics": False, "mixup": 0.2}, {"optimiser": "sgd"}, {"attack_steps": 1}, {"frozen_blocks": 3}],
)
def test_a_restored_learner_continues_to_the_same_weights(
    network: nn.Module, batch: tuple[Tensor, Tensor], choices: dict[str, Any]
) -> None:
    undisturbed = learner(copy.deepcopy(network), **choices)
    for _ in range(2):
        undisturbed.learn(*batch)
    saved = copy.deepcopy(undisturbed.state())
    undisturbed.learn(*batch)
    resumed = learner(network, **choices)
    resumed.restore(saved)
    torch.manual_seed(7)
    resumed.learn(*batch)
    for name, candidate in resumed.candidates().items():
        expected = undisturbed.candidates()[name].state_dict()
        assert all(torch.equal(tensor, expected[key]) for key, tensor in candidate.state_dict().items())


@pytest.mark.slow
def test_a_compiled_network_learns_the_same(network: nn.Module, batch: tuple[Tensor, Tensor]) -> None:
    """Losses, logits and features agree before and after training."""
    plain, compiled = (learner(copy.deepcopy(network), compile=flag, dropout=0.0) for flag in (False, True))
    pixels = batch[0] / 255
    with torch.no_grad():
        assert torch.equal(plain.features(pixels), compiled.features(pixels))
    for _ in range(2):
        assert compiled.learn(*batch) == pytest.approx(plain.learn(*batch), rel=1e-4)
    with torch.no_grad():
        assert torch.allclose(plain.scores(plain.network, pixels), compiled.scores(compiled.network, pixels), atol=1e-3)
        assert torch.allclose(plain.features(pixels), compiled.features(pixels), atol=1e-3)


def test_mixing_uses_the_transforms_of_torchvision() -> None:
    assert mixing(Recipe(), 2) is None
    one, both = mixing(Recipe(mixup=0.2), 2), mixing(Recipe(mixup=0.2, cutmix=1.0), 2)
    assert isinstance(one, v2.RandomChoice) and [type(transform) for transform in one.transforms] == [v2.MixUp]
    assert isinstance(both, v2.RandomChoice) and [type(transform) for transform in both.transforms] == [
        v2.MixUp,
        v2.CutMix,
    ]


def test_all_dropout_layers_have_the_rate_of_the_recipe(network: nn.Module) -> None:
    learner(network, dropout=0.7)
    assert {layer.p for layer in network.modules() if isinstance(layer, nn.Dropout)} == {0.7}


def test_epsilon_rises_during_its_warm_up(network: nn.Module) -> None:
    """Over 20 steps with a warm-up of a half, epsilon is 0 at the first, half at the sixth, full from the 11th on."""
    trained = learner(network, attack_steps=1, epsilon=0.1, epsilon_warm_up=0.5)
    epsilons = []
    for trained.step in (0, 5, 10, 19):
        epsilons.append(trained.epsilon())
    assert epsilons == pytest.approx([0.0, 0.05, 0.1, 0.1])


def test_the_loss_of_each_photo_counts_with_its_class_weight(network: nn.Module, batch: tuple[Tensor, Tensor]) -> None:
    """The weights are 0.5 and 3: the first loss is the mean of the weighted losses over all photos."""
    pixels, labels = batch
    losses = nn.functional.cross_entropy(
        Classifier(copy.deepcopy(network), SPEC).logits(pixels / 255), labels, reduction="none"
    )
    expected = (losses * torch.tensor([0.5, 3.0])[labels]).mean().item()
    recipe = Recipe(dropout=0.0, label_smoothing=0.0)
    weights = torch.tensor([0.5, 3.0], dtype=torch.float64)
    trained = Learner(network, SPEC, recipe, steps=9, precision="float32", class_weights=weights)
    assert trained.learn(pixels, labels) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(
    "choices",
    [
        {"mixup": 0.4, "label_smoothing": 0.3},
        pytest.param({"mixup": 0.4, "cutmix": 1.0}, marks=pytest.mark.slow),
        pytest.param({"attack_steps": 1}, marks=pytest.mark.slow),
    ],
)
def test_class_weights_work_in_every_kind_of_training(
    network: nn.Module, batch: tuple[Tensor, Tensor], choices: dict[str, Any]
) -> None:
    """A class with weight 0 is not learned: all photos are classified as the other, also with mixed labels."""
    recipe = Recipe(backbone_rate=1e-3, head_rate=1e-2, frozen_statistics=True, **choices)
    weights = torch.tensor([0.0, 2.0])
    trained = Learner(network, SPEC, recipe, steps=40, precision="float32", class_weights=weights)
    losses = [trained.learn(*batch) for _ in range(40)]
    assert all(math.isfinite(loss) for loss in losses)
    assert trained.scores(network, batch[0] / 255).argmax(dim=1).tolist() == [1] * 8


def test_the_decay_of_the_average_depends_on_the_length_of_the_span(
    network: nn.Module, batch: tuple[Tensor, Tensor]
) -> None:
    """With a window of a tenth, the decay is 1/2 in a span of 20 steps and 3/4 in one of 40."""
    recipe, key = Recipe(average_window=0.1), "features.0.0.weight"
    trained = Learner(network, SPEC, recipe, steps=42, precision="float32", spans=((0, 20), (2, 42)))
    trained.learn(*batch)
    first = network.state_dict()[key].clone()
    for decay in (0.5, 0.75):
        trained.learn(*batch)
        first = decay * first + (1 - decay) * network.state_dict()[key]
    assert torch.allclose(trained.candidates()["ema"].state_dict()[key], first, atol=1e-6)


def test_epsilon_has_no_second_warm_up_when_a_run_is_extended(network: nn.Module) -> None:
    recipe = Recipe(attack_steps=1, epsilon=0.1, epsilon_warm_up=0.5)
    trained = Learner(network, SPEC, recipe, steps=60, precision="float32", spans=((0, 20), (20, 60)))
    epsilons = []
    for trained.step in (5, 10, 21, 59):
        epsilons.append(trained.epsilon())
    assert epsilons == pytest.approx([0.05, 0.1, 0.1, 0.1])
