"""The preprocessing of a trained network: that of its pretrained weights, at the sizes that the recipe asks for."""

from dataclasses import replace
from math import ceil, sqrt
from statistics import fmean

from models import architectures
from models.spec import Spec
from training.recipe import BadRecipe, Recipe


def shorter_side(spec: Spec, recipe: Recipe) -> int:
    """Shorter side in pixels of stored photos: so large that the smallest crop of a square photo is not enlarged."""
    return max(*spec.resize_size, ceil(spec.side / sqrt(recipe.crop_scale[0])))


def in_grey(spec: Spec) -> Spec:
    """The preprocessing for a network with one input channel: mean and deviation are averaged over the colours."""
    if spec.channels == 3 and spec.architecture in architectures.TENSORFLOWS:
        # These networks expect pixels in [-1, 1], also with one channel.
        return replace(spec, colours=None, mean=(0.5,), std=(0.5,))
    return replace(spec, colours=None, mean=(fmean(spec.mean),), std=(fmean(spec.std),))


def spec_at(spec: Spec, recipe: Recipe) -> Spec:
    """The preprocessing at the sizes of the recipe, by default those of the pretrained weights or in proportion."""
    height, width = spec.size
    if not recipe.input_size and height != width:
        raise BadRecipe(
            f"training takes square pictures, and the pretrained weights were used with {height} x {width}: give the "
            "side in pixels, --input-size"
        )
    side = recipe.input_size or height
    resize = recipe.resize or round(max(spec.resize_size) * side / max(spec.size))
    if resize < side and spec.resize_mode != "pad":
        raise BadRecipe(f"--resize is at least the input size, {side}, not {resize}")
    return replace(spec, input_size=side, resize=resize)
