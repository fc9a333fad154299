"""The JSON responses of POST /features and POST /explain."""

from functools import partial
from typing import ClassVar

from pydantic import BaseModel, ConfigDict, Field
from pydantic.config import JsonDict

from app.web.schemas import VERSION, LayerDetail, OptionValue, Passes, PictureResult, PictureUrl, Prediction
from models.colour_map import coloured
from models.explain import Explanation
from models.features import Features, map_picture
from models.store import Model

FEATURES_EXAMPLE: JsonDict = {
    "model": "cats-dogs",
    "version": "5f2b9c01d3e4",
    "layer": {
        "name": "features.2", "kind": "InvertedResidual", "channels": 24, "height": 56, "width": 56, "decides": True
    },
    "prediction": {"label": "cat", "index": 0, "probability": 0.999},
    "shown": [17, 3],
    "channels": [
        {"channel": 17, "strength": 0.83, "mean": 0.83, "largest": 4.1},
        {"channel": 3, "strength": 0.51, "mean": -0.2, "largest": 2.2},
    ],
    "image": "data:image/png;base64,...",
    "maps": None,
    "passes": {"forward": 1, "backward": 0},
    "seconds": 0.4,
}  # fmt: skip
EXPLAIN_EXAMPLE: JsonDict = {
    "model": "cats-dogs",
    "version": "5f2b9c01d3e4",
    "method": "grad_cam",
    "target": {"label": "cat", "index": 0, "probability": 0.999},
    "top": {"label": "cat", "index": 0, "probability": 0.999},
    "layer": "features",
    "missing": None,
    "image": "data:image/png;base64,...",
    "heat_map": "data:image/png;base64,...",
    "options": {},
    "passes": {"forward": 2, "backward": 1},
    "seconds": 0.3,
}


class ChannelStrength(BaseModel):
    """How strongly one channel of the layer responds to the picture."""

    model_config = ConfigDict(from_attributes=True)
    channel: int = Field(description="Index of the channel, from 0.")
    strength: float = Field(description="Mean of the absolute activations; the channels are ordered by it.")
    mean: float = Field(description="Mean of the activations over the map.")
    largest: float = Field(description="Largest activation in the map.")


class FeatureMap(BaseModel):
    """The feature map of one channel, as a picture."""

    channel: int = Field(description="Index of the channel, from 0.")
    image: PictureUrl = Field(
        description="The feature map alone as a PNG of the layer's height and width, as a data URL: from dark for its "
        "smallest value to yellow for its largest. A map whose values are all equal is dark."
    )


class FeaturesResult(PictureResult):
    """The response of POST /features as JSON."""

    model_config = ConfigDict(json_schema_extra={"examples": [FEATURES_EXAMPLE]})
    not_in_text: ClassVar[frozenset[str]] = frozenset({"image", "maps"})

    model: str = Field(description="Name of the model.")
    version: str = Field(description=VERSION)
    layer: LayerDetail = Field(description="The layer whose feature maps are shown.")
    prediction: Prediction = Field(description="The model's top class on the picture.")
    shown: list[int] = Field(
        description="Indices of the channels whose feature maps `image` or `maps` shows, in its order."
    )
    channels: list[ChannelStrength] = Field(description="All channels of the layer, strongest first.")
    image: PictureUrl | None = Field(
        description="The picture as the network sees it and the feature maps, in one PNG, as a data URL; null with "
        "`separate`."
    )
    maps: list[FeatureMap] | None = Field(
        description="With `separate` each feature map alone, in the order of `shown`; null without it."
    )
    passes: Passes = Field(description="How much of the network's work the response took.")
    seconds: float = Field(description="Seconds that the network's work took, its waiting time included.")

    @classmethod
    def of(
        cls, result: Features, image: PictureUrl, *, model: Model, separate: bool, seconds: float
    ) -> "FeaturesResult":
        """The response for the feature maps of one picture in this model; `image` draws them in one picture."""
        return cls(
            model=model.name,
            version=model.version,
            layer=LayerDetail.model_validate(result.layer),
            prediction=Prediction.model_validate(result.prediction),
            shown=[channel.channel for channel in result.shown],
            channels=[ChannelStrength.model_validate(channel) for channel in result.channels],
            image=None if separate else image,
            maps=_maps(result) if separate else None,
            passes=Passes.model_validate(result.passes),
            seconds=round(seconds, 3),
        )


def _maps(result: Features) -> list[FeatureMap]:
    return [
        FeatureMap(channel=channel.channel, image=partial(map_picture, values))
        for channel, values in zip(result.shown, result.maps, strict=True)
    ]


class ExplainResult(PictureResult):
    """The response of POST /explain as JSON."""

    model_config = ConfigDict(json_schema_extra={"examples": [EXPLAIN_EXAMPLE]})
    not_in_text: ClassVar[frozenset[str]] = frozenset({"image", "heat_map"})

    model: str = Field(description="Name of the model.")
    version: str = Field(description=VERSION)
    method: str = Field(description="Name of the method: grad_cam, smooth_grad or integrated_gradients.")
    target: Prediction = Field(description="The class whose score is explained.")
    top: Prediction = Field(description="The model's top class on the picture.")
    layer: str | None = Field(description="Name of the layer that grad_cam used; null for the other methods.")
    missing: float | None = Field(
        description="Part of the change of the logit, from a black picture to this one, that the attributions of "
        "integrated_gradients do not account for, as a fraction of the change; 0 is exact. Null for the other methods."
    )
    image: PictureUrl = Field(
        description="The picture in grey under the heat map as a PNG, as a data URL; parts that the network does not "
        "see are dark."
    )
    heat_map: PictureUrl = Field(
        description="The heat map alone as a PNG, as a data URL, at the model's input size and for the part of the "
        "picture that the network sees."
    )
    options: dict[str, OptionValue] = Field(description="Every option of the method with the value that was used.")
    passes: Passes = Field(description="How much of the network's work the response took.")
    seconds: float = Field(description="Seconds that the network's work took, its waiting time included.")

    @classmethod
    def of(cls, result: Explanation, image: PictureUrl, *, model: Model, seconds: float) -> "ExplainResult":
        """The response for the explanation of one picture; `image` draws the picture under the heat map."""
        return cls(
            model=model.name,
            version=model.version,
            method=result.method,
            target=Prediction.model_validate(result.target),
            top=Prediction.model_validate(result.top),
            layer=None if result.layer is None else result.layer.name,
            missing=result.missing,
            image=image,
            heat_map=lambda: coloured(result.heat),
            options=dict(result.options),
            passes=Passes.model_validate(result.passes),
            seconds=round(seconds, 3),
        )
