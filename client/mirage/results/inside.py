"""What is inside the network: the explanation of a prediction, and feature maps."""

from collections.abc import Mapping
from dataclasses import dataclass

from PIL import Image

from mirage.results import html
from mirage.results.pictures import WithPictures
from mirage.results.shared import LayerDetail, Passes, Prediction


@dataclass(frozen=True)
class ExplainResult(WithPictures):
    """On which parts of a picture a prediction depends."""

    model: str
    """Name of the model."""
    version: str
    """Version of the model that answered, as `Mirage.models` lists it."""
    method: str
    """Name of the method: grad_cam, smooth_grad or integrated_gradients."""
    target: Prediction
    """The class whose score is explained."""
    top: Prediction
    """The model's top class on the picture."""
    layer: str | None
    """Name of the layer that grad_cam used; None for the other methods."""
    missing: float | None
    """Part of the change of the logit, from a black picture to this one, that the attributions of
    integrated_gradients do not account for, as a fraction of the change; 0 is exact. None for the other methods."""
    image: Image.Image
    """The picture in grey under the heat map as a PNG; parts that the network does not see are dark."""
    heat_map: Image.Image
    """The heat map alone as a PNG, at the model's input size and for the part of the picture that the network
    sees."""
    options: Mapping[str, bool | int | float | str | None]
    """Every option of the method with the value that was used."""
    passes: Passes
    """How much of the network's work the response took."""
    seconds: float
    """Seconds that the network's work took, its waiting time included."""

    def _repr_html_(self) -> str:
        return html.pictures(f"{self.model}: {self.target.label}, {self.method}", self.image)


@dataclass(frozen=True)
class ChannelStrength:
    """How strongly one channel of the layer responds to the picture."""

    channel: int
    """Index of the channel, from 0."""
    strength: float
    """Mean of the absolute activations; the channels are ordered by it."""
    mean: float
    """Mean of the activations over the map."""
    largest: float
    """Largest activation in the map."""


@dataclass(frozen=True)
class FeatureMap(WithPictures):
    """The feature map of one channel, as a picture."""

    channel: int
    """Index of the channel, from 0."""
    image: Image.Image
    """The feature map alone as a PNG of the layer's height and width: from dark for its smallest value to yellow for
    its largest. A map whose values are all equal is dark."""


@dataclass(frozen=True)
class FeaturesResult(WithPictures):
    """Feature maps of one layer for a picture."""

    model: str
    """Name of the model."""
    version: str
    """Version of the model that answered, as `Mirage.models` lists it."""
    layer: LayerDetail
    """The layer whose feature maps are shown."""
    prediction: Prediction
    """The model's top class on the picture."""
    shown: tuple[int, ...]
    """Indices of the channels whose feature maps `image` or `maps` shows, in its order."""
    channels: tuple[ChannelStrength, ...]
    """All channels of the layer, strongest first."""
    image: Image.Image | None
    """The picture as the network sees it and the feature maps, in one PNG; None with `separate`."""
    maps: tuple[FeatureMap, ...] | None
    """With `separate` each feature map alone, in the order of `shown`; None without it."""
    passes: Passes
    """How much of the network's work the response took."""
    seconds: float
    """Seconds that the network's work took, its waiting time included."""

    def _repr_html_(self) -> str:
        separate = [] if self.maps is None else [feature_map.image for feature_map in self.maps]
        return html.pictures(f"{self.model}: {self.layer.name}", self.image, *separate)
