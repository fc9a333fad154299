"""The response of GET /ideal."""

from typing import Any

from pydantic import BaseModel, Field

from app.web.schemas import Passes


class Transfer(BaseModel):
    """What a model that took no part sees in the picture."""

    model: str
    label: str = Field(description="its top class")
    probability: float = Field(description="of the class that was asked for")
    rank: int


class Score(BaseModel):
    """The verdict on a picture, as it is returned in 8 bits."""

    probability: float | None = Field(description="of the class, by /classify; null for a channel")
    activation: float | None = Field(description="of the channel, its mean; null for a class")
    on_noise: float | None = Field(description="the channel's activation on pictures of noise; null for a class")
    rank: int | None = Field(description="of the class among all: 1 is the top one; null for a channel")
    promised: float = Field(description="what the network said of the tensor before it was a picture")
    robust: float = Field(description="mean over `families`: what is still seen in crops, under blur, noise, JPEG, ...")
    held_out: float = Field(description="the same over the families that the method did not train on")
    families: dict[str, float]
    weakest: str = Field(description="the family under which least is seen")
    slope: float = Field(description="of the amplitude spectrum; nine of ten photographs have 0.95 to 1.8")
    variation: float = Field(description="mean difference of neighbouring pixels in [0, 1], across plus down")
    transfer: Transfer | None = Field(description="null where no other served model knows the class or can be asked")


class OnePicture(BaseModel):
    """One of the pictures that were asked for."""

    seed: int
    steps: int = Field(description="that it took")
    score: Score
    reason: str | None = Field(description="why it came out poorly, and what to change; null where it did not")
    image: str | None = Field(description="data URL of the PNG; null where there is no other, and `image` is this")


class IdealResult(BaseModel):
    """The answer of GET /ideal as JSON; `score` and `reason` are those of the first picture."""

    model: str
    label: str = Field(description="the class, or layer:channel")
    index: int | None = Field(description="of the class; null for a channel")
    layer: str | None = None
    channel: int | None = None
    image: str = Field(description="data URL of the PNG; of several pictures a sheet of all")
    score: Score
    reason: str | None
    pictures: list[OnePicture]
    options: dict[str, Any]
    passes: Passes
    seconds: float
