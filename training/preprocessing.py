"""What a network is shown in training and after it: its parent's preprocessing, at the sizes that a recipe asks for."""

from dataclasses import replace
from math import ceil, sqrt
from statistics import fmean

from models import architectures
from models.spec import Spec
from training.recipe import BadRecipe, Recipe


def shorter_side(spec: Spec, recipe: Recipe) -> int:
    """Shorter side of stored photos: enough that the smallest crop of a square one need not be enlarged."""
    return max(spec.resize, ceil(spec.input_size / sqrt(recipe.crop_scale[0])))


def in_grey(spec: Spec) -> Spec:
    """The preprocessing for a network of one channel: the mean of the colours' own figures."""
    if spec.channels == 3 and spec.architecture in architectures.TENSORFLOWS:
        # What their first layer is given of colours; of one channel they change nothing.
        return replace(spec, mean=(0.5,), std=(0.5,))
    return replace(spec, mean=(fmean(spec.mean),), std=(fmean(spec.std),))


def spec_at(spec: Spec, recipe: Recipe) -> Spec:
    """The preprocessing at the recipe's sizes; by default at the parent's, or with the same margin around the crop."""
    side = recipe.input_size or spec.input_size
    resize = recipe.resize or round(spec.resize * side / spec.input_size)
    if resize < side:
        raise BadRecipe(f"resize is {side}, the input size, at least, not {resize}")
    return replace(spec, input_size=side, resize=resize)
