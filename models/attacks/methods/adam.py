"""Adam (Kingma & Ba 2015, arxiv.org/abs/1412.6980), for attacks whose gradients do not come from autograd."""

import math

import torch
from torch import Tensor


class Adam:
    """The moments of one tensor's gradients; every value has its own, so rows do not influence each other."""

    def __init__(self, like: Tensor, *, beta_1: float = 0.9, beta_2: float = 0.999) -> None:
        self.mean, self.square, self.root = (torch.zeros_like(like) for _ in range(3))
        self.beta_1, self.beta_2, self.steps = beta_1, beta_2, 0

    def descend(self, values: Tensor, gradients: Tensor, step_size: float | Tensor) -> None:
        """Move each value by about the step size, in place; rows whose gradients were always zero do not move.

        `step_size` is a number, or a tensor that can be multiplied with the values.
        """
        self.steps += 1
        self.mean.lerp_(gradients, 1 - self.beta_1)
        self.square.mul_(self.beta_2).addcmul_(gradients, gradients, value=1 - self.beta_2)
        # The bias corrections are scalars: applied to the step size and not to the tensors, they cost nothing.
        width = math.sqrt(1 - self.beta_2**self.steps)
        length = step_size * width / (1 - self.beta_1**self.steps)
        root = torch.sqrt(self.square, out=self.root).add_(1e-8 * width)
        if isinstance(length, Tensor):
            values.addcmul_(torch.div(self.mean, root, out=root), length, value=-1)
        else:
            values.addcdiv_(self.mean, root, value=-length)
