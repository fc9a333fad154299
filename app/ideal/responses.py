"""The JSON response of GET /ideal/{class} and GET /ideal."""

from collections.abc import Sequence
from typing import ClassVar

from pydantic import BaseModel, ConfigDict, Field
from pydantic.config import JsonDict

from app.web.schemas import VERSION, OptionValue, Passes, PictureResult, PictureUrl
from models.ideal import Ideal, IdealPicture
from models.ideal.judge import Judgement
from models.store import Model

_SCORE: JsonDict = {
    "probability": 0.999,
    "activation": None,
    "on_noise": None,
    "rank": 1,
    "promised": 0.999,
    "robust": 0.99,
    "held_out": 0.985,
    "families": {"crops": 0.99, "shifts": 1.0, "blur": 0.97, "jpeg": 1.0, "noise": 0.99, "half": 0.99},
    "weakest": "blur",
    "slope": 1.21,
    "variation": 0.11,
    "transfer": {"model": "imagenet/squeezenet1_1", "label": "tabby", "probability": 0.41, "rank": 1},
}
EXAMPLE: JsonDict = {
    "model": "cats-dogs",
    "version": "5f2b9c01d3e4",
    "label": "cat",
    "index": 0,
    "layer": None,
    "channel": None,
    "image": "data:image/png;base64,...",
    "score": _SCORE,
    "reason": None,
    "pictures": [{"seed": 0, "steps": 96, "score": _SCORE, "reason": None, "image": None}],
    "options": {"method": "fourier", "effort": "standard", "steps": 96, "crops": 1, "seed": 0, "count": 1, "size": 224},
    "passes": {"forward": 139, "backward": 96},
    "seconds": 2.5,
}


class JudgeVerdict(BaseModel):
    """What the judge, another served model that did not take part in drawing, predicts for the picture."""

    model: str = Field(description="Name of the judge.")
    label: str = Field(description="Name of its top class.")
    probability: float = Field(description="Probability that it gives the requested class, from 0 to 1.")
    rank: int = Field(description="Rank of the requested class among all its classes; 1 is its top class.")

    @classmethod
    def of(cls, judgement: Judgement, *, model: str) -> "JudgeVerdict":
        """The response part for the judgement of this model."""
        return cls(model=model, label=judgement.top.label, probability=judgement.probability, rank=judgement.rank)


class Score(BaseModel):
    """How well the returned 8-bit picture shows its class or channel."""

    probability: float | None = Field(
        description="Probability that POST /classify gives the class, from 0 to 1; null for a channel."
    )
    activation: float | None = Field(description="Mean activation of the channel; null for a class.")
    on_noise: float | None = Field(
        description="Mean activation of the channel on pictures of random noise, for comparison; null for a class."
    )
    rank: int | None = Field(description="Rank of the class among all classes; 1 is the top class. Null for a channel.")
    promised: float = Field(
        description="Probability or mean activation before the picture was rounded to 8 bits and resized."
    )
    robust: float = Field(
        description="Mean of `families`: how much of the probability or activation is left when the picture is changed."
    )
    held_out: float = Field(description="The same mean, only over the families that the method did not train on.")
    families: dict[str, float] = Field(
        description="For each family of changes (crops, shifts, blur, JPEG, noise, half the size), the mean "
        "probability of the class from 0 to 1, or the mean activation of the channel as a fraction of `activation`."
    )
    weakest: str = Field(description="The family with the lowest value.")
    slope: float = Field(
        description="Spectral slope: the exponent by which the amplitude falls with the frequency. White noise has 0, "
        "nine of ten photographs have 0.95 to 1.8."
    )
    variation: float = Field(
        description="Total variation: mean absolute difference of horizontal neighbours plus that of vertical ones, "
        "with pixel values from 0 to 1."
    )
    transfer: JudgeVerdict | None = Field(
        description="What the judge predicts; null if no other served model has the class, or if it failed or did not "
        "answer in time."
    )

    @classmethod
    def of(cls, drawn: IdealPicture, verdict: JudgeVerdict | None, *, of_class: bool) -> "Score":
        """The response part for one picture, of a class or of a channel."""
        score = drawn.score
        return cls(
            probability=score.strength if of_class else None,
            activation=None if of_class else score.strength,
            on_noise=drawn.on_noise,
            rank=score.rank,
            promised=score.promised,
            robust=score.robust,
            held_out=score.held_out,
            families=dict(score.families),
            weakest=score.weakest,
            slope=score.slope,
            variation=score.variation,
            transfer=verdict,
        )


