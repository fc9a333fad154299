"""Networks with their batch norms folded say what they said before."""

import pytest
import torch
from torch import Tensor, nn

from models import architectures
from models.fold import fold_batch_norms


def norms(network: nn.Module) -> int:
    return sum(isinstance(module, nn.BatchNorm2d) for module in network.modules())


def lively(network: nn.Module) -> nn.Module:
    """Statistics and weights such that every batch norm does something."""
    random = torch.Generator().manual_seed(0)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            for values in (module.running_mean, module.bias):
                values.data.copy_(0.1 * torch.randn(values.shape, generator=random))
            for values in (module.running_var, module.weight):
                values.data.copy_(0.5 + torch.rand(values.shape, generator=random))
    return network.eval()


@pytest.mark.parametrize("architecture", ["mobilenet_v3_small", "resnet18", "vgg11_bn", "shufflenet_v2_x0_5"])
def test_it_says_the_same_without_batch_norms(architecture: str) -> None:
    """Logits to float32's rounding, and gradients too."""
    torch.manual_seed(0)
    network = lively(architectures.build(architecture, 5))
    folded = fold_batch_norms(network)
    assert norms(network) > 5 and norms(folded) == 0
    pixels = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(1))
    results = []
    for each in (network, folded):
        wanted = pixels.clone().requires_grad_()
        logits = each(wanted)
        (gradient,) = torch.autograd.grad(logits[:, 0].sum(), wanted)
        results.append((logits.detach(), gradient))
    (logits, gradient), (folded_logits, folded_gradient) = results
    torch.testing.assert_close(folded_logits, logits, rtol=1e-4, atol=1e-4 * float(logits.abs().max()))
    assert (folded_gradient - gradient).norm() <= 1e-2 * gradient.norm()


def test_the_network_itself_is_left_as_it_is() -> None:
    network = lively(architectures.build("mobilenet_v3_small", 3))
    before = {name: value.clone() for name, value in network.state_dict().items()}
    fold_batch_norms(network)
    for name, value in network.state_dict().items():
        assert torch.equal(value, before[name])


def test_layers_keep_their_names() -> None:
    """And a convolution's output is that of the norm which followed it."""
    network = lively(architectures.build("resnet18", 5))
    folded = fold_batch_norms(network)
    assert {name for name, _ in folded.named_modules()} == {name for name, _ in network.named_modules()}
    outputs = []
    for each, name in ((network, "layer2.0.bn2"), (folded, "layer2.0.conv2")):
        each.get_submodule(name).register_forward_hook(lambda _, __, output: outputs.append(output))
        each(torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(1)))
    torch.testing.assert_close(outputs[1], outputs[0], rtol=1e-4, atol=1e-4)


class Twice(nn.Module):
    """A convolution and a norm, both of which another call shares; the norm's values are no identity."""

    def __init__(self, *, share: str) -> None:
        super().__init__()
        self.convolution, self.norm = nn.Conv2d(3, 3, 1), lively(nn.BatchNorm2d(3))
        self.share = share

    def forward(self, pixels: Tensor) -> Tensor:
        once = self.convolution(pixels)
        twice = {"convolution": self.convolution, "norm": self.norm, "output": lambda _: once}[self.share](pixels)
        return (self.norm(once) + twice).mean(dim=(2, 3))


@pytest.mark.parametrize("share", ["convolution", "norm", "output"])
def test_what_is_used_twice_is_not_folded(share: str) -> None:
    """The convolution called twice, the norm called twice, the convolution's output read twice."""
    folded = fold_batch_norms(Twice(share=share).eval())
    assert norms(folded) == 1


def test_without_batch_norms_it_is_the_same_object() -> None:
    network = architectures.build("squeezenet1_1", 3).eval()
    assert fold_batch_norms(network) is network


def test_what_cannot_be_traced_is_left_alone() -> None:
    """A branch on a value."""

    class Branching(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.convolution, self.norm = nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)

        def forward(self, pixels: Tensor) -> Tensor:
            features = self.norm(self.convolution(pixels)).mean(dim=(2, 3))
            return features if features.sum() > 0 else -features

    network = Branching().eval()
    assert fold_batch_norms(network) is network


def test_what_would_then_say_something_else_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    network = lively(architectures.build("mobilenet_v3_small", 3))
    other = lively(architectures.build("mobilenet_v3_small", 3))
    monkeypatch.setattr("models.fold._folded", lambda network: other)
    assert fold_batch_norms(network) is network
