"""Tests that fused convolutions give PyTorch's values and gradients, and are left out where they cannot."""

import logging

import pytest
import torch
from torch import Tensor, fx, nn
from torch.nn import functional

from models import fused
from models.activations import without_copies
from models.unroll import flat, unroll

SUPPORTED = fused.is_supported(torch.zeros(1, 3, 8, 8))
pytestmark = pytest.mark.skipif(not SUPPORTED, reason="this processor or this PyTorch has no fused convolutions")

CONVOLUTIONS = {
    "pointwise": nn.Conv2d(6, 4, 1),
    "three": nn.Conv2d(6, 4, 3, padding=1),
    "without padding": nn.Conv2d(6, 4, 3),
    "much padding": nn.Conv2d(6, 4, 3, padding=4),
    "stride": nn.Conv2d(6, 4, 3, padding=1, stride=2),
    "one stride for each side": nn.Conv2d(6, 4, (3, 1), padding=(1, 0), stride=(1, 2)),
    "even kernel": nn.Conv2d(6, 4, 4, padding=1),
    "oblong": nn.Conv2d(6, 4, (1, 5), padding=(0, 2)),
    "dilated": nn.Conv2d(6, 4, 3, padding=2, dilation=2),
    "depthwise": nn.Conv2d(6, 6, 3, padding=1, groups=6),
    "depthwise with a stride": nn.Conv2d(6, 12, 3, padding=1, groups=6, stride=2),
    "groups": nn.Conv2d(6, 9, 3, padding=1, groups=3),
    "no bias": nn.Conv2d(6, 4, 3, padding=1, bias=False),
    "padding by name": nn.Conv2d(6, 4, 3, padding="same"),
    "reflected edges": nn.Conv2d(6, 4, 3, padding=1, padding_mode="reflect"),
}
ACTIVATIONS = [nn.ReLU, nn.ReLU6, nn.SiLU, nn.Hardswish, nn.Sigmoid, nn.Identity]


def traced(network: nn.Module) -> fx.GraphModule:
    return flat(without_copies(network).eval().requires_grad_(False).to(memory_format=torch.channels_last))


def calls(module: fx.GraphModule) -> int:
    """How many fused convolutions a function has."""
    return sum("convolution_" in getattr(node.target, "__name__", "") for node in module.graph.nodes)


def gradient(network: nn.Module, row: Tensor) -> Tensor:
    leaf = row.clone().requires_grad_()
    output = network(leaf * 1)
    weights = torch.randn(output.shape, generator=torch.Generator().manual_seed(2))
    return torch.autograd.grad((output * weights).sum(), leaf)[0]


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("name", CONVOLUTIONS)
def test_values_and_gradients_are_those_of_torch(name: str, activation: type[nn.Module]) -> None:
    generator = torch.Generator().manual_seed(1)
    row = (4 * torch.randn(1, 6, 9, 10, generator=generator)).contiguous(memory_format=torch.channels_last)
    last = activation() if activation in (nn.Sigmoid, nn.Identity) else activation(inplace=True)
    network = nn.Sequential(CONVOLUTIONS[name], last)
    plain = nn.Sequential(CONVOLUTIONS[name], activation()).requires_grad_(False)
    function = fused.fuse(traced(network), row)
    assert calls(function) == (0 if name == "padding by name" else 1)
    before = row.clone()
    with torch.no_grad():
        torch.testing.assert_close(function(row), plain(row), atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(gradient(function, row), gradient(plain, row), atol=1e-5, rtol=1e-5)
    assert torch.equal(row, before)


def test_an_activation_stays_apart_where_the_convolution_is_read_twice() -> None:
    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.convolution = nn.Conv2d(3, 3, 1)

        def forward(self, pixels: Tensor) -> Tensor:
            values: Tensor = self.convolution(pixels)
            return values + functional.relu(values)

    torch.manual_seed(0)
    network, row = Twice(), torch.rand(1, 3, 8, 8)
    function = fused.fuse(traced(network), row)
    assert calls(function) == 1
    with torch.no_grad():
        torch.testing.assert_close(function(row), network(row))


def test_a_second_derivative_is_refused() -> None:
    """oneDNN's call has none, and PyTorch would give 0 with no more than a warning."""
    row = torch.rand(1, 3, 8, 8, requires_grad=True)
    function = fused.fuse(traced(nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU6(inplace=True))), row.detach())
    (gradient,) = torch.autograd.grad(function(row).square().sum(), row, create_graph=True)
    with pytest.raises(RuntimeError, match="differentiate"):
        torch.autograd.grad(gradient.square().sum(), row)


def test_convolutions_of_a_single_pixel_stay() -> None:
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.AdaptiveAvgPool2d(1), nn.Conv2d(4, 4, 1), nn.ReLU(inplace=True))
    assert calls(fused.fuse(traced(network), torch.rand(1, 3, 8, 8))) == 1


def network_with_head() -> nn.Module:
    torch.manual_seed(0)
    layers = [nn.Conv2d(3, 8, 3), nn.ReLU6(inplace=True), nn.Conv2d(8, 8, 3, groups=8), nn.SiLU(inplace=True)]
    head = [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 3)]
    return without_copies(nn.Sequential(*layers, *head)).eval().requires_grad_(False)


def test_one_row_is_fused_and_several_rows_keep_their_bits(monkeypatch: pytest.MonkeyPatch) -> None:
    rows_seen = []
    forward = fused.Convolution.forward

    def counted(convolution: fused.Convolution, row: Tensor, activation: fused.Activation) -> Tensor:
        rows_seen.append(len(row))
        return forward(convolution, row, activation)

    monkeypatch.setattr(fused.Convolution, "forward", counted)
    network, pixels = network_with_head(), torch.rand(3, 3, 16, 16)
    function = unroll(network, pixels)
    assert function is not None
    rows_seen.clear()
    with torch.no_grad():
        assert torch.equal(function(pixels), network(pixels)) and not rows_seen
        torch.testing.assert_close(function(pixels[:1]), network(pixels[:1]))
    assert rows_seen == [1, 1]


@pytest.mark.parametrize("fault", ["values", "gradients", "operators"])
def test_what_goes_wrong_is_left_out(
    fault: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    forward, backward = fused.Convolution.forward, fused.Convolution.backward
    if fault == "values":
        monkeypatch.setattr(fused.Convolution, "forward", lambda *given: forward(*given) * 1.01)
    elif fault == "gradients":
        monkeypatch.setattr(fused.Convolution, "backward", lambda *given: backward(*given) * 1.1)
    else:
        monkeypatch.setattr(fused.Geometry, "packed", lambda *given: torch.ops.mkldnn.no_such_operator(*given))
    network, pixels = network_with_head(), torch.rand(2, 3, 16, 16)
    function = unroll(network, pixels)
    assert function is not None
    with torch.no_grad():
        assert torch.equal(function(pixels[:1]), network(pixels[:1]))
    assert "fus" in caplog.text
