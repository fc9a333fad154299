"""Explanations of one decision: on which pixels or regions of a picture the score of a class depends.

Each method is a function from a `Question` to `Attributions`; METHODS lists them by name.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from models.classify import Prediction
from models.layers import Layer
from models.options import BadOption, Option, complete_options, options_of
from models.preprocessing import preprocess, to_float
from models.probabilities import probabilities
from models.query import Passes, Query, Task
from models.resampling import gaussian_blur, resize
from models.spec import Spec, check_gradients

ROWS = 8
"""Largest number of pictures (noisy copies, or points of a path) in one query to the network."""
BLUR = 0.01
"""Standard deviation of the blur of a heat map of single pixels, as a fraction of the picture's side."""


class BadExplanation(BadOption):
    """A method that does not exist or that this network does not allow, or an option that it does not take."""


@dataclass(frozen=True)
class Explanation:
    """On what the logit of the target class depends.

    `attributions` are the values of the method, [1, h, w] for a layer's feature maps or [3, i, j] for the pixels of the
    network's input.
    `heat` shows where they are large on the network's input, from 0 to 1. `missing` is the fraction of the logit's rise
    from a black picture that integrated gradients do not account for; it is small where `steps` are enough.
    """

    method: str
    target: Prediction
    top: Prediction
    layer: Layer | None
    attributions: Float[Tensor, "c h w"]
    heat: Float[Tensor, "i j"]
    missing: float | None
    options: Mapping[str, Any]
    passes: Passes


@dataclass(frozen=True)
class Question:
    """A picture at the network's input size, the class to explain with its logit, and the count of passes.

    `layer` is the layer whose feature maps a method weights, None for methods that look at the pixels.
    """

    pixels: Float[Tensor, "1 3 i j"]
    index: int
    logit: float
    layer: Layer | None
    passes: Passes

    def gradients(self, pixels: Float[Tensor, "n 3 i j"]) -> Task[Float[Tensor, "n 3 i j"]]:
        """The gradients of the class's logit with respect to the pixels."""
        answer = yield from self.passes.ask(Query(pixels, lambda logits: logits[:, self.index]))
        assert answer.gradients is not None, "the query has an objective"
        return answer.gradients


@dataclass(frozen=True)
class Attributions:
    """The values of a method, [1, h, w] or [3, i, j], and for integrated gradients the fraction that is missing."""

    values: Float[Tensor, "c h w"]
    missing: float | None = None


def grad_cam(question: Question) -> Task[Attributions]:
    """Grad-CAM (Selvaraju et al. 2016, arxiv.org/abs/1610.02391): a layer's maps, weighted by their mean gradients."""
    layer = question.layer
    assert layer is not None, "explain_options checks that there is one"
    query = Query(question.pixels, lambda logits: logits[:, question.index], layer.name)
    answer = yield from question.passes.ask(query)
    assert answer.activations is not None and answer.activation_gradients is not None, "the query names the layer"
    weights = layer.maps(answer.activation_gradients).mean(dim=(2, 3), keepdim=True)
    return Attributions((weights * layer.maps(answer.activations)).sum(dim=1).relu())


def smooth_grad(
    question: Question,
    *,
    samples: Annotated[
        int,
        Option(
            "Number of noisy copies of the picture whose gradients are averaged. More copies make a smoother heat map, "
            "and take proportionally more time.",
            least=1,
            most=500,
        ),
    ] = 24,
    noise: Annotated[
        float,
        Option(
            "Standard deviation of the noise on each copy, as a fraction of the range of the picture's pixel values "
            "(largest minus smallest). More noise makes a smoother heat map that shows less detail.",
            least=0.0,
            most=2.0,
        ),
    ] = 0.15,
    seed: Annotated[
        int,
        Option("Seed of the random number generator; the same seed gives the same result.", least=0, most=2**53 - 1),
    ] = 0,
) -> Task[Attributions]:
    """SmoothGrad (Smilkov et al. 2017, arxiv.org/abs/1706.03825): the mean gradient of noisy copies.

    The copies are not clamped to [0, 1], as in the paper.
    """
    random = torch.Generator().manual_seed(seed)
    pixels = question.pixels
    scale = noise * (pixels.max() - pixels.min())
    total = torch.zeros_like(pixels[0])
    for begin in range(0, samples, ROWS):  # the noise is drawn query by query: memory does not grow with the samples
        normal = torch.randn(min(ROWS, samples - begin), *pixels.shape[1:], generator=random).to(pixels.device)
        gradients = yield from question.gradients(pixels + scale * normal)
        total += gradients.sum(dim=0)
    return Attributions(total / samples)


