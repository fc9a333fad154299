"""Tests that the optimisers step as the classes of torch.optim do, and that they import less."""

import subprocess
import sys

import pytest
import torch

from models.ideal.optimisers import Adam, NAdam

RATES = [0.1, 0.05, 0.2, 0.1, 0.01, 0.3]


@pytest.mark.parametrize(("ours", "theirs"), [(Adam, torch.optim.Adam), (NAdam, torch.optim.NAdam)])
def test_steps_equal_those_of_the_class(ours: type[Adam | NAdam], theirs: type[torch.optim.Optimizer]) -> None:
    gradients = torch.randn(len(RATES), 3, 5, generator=torch.Generator().manual_seed(0))
    mine, its = (torch.ones(3, 5, requires_grad=True) for _ in range(2))
    optimiser, reference = ours(mine), theirs([its])
    for rate, gradient in zip(RATES, gradients, strict=True):
        its.grad = gradient.clone()
        optimiser.step(gradient, rate)
        reference.param_groups[0]["lr"] = rate
        reference.step()
        torch.testing.assert_close(mine, its, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("kind", [Adam, NAdam])
def test_the_layout_of_the_gradient_in_memory_does_not_matter(kind: type[Adam | NAdam]) -> None:
    """The gradient of a picture has the layout that the network's first layer gives it, often channels last."""
    gradient = torch.randn(3, 4, 5, generator=torch.Generator().manual_seed(0))
    variables = []
    for layout in (gradient, gradient.permute(1, 2, 0).contiguous().permute(2, 0, 1)):
        variable = torch.ones(3, 4, 5, requires_grad=True)
        optimiser = kind(variable)
        for _ in range(3):
            optimiser.step(layout, 0.1)
        variables.append(variable.detach())
    assert torch.equal(*variables)


def test_the_compiler_of_pytorch_is_not_imported() -> None:
    program = (
        "import sys, torch; from models.ideal.optimisers import Adam, NAdam\n"
        "x = torch.ones(2, requires_grad=True)\n"
        "for kind in (Adam, NAdam): kind(x).step(torch.ones(2), 0.1)\n"
        "assert 'torch._dynamo' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