class OnePicture(BaseModel):
    """One of the requested pictures."""

    seed: int = Field(description="Seed of the picture.")
    steps: int = Field(description="Number of steps of gradient ascent that were made.")
    score: Score = Field(description="How well the picture shows its class or channel.")
    reason: str | None = Field(
        description="Why the picture shows its class or channel badly, and which option to change; null if it is good."
    )
    image: PictureUrl | None = Field(
        description="The picture as a PNG, as a data URL; null if it is the only one, since `image` of the response is "
        "the same."
    )


class IdealResult(PictureResult):
    """The response of GET /ideal/{class} and GET /ideal as JSON; `score` and `reason` are of the first picture."""

    model_config = ConfigDict(json_schema_extra={"examples": [EXAMPLE]})
    # Without the seconds, a picture that is drawn again is the same file, byte for byte.
    not_in_text: ClassVar[frozenset[str]] = frozenset({"image", "seconds"})

    model: str = Field(description="Name of the model.")
    version: str | None = Field(
        default=None, description=f"{VERSION} Null in a response that was stored before there were versions."
    )
    label: str = Field(description="Name of the class; for a channel, LAYER:CHANNEL such as features.14:3.")
    index: int | None = Field(description="Index of the class, from 0; null for a channel.")
    layer: str | None = Field(default=None, description="Name of the layer; null for a class.")
    channel: int | None = Field(default=None, description="Index of the channel, from 0; null for a class.")
    image: PictureUrl = Field(
        description="The picture as a PNG, as a data URL; several pictures are side by side in one."
    )
    score: Score = Field(description="How well the first picture shows its class or channel.")
    reason: str | None = Field(
        description="Why the first picture shows its class or channel badly, and which option to change; null if it is "
        "good."
    )
    pictures: list[OnePicture] = Field(description="Every requested picture, in the order of their seeds.")
    options: dict[str, OptionValue] = Field(description="Every option of the method with the value that was used.")
    passes: Passes = Field(description="Numbers of pictures that drawing and scoring sent through the network.")
    seconds: float = Field(
        description="Seconds that it took to draw the pictures and to ask the judge; a stored response keeps the "
        "seconds of its first request."
    )

    def text(self) -> str:
        """The figures as JSON for the text chunk of a PNG file, without the pictures and the seconds."""
        plain = [picture.model_copy(update={"image": None}) for picture in self.pictures]
        return super(IdealResult, self.model_copy(update={"pictures": plain})).text()

    @classmethod
    def of(
        cls,
        result: Ideal,
        verdicts: Sequence[JudgeVerdict | None],
        *,
        model: Model,
        index: int | None,
        layer: str | None,
        channel: int | None,
        seconds: float,
    ) -> "IdealResult":
        """The response for the pictures of a class (`index`) or of a channel, each with the judge's verdict."""
        pictures = [
            OnePicture(
                seed=drawn.seed,
                steps=drawn.steps,
                score=Score.of(drawn, verdict, of_class=index is not None),
                reason=drawn.reason,
                image=None,
            )
            for drawn, verdict in zip(result.pictures, verdicts, strict=True)
        ]
        return cls(
            model=model.name,
            version=model.version,
            label=result.subject.label,
            index=index,
            layer=layer,
            channel=channel,
            image=lambda: result.sheet,
            score=pictures[0].score,
            reason=pictures[0].reason,
            pictures=pictures,
            options=dict(result.options),
            passes=Passes.model_validate(result.passes),
            seconds=round(seconds, 3),
        )
