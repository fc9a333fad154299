"""The feature maps of a layer for a picture: the task behind POST /features."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from models.classify import Prediction, rank
from models.colour_map import coloured
from models.layers import Layer
from models.preprocessing import preprocess, to_float, to_levels
from models.query import Passes, Query, Task
from models.spec import Spec


@dataclass(frozen=True)
class Channel:
    """One channel of a layer: its number, and mean and maximum of its activations.

    `strength` is the mean of the absolute activations, by which channels are ranked.
    """

    channel: int
    strength: float
    mean: float
    largest: float


@dataclass(frozen=True)
class Features:
    """All channels of a layer, strongest first, and the maps of those in `shown`.

    `network_input` is the picture that the network sees, as 8-bit levels, `prediction` its most probable class.
    """

    layer: Layer
    prediction: Prediction
    network_input: UInt8[Tensor, "3 i j"]
    channels: tuple[Channel, ...]
    shown: tuple[Channel, ...]
    maps: Float[Tensor, "n h w"]
    passes: Passes


def features(
    picture: UInt8[Tensor, "3 h w"], spec: Spec, layer: Layer, *, channels: int | Sequence[int] = 16
) -> Task[Features]:
    """Compute the feature maps of a layer for a picture of any size.

    `channels` is the number of strongest channels to show, or the numbers of the channels to show.

    Raises UnknownLayer for a channel that the layer does not have.
    """
    passes = Passes()
    pixels = preprocess(to_float(picture).unsqueeze(0), spec)
    answer = yield from passes.ask(Query(pixels, layer=layer.name))
    assert answer.activations is not None, "the query names the layer"
    maps = layer.maps(answer.activations)[0].cpu()
    all_channels = [
        Channel(number, values.abs().mean().item(), values.mean().item(), values.max().item())
        for number, values in enumerate(maps)
    ]
    ranked = sorted(all_channels, key=lambda channel: -channel.strength)
    if isinstance(channels, int):
        shown = ranked[:channels]
    else:
        shown = [all_channels[layer.check_channel(number)] for number in channels]
    return Features(
        layer=layer,
        prediction=rank(answer.logits[0], spec, top=1)[0],
        network_input=to_levels(pixels[0]),
        channels=tuple(ranked),
        shown=tuple(shown),
        maps=maps[[channel.channel for channel in shown]],
        passes=passes,
    )


def map_picture(values: Float[Tensor, "h w"]) -> UInt8[Tensor, "3 h w"]:
    """A feature map in the colours of `viridis`, scaled by itself from its smallest value (dark) to its largest.

    A map whose values are all equal is dark.
    """
    values = values.float()
    low, high = values.amin(), values.amax()
    return coloured((values - low) / (high - low) if high > low else torch.zeros_like(values), "viridis")
