"""The ideal picture of a class, or of a channel of a layer."""

from collections.abc import Mapping
from dataclasses import dataclass

from PIL import Image

from mirage.results import html
from mirage.results.pictures import WithPictures
from mirage.results.shared import Passes


@dataclass(frozen=True)
class JudgeVerdict:
    """What the judge, another served model that did not take part in drawing, predicts for the picture."""

    model: str
    """Name of the judge."""
    label: str
    """Name of its top class."""
    probability: float
    """Probability that it gives the requested class, from 0 to 1."""
    rank: int
    """Rank of the requested class among all its classes; 1 is its top class."""


@dataclass(frozen=True)
class Score:
    """How well the returned 8-bit picture shows its class or channel."""

    probability: float | None
    """Probability that the model gives the class when it classifies the picture, from 0 to 1; None for a channel."""
    activation: float | None
    """Mean activation of the channel; None for a class."""
    on_noise: float | None
    """Mean activation of the channel on pictures of random noise, for comparison; None for a class."""
    rank: int | None
    """Rank of the class among all classes; 1 is the top class. None for a channel."""
    promised: float
    """Probability or mean activation before the picture was rounded to 8 bits and resized."""
    robust: float
    """Mean of `families`: how much of the probability or activation is left when the picture is changed."""
    held_out: float
    """The same mean, only over the families that the method did not train on."""
    families: Mapping[str, float]
    """For each family of changes (crops, shifts, blur, JPEG, noise, half the size), the mean probability of the class
    from 0 to 1, or the mean activation of the channel as a fraction of `activation`."""
    weakest: str
    """The family with the lowest value."""
    slope: float
    """Spectral slope: the exponent by which the amplitude falls with the frequency. White noise has 0, nine of ten
    photographs have 0.95 to 1.8."""
    variation: float
    """Total variation: mean absolute difference of horizontal neighbours plus that of vertical ones, with pixel
    values from 0 to 1."""
    transfer: JudgeVerdict | None
    """What the judge predicts; None if no other served model has the class, or if it failed or did not answer in
    time."""


@dataclass(frozen=True)
class OnePicture(WithPictures):
    """One of the requested pictures."""

    seed: int
    """Seed of the picture."""
    steps: int
    """Number of steps of gradient ascent that were made."""
    score: Score
    """How well the picture shows its class or channel."""
    reason: str | None
    """Why the picture shows its class or channel badly, and which option to change; None if it is good."""
    image: Image.Image | None
    """The picture as a PNG; None if it is the only one, since `image` of the response is the same."""


@dataclass(frozen=True)
class IdealResult(WithPictures):
    """Ideal pictures of a class or a channel; `score` and `reason` are of the first one."""

    model: str
    """Name of the model."""
    version: str | None
    """Version of the model that answered, as `Mirage.models` lists it. None in a response that was stored before
    there were versions."""
    label: str
    """Name of the class; for a channel, LAYER:CHANNEL such as features.14:3."""
    index: int | None
    """Index of the class, from 0; None for a channel."""
    layer: str | None
    """Name of the layer; None for a class."""
    channel: int | None
    """Index of the channel, from 0; None for a class."""
    image: Image.Image
    """The picture as a PNG; several pictures are side by side in one."""
    score: Score
    """How well the first picture shows its class or channel."""
    reason: str | None
    """Why the first picture shows its class or channel badly, and which option to change; None if it is good."""
    pictures: tuple[OnePicture, ...]
    """Every requested picture, in the order of their seeds."""
    options: Mapping[str, bool | int | float | str | None]
    """Every option of the method with the value that was used."""
    passes: Passes
    """Numbers of pictures that drawing and scoring sent through the network."""
    seconds: float
    """Seconds that it took to draw the pictures and to ask the judge; a stored response keeps the seconds of its
    first request."""

    def _repr_html_(self) -> str:
        return html.pictures(f"{self.model}: {self.label}", self.image)
