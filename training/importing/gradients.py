"""Whether gradients with respect to the pixels flow through an imported network, and are those of its logits."""

import torch
from torch import Tensor

from models.classifier import Classifier
from models.golden import golden_pictures
from models.preprocessing import preprocess, to_float

STEP = 1e-2
"""Length of the step along the gradient, as a fraction of the L2 norm of the pixels: far above the rounding of float32,
and small enough for the logits to be nearly linear on the way."""
LEAST_RISE = 0.2
"""Smallest part of the rise that the gradient promises by which the logit must rise. Networks bend, and some pass
gradients through a rounding (Bengio et al. 2013, arxiv.org/abs/1308.3432), but the direction must be right."""


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
    lengths = gradients.flatten(1).norm(dim=1).reshape(-1, 1, 1, 1)
    steps = STEP * pixels.flatten(1).norm(dim=1).reshape(-1, 1, 1, 1) * gradients / lengths
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
