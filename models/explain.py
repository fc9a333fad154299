"""The task behind /explain: which pixels a decision rests on."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor
from torchvision.transforms.v2 import functional

from models.classify import Prediction
from models.layers import Layer
from models.preprocessing import preprocess, to_float
from models.query import Passes, Query, Task
from models.spec import Spec

ROWS = 8
"""Noisy copies, or points of a path, that are asked about at once."""


BLUR = 0.01
"""Of heat that comes from single pixels: its sigma, of the picture's side."""


class BadExplanation(ValueError):
    """A method that does not exist or that this network does not allow, or an option out of range."""


@dataclass(frozen=True)
class Explanation:
    """What the logit of a class rests on.

    `attributions` are the method's own figures, [1, h, w] of a layer's map or [3, s, s] of the pixels; `heat` is where
    they are, on what the network sees, from 0 to 1. `missing` is what integrated gradients do not account for of the
    logit's rise from black, as a share of it: small where `steps` suffice.
    """

    method: str
    target: Prediction
    top: Prediction
    layer: Layer | None
    attributions: Float[Tensor, "c h w"]
    heat: Float[Tensor, "s s"]
    missing: float | None
    options: Mapping[str, Any]
    passes: Passes


@dataclass(frozen=True)
class _Asked:
    """A picture as the network sees it, the class in question with its logit, and the count of what is asked."""

    pixels: Float[Tensor, "1 3 s s"]
    index: int
    logit: float
    passes: Passes

    def gradients(self, pixels: Float[Tensor, "n 3 s s"]) -> Task[Float[Tensor, "n 3 s s"]]:
        """Those of the class's logit towards the pixels."""
        answer = yield from self.passes.ask(Query(pixels, lambda logits: logits[:, self.index]))
        assert answer.gradients is not None, "gradients were asked for"
        return answer.gradients


def grad_cam(asked: _Asked, layer: Layer) -> Task[Float[Tensor, "1 h w"]]:
    """Grad-CAM (Selvaraju et al. 2016, arxiv.org/abs/1610.02391): a layer's maps, weighted by their mean gradients."""
    answer = yield from asked.passes.ask(Query(asked.pixels, lambda logits: logits[:, asked.index], layer.name))
    assert answer.activations is not None and answer.activation_gradients is not None, "the query names the layer"
    weights = layer.maps(answer.activation_gradients).mean(dim=(2, 3), keepdim=True)
    return (weights * layer.maps(answer.activations)).sum(dim=1).relu()


def smooth_grad(asked: _Asked, *, samples: int, noise: float, seed: int) -> Task[Float[Tensor, "3 s s"]]:
    """SmoothGrad (Smilkov et al. 2017, arxiv.org/abs/1706.03825): the mean gradient of noisy copies.

    `noise` is its standard deviation, as a share of the range of the pixels. Nothing is clamped, as in the paper.
    """
    random = torch.Generator().manual_seed(seed)
    pixels = asked.pixels
    scale = noise * (pixels.max() - pixels.min())
    total = torch.zeros_like(pixels[0])
    for begin in range(0, samples, ROWS):  # drawn as they are asked: memory does not grow with the samples
        normal = torch.randn(min(ROWS, samples - begin), *pixels.shape[1:], generator=random).to(pixels.device)
        slopes = yield from asked.gradients(pixels + scale * normal)
        total += slopes.sum(dim=0)
    return total / samples


def integrated_gradients(asked: _Asked, *, steps: int) -> Task[tuple[Float[Tensor, "3 s s"], float]]:
    """Integrated gradients (Sundararajan et al. 2017, arxiv.org/abs/1703.01365) from black, by Gauss-Legendre.

    With the share of the logit's rise that the sum of all attributions misses.
    """
    points, weights = np.polynomial.legendre.leggauss(steps)
    along = torch.tensor((points + 1) / 2, dtype=torch.float32, device=asked.pixels.device).reshape(-1, 1, 1, 1)
    share = torch.tensor(weights / 2, dtype=torch.float32, device=asked.pixels.device).reshape(-1, 1, 1, 1)
    total = torch.zeros_like(asked.pixels[0])
    for place, weight in zip(along.split(ROWS), share.split(ROWS), strict=True):
        slopes = yield from asked.gradients(place * asked.pixels)
        total += (weight * slopes).sum(dim=0)
    attributions = asked.pixels[0] * total
    black = yield from asked.passes.ask(Query(torch.zeros_like(asked.pixels)))
    rise = asked.logit - black.logits[0, asked.index].item()
    return attributions, abs(rise - attributions.sum().item()) / max(abs(rise), 1e-6)


