"""What the bodies of several responses share."""

from pydantic import BaseModel, ConfigDict, Field


class Prediction(BaseModel):
    """A class and the probability that the model gives it."""

    model_config = ConfigDict(from_attributes=True)
    label: str
    index: int
    probability: float


class Passes(BaseModel):
    """Pictures that went through the network, and gradients that came back."""

    forward: int
    backward: int


class LayerDetail(BaseModel):
    """A part of the network that can be named, with the size of its feature maps."""

    name: str
    kind: str
    channels: int
    height: int
    width: int
    decides: bool = Field(description="whether the class scores depend on what its maps show")


class Problem(BaseModel):
    """RFC 9457 problem details; `detail` says what to do next."""

    type: str
    title: str
    status: int
    detail: str
    request_id: str
