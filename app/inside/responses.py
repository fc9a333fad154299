"""The responses of POST /features and POST /explain."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from app.web.schemas import LayerDetail, Passes, Prediction


class ChannelStrength(BaseModel):
    """What a picture calls forth in one channel."""

    model_config = ConfigDict(from_attributes=True)
    channel: int
    strength: float = Field(description="mean of the absolute activations; channels are ranked by it")
    mean: float
    largest: float


class FeaturesResult(BaseModel):
    """The answer of POST /features as JSON."""

    model: str
    layer: LayerDetail
    prediction: Prediction
    shown: list[int] = Field(description="the channels in the sheet, in its order")
    channels: list[ChannelStrength] = Field(description="all of the layer, strongest first")
    image: str = Field(description="data URL of the sheet: what the network saw, and the maps")
    passes: Passes
    seconds: float


class ExplainResult(BaseModel):
    """The answer of POST /explain as JSON."""

    model: str
    method: str
    target: Prediction = Field(description="the class that is explained")
    top: Prediction = Field(description="what the model sees")
    layer: str | None
    missing: float | None = Field(
        description="what integrated gradients do not account for of the logit's rise from black, as a share of it"
    )
    image: str = Field(description="data URL: the picture in grey under the heat; dark where the network does not look")
    heat_map: str = Field(description="data URL: the heat alone, on what the network sees")
    options: dict[str, Any]
    passes: Passes
    seconds: float
