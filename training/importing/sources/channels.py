"""The normalisation of a network by the number of its input channels, where the source states none."""

from dataclasses import replace

from models.spec import Spec


def with_channels(spec: Spec, channels: int) -> Spec:
    """The spec for a network of 1 to 4 input channels: grey, grey and opacity, RGB, or RGB and opacity."""
    if channels == spec.channels:
        return spec
    mean, std = sum(spec.mean) / len(spec.mean), sum(spec.std) / len(spec.std)
    colours = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}[channels]
    own = spec.channels == 3 and channels == 4
    means = (*spec.mean, 0.0) if own else (mean,) * channels
    stds = (*spec.std, 1.0) if own else (std,) * channels
    return replace(spec, colours=colours, mean=means, std=stds)
