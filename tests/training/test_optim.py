import math

import pytest
import torch

from models import architectures
from tests.training.drawn import OF_BLOCKS, trained_looking
from training.optim import backbone_blocks, block, freeze, optimiser, parameter_groups, schedule, set_rates
from training.recipe import BadRecipe, Recipe


def test_the_cosine_schedule_rises_and_falls() -> None:
    """The first 2 of 20 steps rise to the highest rate; half-way down the cosine it is one half, at the end near 0."""
    rates = [schedule(step, 20, Recipe(warm_up=0.1)) for step in range(20)]
    assert rates[:3] == [0.5, 1.0, 1.0]
    assert rates[11] == pytest.approx(0.5)
    assert rates[19] == pytest.approx(0.5 * (1 + math.cos(math.pi * 17 / 18)))
    assert rates[2:] == sorted(rates[2:], reverse=True)


def test_the_linear_and_the_constant_schedule() -> None:
    linear, constant = Recipe(warm_up=0.2, schedule="linear"), Recipe(warm_up=0.2, schedule="constant")
    assert [schedule(step, 10, linear) for step in (0, 1, 2, 6, 9)] == [0.5, 1.0, 1.0, 0.5, pytest.approx(1 / 8)]
    assert [schedule(step, 10, constant) for step in (0, 1, 2, 9)] == [0.5, 1.0, 1.0, 1.0]


def test_every_parameter_is_in_one_group() -> None:
    """The head is the last Linear, 1024 x 2 + 2; biases and normalisations do not decay."""
    network = trained_looking(2, architecture=OF_BLOCKS)
    groups = parameter_groups(network, Recipe(head_rate=1.0, backbone_rate=0.1, weight_decay=0.5))
    assert sum(len(group["params"]) for group in groups) == len(list(network.parameters()))
    head = [group for group in groups if group["highest"] == 1.0]
    assert {(g["weight_decay"], sum(p.numel() for p in g["params"])) for g in head} == {(0.5, 2048), (0.0, 2)}
    assert all(parameter.ndim == 1 for group in groups if not group["weight_decay"] for parameter in group["params"])


def test_earlier_blocks_have_lower_learning_rates() -> None:
    """MobileNetV3 small has 13 blocks in `features`, and one more Linear before its head: 14, each 0.5 of the next."""
    network = trained_looking(2, architecture=OF_BLOCKS)
    groups = parameter_groups(network, Recipe(head_rate=7.0, backbone_rate=1.0, layer_decay=0.5))
    names = {id(parameter): name for name, parameter in network.named_parameters()}
    rates = {block(names[id(p)]): group["highest"] for group in groups for p in group["params"]}
    assert rates["classifier.3"] == 7.0 and rates["classifier.0"] == 1.0
    assert [rates[f"features.{number}"] for number in (12, 11, 0)] == [0.5, 0.25, 0.5**13]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("features.3.conv.0.weight", "features.3"),
        ("layer2.1.bn1.bias", "layer2"),
        ("encoder.layers.encoder_layer_2.mlp.0.bias", "encoder.layers.encoder_layer_2"),
        ("conv1.weight", "conv1"),
        ("conv_proj.weight", "conv_proj"),
        ("class_token", "class_token"),
    ],
)
def test_blocks_by_name(name: str, expected: str) -> None:
    assert block(name) == expected


@pytest.mark.parametrize("architecture", ["resnet18", "vgg11", "vit_b_16", "convnext_tiny", "densenet121", "swin_t"])
def test_every_architecture_has_blocks(architecture: str) -> None:
    """It has several, in the order in which the network runs: the first has the lowest learning rate."""
    with torch.device("meta"):
        network = architectures.build(architecture, 2)
    groups = parameter_groups(network, Recipe(head_rate=1.0, backbone_rate=1.0, layer_decay=0.9))
    rates = [group["highest"] for group in groups]
    assert len(set(rates)) > 5 and rates[0] == min(rates)


def test_frozen_blocks_are_in_no_group() -> None:
    """The parameters of the other blocks keep their learning rates."""
    network, recipe = trained_looking(2, architecture=OF_BLOCKS), Recipe(layer_decay=0.5)
    before = {id(p): group["highest"] for group in parameter_groups(network, recipe) for p in group["params"]}
    freeze(network, 3)
    names = {id(parameter): name for name, parameter in network.named_parameters()}
    remaining = {id(p): group["highest"] for group in parameter_groups(network, recipe) for p in group["params"]}
    frozen = {block(names[parameter]) for parameter in before.keys() - remaining.keys()}
    assert frozen == {"features.0", "features.1", "features.2"} == set(backbone_blocks(network)[:3])
    assert all(before[parameter] == rate for parameter, rate in remaining.items())
    freeze(network, 0)
    assert all(parameter.requires_grad for parameter in network.parameters())


def test_no_more_blocks_can_be_frozen_than_there_are() -> None:
    """MobileNetV3 small has 13 and a Linear before its head; with all of them frozen only the head is trained."""
    network = trained_looking(2, architecture=OF_BLOCKS)
    freeze(network, 14)
    assert sum(parameter.requires_grad for parameter in network.parameters()) == 2
    with pytest.raises(BadRecipe, match="frozen_blocks must be 0 to 14 for this network, not 15"):
        freeze(network, 15)


def test_sgd_moves_by_its_formula() -> None:
    """Nesterov's first step is rate x (1 + momentum) x gradient, with weight decay only on matrices."""
    network = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.Linear(2, 1))
    sgd = optimiser(network, Recipe(optimiser="sgd", momentum=0.5, backbone_rate=0.1, weight_decay=0.2))
    before = [parameter.detach().clone() for parameter in network[0].parameters()]
    for parameter in network.parameters():
        parameter.grad = torch.ones_like(parameter)
    set_rates(sgd, 0.5)
    sgd.step()
    weight, bias = network[0].parameters()
    assert torch.allclose(weight, before[0] - 0.05 * 1.5 * (1 + 0.2 * before[0]))
    assert torch.allclose(bias, before[1] - 0.05 * 1.5)
