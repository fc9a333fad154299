"""Optimisers of one variable: the functions behind the classes of torch.optim.

The classes import PyTorch's compiler when the first object is made, and take twice as long per step
(docs/decisions/0042 says what that costs).
"""

import torch
from torch import Tensor
from torch.optim.adam import adam
from torch.optim.nadam import nadam


class Adam:
    """Adam with the defaults of torch.optim.Adam (Kingma and Ba 2014, arxiv.org/abs/1412.6980).

    `momentum` is its beta1, the share of the mean of all gradients so far that each step keeps.
    """

    def __init__(self, variable: Tensor, *, momentum: float = 0.9) -> None:
        self.variable, self.beta1 = variable, momentum
        self.mean, self.square = (torch.zeros_like(variable, requires_grad=False) for _ in range(2))
        self.steps = torch.zeros((), device=variable.device)

    @torch.no_grad()
    def step(self, gradient: Tensor, rate: float) -> None:
        """One step against the gradient, which has the variable's shape, with learning rate `rate`."""
        adam(
            [self.variable],
            [gradient.contiguous()],  # fused Adam reads memory in a row, whatever the gradient's strides are
            [self.mean],
            [self.square],
            [],
            [self.steps],
            fused=True,
            amsgrad=False,
            beta1=self.beta1,
            beta2=0.999,
            lr=rate,
            weight_decay=0.0,
            eps=1e-8,
            maximize=False,
        )


class NAdam(Adam):
    """NAdam, Adam with Nesterov's momentum, with the defaults of torch.optim.NAdam (Dozat 2016,
    openreview.net/forum?id=OM0jvwB8jIp57ZJjtNEZ)."""

    def __init__(self, variable: Tensor) -> None:
        super().__init__(variable)
        # The steps, and the product of the momenta so far; Python reads both, so they stay on the CPU.
        self.steps, self.momenta = torch.zeros(()), torch.ones(())

    @torch.no_grad()
    def step(self, gradient: Tensor, rate: float) -> None:
        """One step against the gradient, which has the variable's shape, with learning rate `rate`."""
        nadam(
            [self.variable],
            [gradient],
            [self.mean],
            [self.square],
            [self.momenta],
            [self.steps],
            beta1=0.9,
            beta2=0.999,
            lr=rate,
            weight_decay=0.0,
            momentum_decay=0.004,
            eps=1e-8,
        )
