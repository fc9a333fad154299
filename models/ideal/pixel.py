"""A picture parametrised by its pixel values, the simplest parametrisation (Simonyan et al. 2013,
arxiv.org/abs/1312.6034)."""

from typing import Annotated

import torch
from jaxtyping import Float
from torch import Tensor

from models.ideal.optimisers import Adam
from models.options import Option


class Pixel:
    """A square picture whose variable is its pixel values.

    With `clamp` they begin as faint noise on grey, and are changed by Adam and kept in [0, 1]. Without it they begin as
    N(0, 1), and are changed by plain gradient descent without bounds: the network's answer is then about values that no
    picture file can store.
    """

    def __init__(
        self,
        size: int,
        planes: int,
        *,
        seed: int,
        device: torch.device,
        clamp: Annotated[
            bool,
            Option(
                "Whether the pixel values are kept in [0, 1]. With clamp=false and crops=0 it is the plain textbook "
                "recipe, with other defaults: 1000 steps of gradient descent on the cross-entropy, whose probability "
                "holds for values that no picture file can store."
            ),
        ] = True,
        learning_rate: Annotated[
            float,
            Option(
                "Learning rate on the pixel values, of Adam, or of plain gradient descent with clamp=false. Larger "
                "values move faster and settle less exactly.",
                least=1e-6,
                most=1000.0,
            ),
        ] = 0.05,
    ) -> None:
        self.clamp = clamp
        noise = torch.randn(planes, size, size, generator=torch.Generator().manual_seed(seed))
        start = (0.5 + 0.05 * noise).clamp(0, 1) if clamp else noise
        self.variable = start.to(device).requires_grad_()
        self.learning_rate = learning_rate
        self.optimiser = Adam(self.variable)

    def picture(self) -> Float[Tensor, "1 3 s s"]:
        """The picture, in [0, 1] with `clamp`; differentiable with respect to `variable`."""
        return self.variable.expand(3, -1, -1).unsqueeze(0)

    @torch.no_grad()
    def step(self, gradient: Tensor, rate: float) -> None:
        """One step of Adam, or of gradient descent, against the gradient of `variable`."""
        if self.clamp:
            self.optimiser.step(gradient, rate * self.learning_rate)
            self.variable.clamp_(0, 1)
        else:
            self.variable -= rate * self.learning_rate * gradient
