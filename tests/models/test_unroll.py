"""Tests that an unrolled network gives the same logits, and that one that cannot be unrolled is left as it is."""

import logging

import pytest
import torch
from torch import Tensor, nn

from models.activations import without_copies
from models.classifier import Classifier
from models.fold import fold_batch_norms
from models.query import Query
from models.unroll import unroll
from tests.networks import unnormalised


class Small(nn.Module):
    """Convolutions with a residual, of which one is in a nested layer, activations in place, a buffer and a head."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU6(inplace=True))
        self.second = nn.Sequential(nn.Sequential(nn.Conv2d(8, 8, 1), nn.Hardswish(inplace=True)), nn.Dropout(0.5))
        self.head = nn.Linear(8, 3)
        self.register_buffer("offset", torch.randn(8, 1, 1))

    def forward(self, pixels: Tensor) -> Tensor:
        features = self.first(pixels)
        features = features + self.second(features) + self.offset
        logits: Tensor = self.head(features.mean(dim=(2, 3)))
        return logits


class Branching(nn.Module):
    """A network whose code depends on the values of the pixels."""

    def forward(self, pixels: Tensor) -> Tensor:
        return pixels.mean(dim=(2, 3)) if pixels.mean() > 0 else -pixels.mean(dim=(2, 3))


class Counting(nn.Module):
    """A network whose logits depend on how often its code was run."""

    def __init__(self) -> None:
        super().__init__()
        self.calls = 0

    def forward(self, pixels: Tensor) -> Tensor:
        self.calls += 1
        return pixels.mean(dim=(2, 3)) + self.calls


def small() -> nn.Module:
    torch.manual_seed(0)
    network = Small().eval().requires_grad_(False)
    return without_copies(fold_batch_norms(network, (3, 16, 16)))


def test_the_same_logits_for_any_number_of_rows() -> None:
    """Bit for bit where several rows share a pass; with one row oneDNN may round differently."""
    network = small()
    function = unroll(network, torch.rand(2, 3, 16, 16))
    assert function is not None and function is not network
    with torch.no_grad():
        for rows in (1, 2, 7):
            pixels = torch.rand(rows, 3, 16, 16)
            before = pixels.clone()
            if rows > 1:
                assert torch.equal(function(pixels), network(pixels))
            torch.testing.assert_close(function(pixels), network(pixels))
            assert torch.equal(pixels, before), "no layer works in place on its input"


def test_no_layer_is_called() -> None:
    """The flat function calls no hook of a layer, so whoever reads layers by hooks has to call the network itself."""
    network, called = small(), []
    function = unroll(network, torch.rand(2, 3, 16, 16))
    assert function is not None
    for module in network.modules():
        module.register_forward_hook(lambda *_: called.append(1))
    with torch.no_grad():
        function(torch.rand(1, 3, 16, 16))
    assert not called


@pytest.mark.parametrize("network", [Branching(), Counting()], ids=["depends on values", "depends on calls"])
def test_a_network_that_would_change_is_left_as_it_is(network: nn.Module, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    assert unroll(network.eval(), torch.rand(2, 3, 8, 8)) is None
    assert "unroll" in caplog.text


def test_a_folded_classifier_answers_as_its_network_does() -> None:
    """Logits alone, gradients and the activations of a layer are those of the layers, one query or two in a batch."""
    classifier = Classifier(Small(), unnormalised(3, 16)).fold()
    assert classifier.unrolled is not classifier.network
    one, two = torch.rand(1, 3, 16, 16), torch.rand(2, 3, 16, 16)
    with torch.no_grad():
        expected = classifier.network(torch.cat([one, two]).to(memory_format=torch.channels_last))
    answers = classifier.answer([Query(one), Query(two)])
    assert torch.equal(torch.cat([answer.logits for answer in answers]), expected)
    (alone,) = classifier.answer([Query(one)])
    torch.testing.assert_close(alone.logits, expected[:1])
    (answer,) = classifier.answer([Query(two, layer="first")])
    assert answer.activations is not None and answer.activations.shape == (2, 8, 16, 16)
    (answer,) = classifier.answer([Query(two, lambda logits: logits[:, 0])])
    assert answer.gradients is not None and answer.gradients.abs().sum() > 0
    torch.testing.assert_close(answer.logits, expected[1:])
    assert not one.requires_grad and not two.requires_grad


def test_logits_go_through_the_layers() -> None:
    """Other libraries read layers by hooks while they call `logits`, and differentiate what it returns."""
    classifier, called = Classifier(Small(), unnormalised(3, 16)).fold(), []
    classifier.network[1].get_submodule("head").register_forward_hook(lambda *_: called.append(1))
    pixels = torch.rand(1, 3, 16, 16, requires_grad=True)
    classifier.logits(pixels).sum().backward()
    assert called and pixels.grad is not None and pixels.grad.abs().sum() > 0