def integrated_gradients(
    question: Question,
    *,
    steps: Annotated[
        int,
        Option(
            "Number of points on the straight path from a black picture to the picture at which gradients are taken. "
            "With more points the attributions account for the logit more exactly (see `missing` in the result), in "
            "proportionally more time.",
            least=2,
            most=500,
        ),
    ] = 32,
) -> Task[Attributions]:
    """Integrated gradients (Sundararajan et al. 2017, arxiv.org/abs/1703.01365) from black, by Gauss-Legendre.

    `missing` is the fraction of the logit's rise from black that the sum of all attributions does not reach.
    """
    points, weights = np.polynomial.legendre.leggauss(steps)
    pixels = question.pixels
    positions = torch.tensor((points + 1) / 2, dtype=torch.float32, device=pixels.device).reshape(-1, 1, 1, 1)
    shares = torch.tensor(weights / 2, dtype=torch.float32, device=pixels.device).reshape(-1, 1, 1, 1)
    total = torch.zeros_like(pixels[0])
    for position, share in zip(positions.split(ROWS), shares.split(ROWS), strict=True):
        gradients = yield from question.gradients(position * pixels)
        total += (share * gradients).sum(dim=0)
    values = pixels[0] * total
    black = yield from question.passes.ask(Query(torch.zeros_like(pixels)))
    rise = question.logit - black.logits[0, question.index].item()
    return Attributions(values, abs(rise - values.sum().item()) / max(abs(rise), 1e-6))


@dataclass(frozen=True)
class Method:
    """A method of explanation: `run(question, **options)`; with `takes_layer` it weights the maps of a layer.

    Its options are the parameters of the function that are annotated with a models.options.Option.
    """

    run: Callable[..., Task[Attributions]]
    takes_layer: bool = False

    @property
    def options(self) -> Mapping[str, Option]:
        """The method's options by name."""
        return options_of(self.run)

    @property
    def defaults(self) -> dict[str, Any]:
        """The default of every option."""
        return {name: option.default for name, option in self.options.items()}


METHODS: Mapping[str, Method] = {
    "grad_cam": Method(grad_cam, takes_layer=True),
    "smooth_grad": Method(smooth_grad),
    "integrated_gradients": Method(integrated_gradients),
}
"""The methods by name."""


def check_explanation(spec: Spec) -> None:
    """Raise BadExplanation if nothing can be explained, since the network gives no gradients."""
    check_gradients(spec, "every explanation needs them", BadExplanation)


def explain(
    picture: UInt8[Tensor, "3 h w"],
    spec: Spec,
    *,
    target: int | None = None,
    method: str = "grad_cam",
    layer: Layer | None = None,
    **options: Any,
) -> Task[Explanation]:
    """On what the score of a class depends in a picture of any size; without `target` the most probable class.

    Grad-CAM shows what speaks for the class, at `layer`, which it needs. The other methods show the pixels on which the
    score depends, for or against the class. Costs one pass, and then one with gradients (Grad-CAM), `samples` with
    gradients (SmoothGrad), or `steps` with gradients and one without (integrated gradients). Raises BadExplanation.
    """
    check_explanation(spec)
    options = explain_options(method, options, layer)
    pixels = preprocess(to_float(picture).unsqueeze(0), spec)
    passes = Passes()
    answer = yield from passes.ask(Query(pixels))
    of_classes = probabilities(answer.logits[0], spec)
    top = int(answer.logits[0].argmax())
    index = top if target is None else target
    question = Question(pixels, index, answer.logits[0, index].item(), layer, passes)
    attributions = yield from METHODS[method].run(question, **options)

    def prediction(number: int) -> Prediction:
        return Prediction(spec.classes[number], number, of_classes[number].item())

    return Explanation(
        method=method,
        target=prediction(index),
        top=prediction(top),
        layer=layer,
        attributions=attributions.values,
        heat=heat(attributions.values, spec.size),
        missing=attributions.missing,
        options=options,
        passes=passes,
    )


def explain_options(method: str, values: Mapping[str, Any], layer: Layer | None) -> dict[str, Any]:
    """Every option of the method with its value: from `values`, or its default. Raises BadExplanation."""
    if method not in METHODS:
        raise BadExplanation(f"there is no method {method[:100]!r}: choose one of {', '.join(METHODS)}")
    entry = METHODS[method]
    if entry.takes_layer:
        reason = _unusable(layer)
        if reason:
            raise BadExplanation(f"{reason}: name another layer, or take smooth_grad or integrated_gradients")
    elif layer is not None:
        raise BadExplanation(
            f"{method} takes no layer, since it looks at pixels: its options are {', '.join(entry.options)}"
        )
    others = {name: other.options for name, other in METHODS.items()}
    return complete_options(method, entry.options, values, BadExplanation, others=others)


def _unusable(layer: Layer | None) -> str | None:
    """Why a method cannot weight the feature maps of the layer, None where it can."""
    if layer is None:
        return "this network has no layer with feature maps"
    if layer.height * layer.width == 1:
        return f"the feature maps of {layer.name} are one pixel"
    return None if layer.decides else f"the class scores do not depend on the feature maps of {layer.name}"


def heat(attributions: Float[Tensor, "c h w"], size: tuple[int, int]) -> Float[Tensor, "i j"]:
    """Where attributions of either sign are large, at the input's `size`: 1 from their 99.5th percentile on.

    Attributions of single pixels are blurred a little, since nobody would see them otherwise.
    """
    strength: Tensor = attributions.sum(dim=0).abs().unsqueeze(0)
    of_pixels = strength.shape[1:] == size
    strength = gaussian_blur(strength, BLUR * min(size)) if of_pixels else resize(strength, size)
    most = strength.flatten().quantile(0.995).clamp(min=1e-12)
    scaled: Tensor = (strength[0] / most).clamp(0, 1)
    return scaled
