"""Whether gradients flow through a network, on networks for which the answer is known."""

import pytest
import torch
from torch import Tensor, nn

from models.classifier import Classifier
from models.spec import Spec
from models.store import Model, load
from training.importing.gradients import gradients_flow

SPEC = Spec("of this test", ("a", "b", "c"), input_size=32, resize=32, mean=(0.0,) * 3, std=(1.0,) * 3)


class Rounded(nn.Module):
    """A linear network whose pooled colours are rounded; `through` passes the gradients on as if they were not."""

    def __init__(self, through: bool) -> None:
        super().__init__()
        self.through = through
        self.head = nn.Linear(48, 3)

    def forward(self, pixels: Tensor) -> Tensor:
        colours = nn.functional.adaptive_avg_pool2d(pixels, 4).flatten(1)
        rounded = (colours * 256).round() / 256
        return self.head(colours + (rounded - colours).detach() if self.through else rounded)


class Backwards(nn.Module):
    """A network whose gradients have the wrong sign."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(3, 3)

    def forward(self, pixels: Tensor) -> Tensor:
        colours = pixels.mean(dim=(2, 3))
        return self.head(2 * colours.detach() - colours)


class Searched(nn.Module):
    """The place of the largest value, which has no derivative."""

    def forward(self, pixels: Tensor) -> Tensor:
        return nn.functional.one_hot(pixels.flatten(1).argmax(dim=1) % 3, 3).float()


@pytest.mark.parametrize("model", ["cats-dogs", "cats-dogs-robust"])
def test_they_flow_through_the_bundled_models(model: str) -> None:
    """The first one is easily fooled: its logits bend within steps that hardly change those of the second."""
    assert gradients_flow(load(model).classifier)


def test_they_flow_through_a_network_of_imagenet(imagenet: Model) -> None:
    assert gradients_flow(imagenet.classifier)


@pytest.mark.parametrize(
    ("network", "flow"),
    [
        (lambda: Rounded(through=False), False),
        (lambda: Rounded(through=True), True),
        (Backwards, False),
        (Searched, False),
    ],
)
def test_networks_whose_answer_is_known(network: type[nn.Module], flow: bool) -> None:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        classifier = Classifier(network(), SPEC)
    assert gradients_flow(classifier) == flow
