"""What stands before and after a network: from pixels in [0, 1] to its input, and from its output to logits."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from models.spec import Spec

LEAST = 1e-30
"""Smallest probability of which a logarithm is taken: float32 has smaller ones, but many processors take them as 0."""
NEAR_ONE = 1 - 2**-24
"""Largest probability of a label of which a logit is taken, the largest below 1 in float32."""


class Normalize(nn.Module):
    """The first layer: (pixels - mean) / std per channel, so that pixels are in [0, 1] everywhere outside the network.

    Before that, red, green and blue become the channels of the network: grey as in Pillow's mode "L" (ITU-R 601), blue
    first, or with an opacity of 1.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, spec: Spec) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor(spec.mean).reshape(1, -1, 1, 1))
        self.register_buffer("std", torch.tensor(spec.std).reshape(1, -1, 1, 1))
        self.colours = spec.channel_names

    def forward(self, pixels: Float[Tensor, "n 3 h w"]) -> Float[Tensor, "n c h w"]:
        if self.colours.startswith("L"):
            red, green, blue = pixels.split(1, dim=1)
            pixels = 0.299 * red + 0.587 * green + 0.114 * blue
        elif self.colours.startswith("BGR"):
            pixels = pixels.flip(1)
        if self.colours.endswith("A"):
            pixels = torch.cat([pixels, torch.ones_like(pixels[:, :1])], dim=1)
        return (pixels - self.mean) / self.std


class Logits(nn.Module):
    """The last layer where a network's output is not the logits of the classes: it makes logits of it.

    A background class is left out. The logit z of a binary network becomes the logits -z/2 and z/2 of its two classes,
    whose softmax is the sigmoid of z, and which both have a gradient. Of probabilities it takes the logarithm, whose
    softmax gives them again, or for a single label or several the logit, whose sigmoid does. Where a probability is
    exactly 0 or 1 its gradient is 0.
    """

    def __init__(self, spec: Spec) -> None:
        super().__init__()
        self.background, self.binary, self.multi_label = spec.background, spec.binary, spec.multi_label
        self.of_probabilities = spec.outputs == "probabilities"

    def forward(self, outputs: Float[Tensor, "n _"]) -> Float[Tensor, "n k"]:
        if self.background:
            outputs = outputs[:, 1:]
        if self.of_probabilities:
            outputs = outputs.float()  # half-precision floats hold neither LEAST nor NEAR_ONE
            if self.multi_label or self.binary:
                outputs = outputs.clamp(LEAST, NEAR_ONE).logit()
            else:
                outputs = outputs.clamp(min=LEAST).log()
        return torch.cat([-outputs / 2, outputs / 2], dim=1) if self.binary else outputs


def logits_layer(spec: Spec) -> Logits | None:
    """The last layer that the network needs; None where its output is logits of the classes already."""
    return Logits(spec) if spec.background or spec.binary or spec.outputs == "probabilities" else None
