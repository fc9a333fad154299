"""The task behind /features: what a layer makes of a picture, channel by channel."""

from collections.abc import Sequence
from dataclasses import dataclass

from jaxtyping import Float, UInt8
from torch import Tensor

from models.classify import Prediction, rank
from models.layers import Layer
from models.preprocessing import preprocess, to_float, to_levels
from models.query import Passes, Query, Task
from models.spec import Spec


@dataclass(frozen=True)
class Channel:
    """One channel of a layer: `strength` is the mean of its absolute activations, by which channels are ranked."""

    channel: int
    strength: float
    mean: float
    largest: float


@dataclass(frozen=True)
class Features:
    """All channels of the layer, strongest first, and the maps of those that are to be shown."""

    layer: Layer
    prediction: Prediction
    seen: UInt8[Tensor, "3 s s"]
    channels: tuple[Channel, ...]
    shown: tuple[Channel, ...]
    maps: Float[Tensor, "n h w"]
    passes: Passes


def features(
    picture: UInt8[Tensor, "3 h w"], spec: Spec, layer: Layer, *, channels: int | Sequence[int] = 16
) -> Task[Features]:
    """The feature maps of a layer for a picture of any size: the `channels` strongest, or those that are named.

    Raises UnknownLayer for a channel that the layer does not have.
    """
    passes = Passes()
    pixels = preprocess(to_float(picture).unsqueeze(0), spec)
    answer = yield from passes.ask(Query(pixels, layer=layer.name))
    assert answer.activations is not None, "the query names the layer"
    found = layer.maps(answer.activations)[0].cpu()
    told = [
        Channel(number, each.abs().mean().item(), each.mean().item(), each.max().item())
        for number, each in enumerate(found)
    ]
    ranked = sorted(told, key=lambda each: -each.strength)
    shown = ranked[:channels] if isinstance(channels, int) else [told[layer.check_channel(each)] for each in channels]
    return Features(
        layer=layer,
        prediction=rank(answer.logits[0], spec, top=1)[0],
        seen=to_levels(pixels[0]),
        channels=tuple(ranked),
        shown=tuple(shown),
        maps=found[[each.channel for each in shown]],
        passes=passes,
    )
