"""MACO, magnitude-constrained optimisation: only the phases of a picture's spectrum change (Fel et al. 2023,
arxiv.org/abs/2306.06805).

The magnitudes are those of natural pictures, so the ascent cannot raise the score by strong high frequencies.
"""

import math
from typing import Annotated

import torch
from jaxtyping import Float
from torch import Tensor

from models.ideal.colour import colours
from models.ideal.fourier import frequencies
from models.ideal.optimisers import NAdam
from models.options import Option


class Maco:
    """A square picture whose variable is the phases of its spectrum, in radians; the magnitude is frequency ** -decay.

    (The coefficients without change across come in pairs by the symmetry of a real picture; their magnitude may be
    smaller.) The paper takes the mean magnitude of ImageNet's photos, of which frequency ** -1 is the well-known fit.
    As in the paper, the planes are standardised before they become colours.
    """

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
                "How fast the fixed magnitude of the spectrum falls with frequency: it is frequency ** -decay, and 1 "
                "is the fit to natural photos. Larger values leave less fine detail.",
                least=0.0,
                most=3.0,
            ),
        ] = 1.0,
        learning_rate: Annotated[
            float,
            Option(
                "Learning rate of NAdam on the phases, which are in radians. Larger values move faster and settle less "
                "exactly.",
                least=1e-6,
                most=1000.0,
            ),
        ] = 0.3,
    ) -> None:
        self.size = size
        self.magnitude = (frequencies(size) ** -decay).to(device)
        random = torch.Generator().manual_seed(seed)
        # Uniform: phases near 0 would add up to a peak in one corner, which leaves no contrast for the rest.
        start = 2 * math.pi * torch.rand(planes, *self.magnitude.shape, generator=random)
        self.variable = start.to(device).requires_grad_()
        self.learning_rate = learning_rate
        self.optimiser = NAdam(self.variable)

    def picture(self) -> Float[Tensor, "1 3 s s"]:
        """The picture in [0, 1], differentiable with respect to `variable`."""
        spectrum = torch.polar(self.magnitude.expand_as(self.variable), self.variable)
        planes = torch.fft.irfft2(spectrum, s=(self.size, self.size), norm="ortho")
        return colours((planes - planes.mean()) / (planes.std() + 1e-4))

    def step(self, gradient: Tensor, rate: float) -> None:
        """One step of NAdam against the gradient of `variable`."""
        self.optimiser.step(gradient, rate * self.learning_rate)