METHODS: Mapping[str, Mapping[str, Any]] = {
    "grad_cam": {},
    "smooth_grad": {"samples": 24, "noise": 0.15, "seed": 0},
    "integrated_gradients": {"steps": 32},
}
"""The methods, each with its options and their defaults; `grad_cam` takes a `layer` too."""
BOUNDS: Mapping[str, tuple[float, float]] = {
    "samples": (1, 500),
    "noise": (0.0, 2.0),
    "seed": (0, 2**53 - 1),
    "steps": (2, 500),
}


def explain(
    picture: UInt8[Tensor, "3 h w"],
    spec: Spec,
    *,
    target: int | None = None,
    method: str = "grad_cam",
    layer: Layer | None = None,
    **given: Any,
) -> Task[Explanation]:
    """What the score of a class rests on in a picture of any size; without `target` the class that the network sees.

    Grad-CAM tells what speaks for it, at `layer`, which it needs. The others tell which pixels the score depends on,
    whether they speak for the class or against it. Costs one look and then 1 pass with gradients (Grad-CAM), `samples`
    (SmoothGrad), or `steps` and a look at black (integrated gradients). Raises BadExplanation.
    """
    options = explain_options(method, given, layer)
    pixels = preprocess(to_float(picture).unsqueeze(0), spec)
    passes = Passes()
    answer = yield from passes.ask(Query(pixels))
    probabilities = answer.logits[0].softmax(dim=0)
    top = int(probabilities.argmax())
    index = top if target is None else target
    asked = _Asked(pixels, index, answer.logits[0, index].item(), passes)
    missing = None
    if method == "grad_cam":
        assert layer is not None, "explain_options sees to it"
        attributions = yield from grad_cam(asked, layer)
    elif method == "smooth_grad":
        attributions = yield from smooth_grad(asked, **options)
    else:
        attributions, missing = yield from integrated_gradients(asked, **options)

    def prediction(number: int) -> Prediction:
        return Prediction(spec.classes[number], number, probabilities[number].item())

    return Explanation(
        method=method,
        target=prediction(index),
        top=prediction(top),
        layer=layer,
        attributions=attributions,
        heat=heat(attributions, spec.input_size),
        missing=missing,
        options=options,
        passes=passes,
    )


def explain_options(method: str, given: Mapping[str, Any], layer: Layer | None) -> dict[str, Any]:
    """Every option of the method, as given or by default; raises BadExplanation."""
    if method not in METHODS:
        raise BadExplanation(f"there is no method {method[:100]!r}: choose one of {', '.join(METHODS)}")
    defaults = METHODS[method]
    if method == "grad_cam":
        why = _blind(layer)
        if why:
            raise BadExplanation(f"{why}: name another layer, or take smooth_grad or integrated_gradients")
    elif layer is not None:
        raise BadExplanation(f"layer is no option of {method}, which looks at pixels; it has {', '.join(defaults)}")
    for name, value in given.items():
        if name not in defaults:
            raise BadExplanation(f"{name} is no option of {method}, which has {', '.join(defaults) or 'layer alone'}")
        least, most = BOUNDS[name]
        if not least <= value <= most:
            raise BadExplanation(f"{name} is {least:g} to {most:g}, not {value}")
    return {**defaults, **given}


def _blind(layer: Layer | None) -> str | None:
    """Why Grad-CAM sees nothing at the layer, None where it does."""
    if layer is None:
        return "this network has no layer with maps"
    if layer.height * layer.width == 1:
        return f"the maps of {layer.name} are one pixel"
    return None if layer.decides else f"the class scores do not depend on the maps of {layer.name}"


def heat(attributions: Float[Tensor, "c h w"], size: int) -> Float[Tensor, "s s"]:
    """Where attributions of either sign are, at the network's input size: 1 from their 99.5th percentile on.

    Those of single pixels are blurred a little, or nobody would see them.
    """
    strength: Tensor = attributions.sum(dim=0).abs().unsqueeze(0)
    if strength.shape[1:] == (size, size):
        sigma = BLUR * size
        strength = functional.gaussian_blur(strength, [2 * math.ceil(3 * sigma) + 1] * 2, [sigma] * 2)
    else:
        strength = functional.resize(strength, [size, size], antialias=True)
    most = strength.flatten().quantile(0.995).clamp(min=1e-12)
    found: Tensor = (strength[0] / most).clamp(0, 1)
    return found
