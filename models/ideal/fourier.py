"""A picture parametrised by its Fourier spectrum, so that gradient ascent changes coarse and fine structures alike.

Olah et al. 2017 (distill.pub/2017/feature-visualization), Mordvintsev et al. 2018
(distill.pub/2018/differentiable-parameterizations).
"""

from typing import Annotated

import torch
from jaxtyping import Float
from torch import Tensor

from models.ideal.colour import colours
from models.ideal.optimisers import Adam
from models.options import Option


def frequencies(size: int) -> Float[Tensor, "s half"]:
    """Frequency in cycles per pixel of each coefficient of a real square picture's spectrum, at least 1 / size."""
    vertical = torch.fft.fftfreq(size).reshape(-1, 1)
    horizontal = torch.fft.rfftfreq(size).reshape(1, -1)
    return torch.sqrt(vertical**2 + horizontal**2).clamp(min=1 / size)


class Fourier:
    """A square picture whose variable is its spectrum, each coefficient scaled by frequency ** -decay."""

    def __init__(
        self,
        size: int,
        planes: int,
        *,
        seed: int,
        device: torch.device,
        decay: Annotated[
            float,
            Option(
                "How fast the amplitude of a coefficient falls with its frequency: it is scaled by frequency ** "
                "-decay. Larger values favour large shapes over fine detail.",
                least=0.0,
                most=3.0,
            ),
        ] = 1.25,
        learning_rate: Annotated[
            float,
            Option(
                "Learning rate of Adam on the coefficients of the spectrum. Larger values move faster and settle less "
                "exactly.",
                least=1e-6,
                most=1000.0,
            ),
        ] = 0.05,
        momentum: Annotated[
            float,
            Option(
                "Adam's beta1: how much of the direction of a step comes from the gradients of earlier steps, from 0 "
                "(nothing) to nearly 1.",
                least=0.0,
                most=0.999,
            ),
        ] = 0.9,
    ) -> None:
        self.size = size
        self.amplitude = (frequencies(size) ** -decay).to(device)
        # A quarter as in Lucid, so that its learning rates apply. The real and the imaginary part are scaled as real
        # numbers, which takes less time than a product of complex numbers.
        self.scale = (self.amplitude / 4).unsqueeze(-1).repeat(1, 1, 2)
        random = torch.Generator().manual_seed(seed)  # on the CPU, so that all devices begin with the same picture
        start = torch.randn(planes, *self.amplitude.shape, 2, generator=random) * 0.01
        self.variable = start.to(device).requires_grad_()
        self.learning_rate = learning_rate
        self.optimiser = Adam(self.variable, momentum=momentum)

    def picture(self) -> Float[Tensor, "1 3 s s"]:
        """The picture in [0, 1], differentiable with respect to `variable`."""
        spectrum = torch.view_as_complex(self.variable * self.scale)
        return colours(torch.fft.irfft2(spectrum, s=(self.size, self.size), norm="ortho"))

    def step(self, gradient: Tensor, rate: float) -> None:
        """One step of Adam against the gradient of `variable`."""
        self.optimiser.step(gradient, rate * self.learning_rate)
