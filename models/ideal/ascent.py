"""The views of a picture that the network sees in one pass, and the gradients of the steps that the pass is for."""

from dataclasses import replace

import torch
from jaxtyping import Float
from torch import Tensor

from models.ideal.crops import legible, random_crops
from models.ideal.score import variation_gradient
from models.preprocessing import preprocess
from models.resampling import resize
from models.spec import Spec


class Views:
    """The views of one pass, which serves one or several steps of gradient ascent; `pixels` are the views themselves.

    Each step has `crops` random crops of the picture (0: the whole picture), of the network's input size.
    """

    def __init__(
        self, picture: Float[Tensor, "1 3 h w"], spec: Spec, random: torch.Generator, *, steps: int, crops: int
    ) -> None:
        self.picture, self.steps = picture, steps
        self._source = legible(picture, spec.size) if crops else picture
        # Each view has its own copy of the picture, so that one backward pass gives the gradients of all steps.
        self._copies = self._source.expand(steps * max(1, crops), -1, -1, -1)
        self.pixels: Float[Tensor, "n 3 i j"]
        if crops:
            self.pixels = random_crops(self._copies, len(self._copies), spec, random)
        else:
            self.pixels = whole(self._copies, spec)

    def gradients(self, of_pixels: Float[Tensor, "n 3 i j"], variable: Tensor, *, tv: float) -> list[Tensor]:
        """The gradient of each step with respect to the variable that the picture was made of.

        `of_pixels` is the gradient of the mean loss over all views. It is propagated through the views, and not through
        their noise and its clamp, which would cost a tenth of a step. `tv` weighs the total variation of the picture.
        """
        # A step needs the gradient of the mean over its own views, not over those of all steps.
        of_pixels = self.steps * of_pixels
        (of_copies,) = torch.autograd.grad(self.pixels, self._copies, of_pixels, retain_graph=True)
        smoothing = tv * variation_gradient(self.picture)
        return [
            torch.autograd.grad(
                [self._source, self.picture],
                variable,
                [copies.sum(dim=0, keepdim=True), smoothing],
                retain_graph=number < self.steps,
            )[0]
            for number, copies in enumerate(of_copies.chunk(self.steps), start=1)
        ]


def whole(picture: Float[Tensor, "n 3 h w"], spec: Spec) -> Float[Tensor, "n 3 i j"]:
    """The whole picture at the network's input size; where that has other proportions, as preprocessing fits it in."""
    if spec.size[0] == spec.size[1]:
        return resize(picture, spec.size)
    return preprocess(picture, replace(spec, resize=spec.input_size))
