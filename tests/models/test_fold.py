"""Tests that folding batch norms into convolutions does not change the output of a network."""

import pytest
import torch
from torch import Tensor, nn

from models import architectures
from models.fold import fold_batch_norms


def count_batch_norms(network: nn.Module) -> int:
    return sum(isinstance(module, nn.BatchNorm2d) for module in network.modules())


def with_random_batch_norms(network: nn.Module) -> nn.Module:
    """Give every batch norm random statistics and weights, so that none of them is close to the identity."""
    random = torch.Generator().manual_seed(0)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            for values in (module.running_mean, module.bias):
                values.data.copy_(0.1 * torch.randn(values.shape, generator=random))
            for values in (module.running_var, module.weight):
                values.data.copy_(0.5 + torch.rand(values.shape, generator=random))
    return network.eval()


@pytest.mark.parametrize("architecture", ["mobilenet_v3_small", "resnet18", "vgg11_bn", "shufflenet_v2_x0_5"])
def test_folding_changes_neither_logits_nor_gradients(architecture: str) -> None:
    """Both agree up to the rounding of float32, and the folded network has no batch norm left."""
    torch.manual_seed(0)
    network = with_random_batch_norms(architectures.build(architecture, 5))
    folded = fold_batch_norms(network)
    assert count_batch_norms(network) > 5 and count_batch_norms(folded) == 0
    pixels = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(1))
    results = []
    for candidate in (network, folded):
        leaf = pixels.clone().requires_grad_()
        logits = candidate(leaf)
        (gradient,) = torch.autograd.grad(logits[:, 0].sum(), leaf)
        results.append((logits.detach(), gradient))
    (logits, gradient), (folded_logits, folded_gradient) = results
    torch.testing.assert_close(folded_logits, logits, rtol=1e-4, atol=1e-4 * float(logits.abs().max()))
    assert (folded_gradient - gradient).norm() <= 1e-2 * gradient.norm()


def test_the_original_network_is_not_changed() -> None:
    network = with_random_batch_norms(architectures.build("mobilenet_v3_small", 3))
    before = {name: value.clone() for name, value in network.state_dict().items()}
    fold_batch_norms(network)
    for name, value in network.state_dict().items():
        assert torch.equal(value, before[name])


def test_layers_keep_their_names() -> None:
    """The output of a folded convolution is that of the batch norm which followed it."""
    network = with_random_batch_norms(architectures.build("resnet18", 5))
    folded = fold_batch_norms(network)
    assert {name for name, _ in folded.named_modules()} == {name for name, _ in network.named_modules()}
    outputs = []
    for candidate, name in ((network, "layer2.0.bn2"), (folded, "layer2.0.conv2")):
        candidate.get_submodule(name).register_forward_hook(lambda _, __, output: outputs.append(output))
        candidate(torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(1)))
    torch.testing.assert_close(outputs[1], outputs[0], rtol=1e-4, atol=1e-4)


class Twice(nn.Module):
    """A convolution and a batch norm, where `share` names the part whose output or call is used a second time."""

    def __init__(self, *, share: str) -> None:
        super().__init__()
        self.convolution, self.norm = nn.Conv2d(3, 3, 1), with_random_batch_norms(nn.BatchNorm2d(3))
        self.share = share

    def forward(self, pixels: Tensor) -> Tensor:
        once = self.convolution(pixels)
        twice = {"convolution": self.convolution, "norm": self.norm, "output": lambda _: once}[self.share](pixels)
        return (self.norm(once) + twice).mean(dim=(2, 3))


@pytest.mark.parametrize("share", ["convolution", "norm", "output"])
def test_a_layer_that_is_used_twice_is_not_folded(share: str) -> None:
    """Either the convolution or the batch norm is called twice, or the output of the convolution is read twice."""
    folded = fold_batch_norms(Twice(share=share).eval())
    assert count_batch_norms(folded) == 1


def test_a_network_without_batch_norms_is_returned_unchanged() -> None:
    network = architectures.build("squeezenet1_1", 3).eval()
    assert fold_batch_norms(network) is network


def test_a_network_that_cannot_be_traced_is_returned_unchanged() -> None:
    """The network branches on a value, which torch.fx cannot trace."""

    class Branching(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.convolution, self.norm = nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)

        def forward(self, pixels: Tensor) -> Tensor:
            features = self.norm(self.convolution(pixels)).mean(dim=(2, 3))
            return features if features.sum() > 0 else -features

    network = Branching().eval()
    assert fold_batch_norms(network) is network


def test_a_network_whose_output_would_change_is_returned_unchanged(monkeypatch: pytest.MonkeyPatch) -> None:
    network = with_random_batch_norms(architectures.build("mobilenet_v3_small", 3))
    other = with_random_batch_norms(architectures.build("mobilenet_v3_small", 3))
    monkeypatch.setattr("models.fold._folded", lambda network: other)
    assert fold_batch_norms(network) is network
