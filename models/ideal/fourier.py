"""A picture as a decorrelated Fourier spectrum, so that gradient descent moves all scales alike.

Olah et al. 2017 (distill.pub/2017/feature-visualization), Mordvintsev et al. 2018
(distill.pub/2018/differentiable-parameterizations).
"""

import torch
from jaxtyping import Float
from torch import Tensor

# Square root of the colour covariance of natural pictures, columns scaled to the largest norm.
COLOUR = torch.tensor([[0.26, 0.09, 0.02], [0.27, 0.00, -0.05], [0.27, -0.09, 0.03]]) / 0.462


class Fourier:
    """A square picture of `size` pixels whose variable is its spectrum, scaled by frequency ** -decay."""

    def __init__(self, size: int, *, seed: int, decay: float = 1.25, device: torch.device | str = "cpu") -> None:
        self.size = size
        vertical = torch.fft.fftfreq(size).reshape(-1, 1)
        horizontal = torch.fft.rfftfreq(size).reshape(1, -1)
        frequency = torch.sqrt(vertical**2 + horizontal**2).clamp(min=1 / size)
        self.amplitude = (frequency**-decay).to(device)
        random = torch.Generator().manual_seed(seed)  # on the CPU, so that all devices start alike
        start = torch.randn(3, size, frequency.shape[1], 2, generator=random) * 0.01
        self.variable = start.to(device).requires_grad_()
        self.colour = COLOUR.to(device)

    def picture(self) -> Float[Tensor, "1 3 s s"]:
        """The picture in [0, 1], differentiable with respect to `variable`."""
        spectrum = torch.view_as_complex(self.variable) * self.amplitude
        plane = torch.fft.irfft2(spectrum, s=(self.size, self.size), norm="ortho") / 4
        return torch.einsum("oc,chw->ohw", self.colour, plane).sigmoid().unsqueeze(0)
