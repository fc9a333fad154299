"""Whether gradients with respect to the pixels flow through an imported network, and are those of its logits."""

import torch
from torch import Tensor

from models.classifier import Classifier
from models.golden import golden_pictures
from models.preprocessing import preprocess, to_float

STEPS = (1e-2, 1e-3, 1e-4)
"""Lengths of the steps along the gradient as fractions of the L2 norm of the pixels: far above the rounding of float32.

One of them must do. A network that is easily fooled bends within the longest: the logit of MobileNetV2 rises by a tenth
of what its gradient promises there, and by 94 % with the shortest. A network that passes gradients through a rounding
(Bengio et al. 2013, arxiv.org/abs/1308.3432) does not change at all within the shortest.
"""
LEAST_RISE = 0.2
"""Smallest part of the rise that the gradient promises by which the logit must rise: the direction must be right."""


def gradients_flow(classifier: Classifier) -> bool:
    """Whether each of a few pictures has a gradient of its largest logit that is finite, not 0, and raises the logit.

    A network with a rounding, a sort or a look-up inside has none, or 0.
    """
    pixels = torch.cat([preprocess(to_float(picture)[None], classifier.spec) for picture in golden_pictures()])
    pixels = pixels.to(classifier.device)
    try:
        logits, gradients = _gradients(classifier, pixels)
    except RuntimeError:  # an operator without a derivative, or nothing that depends on the pixels
        return False
    if not torch.isfinite(gradients).all() or (gradients.flatten(1).norm(dim=1) == 0).any():
        return False
    lengths = pixels.flatten(1).norm(dim=1) / gradients.flatten(1).norm(dim=1)
    directions = lengths.reshape(-1, 1, 1, 1) * gradients
    return any(_rises(classifier, pixels, logits, gradients, step * directions) for step in STEPS)


def _rises(classifier: Classifier, pixels: Tensor, logits: Tensor, gradients: Tensor, steps: Tensor) -> bool:
    """Whether the largest logit rises along the steps, for most of the pictures, about as its gradient promises."""
    with torch.no_grad():
        after = classifier.logits(pixels + steps)
    labels = logits.argmax(dim=1, keepdim=True)
    rises = (after.gather(1, labels) - logits.gather(1, labels)).squeeze(1)
    promised = (gradients * steps).flatten(1).sum(dim=1)
    return bool((rises > LEAST_RISE * promised).float().mean() > 0.5)


def _gradients(classifier: Classifier, pixels: Tensor) -> tuple[Tensor, Tensor]:
    leaf = pixels.detach().requires_grad_()
    with torch.enable_grad():
        logits = classifier.logits(leaf)
        if not logits.requires_grad:
            raise RuntimeError("the logits do not depend on the pixels in a way that can be differentiated")
        (gradients,) = torch.autograd.grad(logits.amax(dim=1).sum(), leaf)
    return logits.detach(), gradients
