"""Building networks for their names and shapes alone."""

import pytest
import torch
from torch import nn

from models.architectures import build
from models.architectures.without_memory import without_memory
from models.largest_tensor import TooLarge


@pytest.mark.parametrize("name", ["resnet18", "regnet_y_400mf", "swin_v2_t", "mobilenet_v2"])
def test_names_and_shapes_are_those_of_the_network(name: str) -> None:
    """RegNet and Swin compute some of their shapes from values of tensors."""
    with without_memory():
        sketch = build(name, 5)
    network = build(name, 5)
    assert {key: tensor.shape for key, tensor in sketch.state_dict().items()} == {
        key: tensor.shape for key, tensor in network.state_dict().items()
    }
    assert all(parameter.is_meta for parameter in sketch.parameters() if parameter.ndim > 3)


def test_afterwards_weights_have_values_again() -> None:
    with without_memory():
        assert nn.Linear(2, 3).weight.is_meta
    assert not nn.Linear(2, 3).weight.is_meta and not torch.empty(1).is_meta


def test_only_the_numbers_of_all_weights_together_count() -> None:
    """A linear layer of 3 x 4 has 12 weights and 4 biases: four of them have 64 numbers, five have more."""
    with without_memory(64):
        nn.ModuleList(nn.Linear(3, 4) for _ in range(4))
    with pytest.raises(TooLarge), without_memory(64):
        nn.ModuleList(nn.Linear(3, 4) for _ in range(5))


@pytest.mark.parametrize("create", [torch.empty, torch.zeros, torch.ones, torch.randn, torch.rand])
def test_a_tensor_that_does_not_fit_into_memory_is_never_made(create: type[torch.empty]) -> None:
    with pytest.raises(TooLarge), without_memory(1000):
        create(10**7, 10**7)
    with pytest.raises(TooLarge), without_memory(1000):
        create(size=(10**7, 10**7))


def test_networks_of_very_many_parts_are_not_built_to_the_end() -> None:
    """Each linear layer has two tensors, and all are small."""
    with without_memory(10**9, tensors=8):
        nn.ModuleList(nn.Linear(1, 1) for _ in range(4))
    with pytest.raises(TooLarge, match="far more parts"), without_memory(10**9, tensors=8):
        nn.ModuleList(nn.Linear(1, 1) for _ in range(10**8))
