"""The head of a network: where it is, and that the logits are linear in the features before it."""

import pytest
import torch
from torch import Tensor, nn

from models.architectures import BadWeights, architectures, build, check_head, features, head, head_name, set_head
from models.architectures.without_memory import without_memory
from tests.models.architectures.families import FAMILIES, FAMILY_PARAMETERS, noise


@pytest.mark.parametrize("name", architectures())
def test_every_head_has_one_row_and_one_bias_per_class(name: str) -> None:
    """Built without memory for the weights, which have shapes but no values."""
    with without_memory():
        network = build(name, 7)
    assert len(head(network).weight) == 7
    bias = head(network).bias
    assert bias is not None
    assert bias.shape == (7,)


@pytest.mark.parametrize("name", FAMILY_PARAMETERS)
def test_logits_are_the_head_applied_to_the_features(name: str) -> None:
    """In eval mode the logits are W features + b, for any W and b that a linear probe may set."""
    network, pixels = build(name, 3), noise(2, FAMILIES[name])
    assert not network.training
    with torch.no_grad():
        feature_vectors = features(network, pixels)
        # About half of the logits are negative, so an activation behind the head that cuts them off would be noticed.
        weight = (
            torch.randn(3, feature_vectors.shape[1], generator=torch.Generator().manual_seed(1))
            / feature_vectors.norm()
        )
        bias = torch.tensor([-1.0, 0.0, 1.0])
        set_head(network, weight, bias)
        torch.testing.assert_close(network(pixels), feature_vectors @ weight.T + bias, rtol=1e-4, atol=1e-4)


def test_features_leave_no_hook_behind(squeezenet: nn.Module) -> None:
    features(squeezenet, noise(1, 32))
    with pytest.raises(RuntimeError):
        features(squeezenet, noise(1, 32)[..., :1, :1])  # too small for its pooling
    assert not any(layer._forward_pre_hooks for layer in squeezenet.modules())


class TwoHeads(nn.Module):
    """The mean of two linear heads, as in networks that were distilled: neither alone gives the class scores."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(3, 2), nn.Linear(3, 2)

    def forward(self, pixels: Tensor) -> Tensor:
        vectors = pixels.mean(dim=(2, 3))
        return (self.first(vectors) + self.second(vectors)) / 2


class Twice(nn.Module):
    """A head that is called twice, so that its features are not one vector."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(3, 2)

    def forward(self, pixels: Tensor) -> Tensor:
        return self.head(pixels.mean(dim=(2, 3))) + self.head(pixels.amax(dim=(2, 3)))


def plain() -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 2))


@pytest.mark.parametrize(
    "network",
    [plain(), nn.Sequential(nn.Conv2d(3, 4, 8), nn.Flatten())],
    ids=["linear", "convolution"],
)
def test_heads_that_give_the_scores_can_be_replaced(network: nn.Module) -> None:
    """The output of the second is that of the convolution, which leaves one pixel, in another shape."""
    check_head(network.eval(), noise(1, 8))
    assert not any(layer._forward_hooks for layer in network.modules())


@pytest.mark.parametrize(
    "network",
    [
        nn.Sequential(*plain(), nn.ReLU()),
        nn.Sequential(*plain(), nn.Softmax(dim=1)),
        nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(3, 4), nn.Dropout(), nn.BatchNorm1d(4)),
        TwoHeads(),
        Twice(),
        nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten()),
    ],
    ids=["ReLU", "softmax", "batch norm", "two heads", "called twice", "no head"],
)
def test_other_heads_cannot_be_replaced(network: nn.Module) -> None:
    """What follows the head changes the scores, or there are several heads, or none."""
    with pytest.raises(BadWeights, match="its head cannot be replaced: it can be imported and served, but not trained"):
        check_head(network.eval(), noise(1, 8))


def test_a_network_without_a_head_has_no_name_of_it() -> None:
    with pytest.raises(BadWeights, match="head cannot be replaced"):
        head_name(nn.Sequential(nn.Flatten()))
