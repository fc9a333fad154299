"""The JSON response of POST /adversarial."""

from typing import ClassVar

from pydantic import BaseModel, ConfigDict, Field
from pydantic.config import JsonDict

from app.web.schemas import VERSION, OptionValue, Passes, PictureResult, PictureUrl, Prediction
from models.attacks.task import Adversarial
from models.store import Model

EXAMPLE: JsonDict = {
    "model": "cats-dogs",
    "version": "5f2b9c01d3e4",
    "attack": "auto",
    "norm": "l2",
    "goal": "the class is 'cat'",
    "success": True,
    "original": {"label": "dog", "index": 1, "probability": 0.998},
    "adversarial": {"label": "cat", "index": 0, "probability": 0.51},
    "target": {"label": "cat", "index": 0},
    "probabilities": {"original": {"before": 0.998, "after": 0.49}, "target": {"before": 0.002, "after": 0.51}},
    "norms": {"linf": 0.0118, "l2": 0.42, "l1": 44.0, "l0": 8700},
    "perception": {
        "ssim": 0.9996,
        "ciede2000_mean": 0.02,
        "ciede2000_p95": 0.2,
        "mean_levels": 0.02,
        "unchanged": 0.98,
    },
    "transfer": [
        {
            "model": "other",
            "original": {"label": "dog", "index": 1, "probability": 0.99},
            "adversarial": {"label": "dog", "index": 1, "probability": 0.98},
            "fooled": False,
        }
    ],
    "patch": None,
    "image": "data:image/png;base64,...",
    "perturbation": "data:image/png;base64,...",
    "heat_map": "data:image/png;base64,...",
    "options": {"norm": "l2", "effort": "standard", "steps": None, "seed": 0, "confidence": 0.0},
    "survive": ["png"],
    "passes": {"forward": 50, "backward": 36},
    "stopped": False,
    "seconds": 1.1,
}


class Norms(BaseModel):
    """The size of the perturbation, over all pixels and channels; pixel values are from 0 to 1."""

    linf: float = Field(description="Linf norm: the largest change of any value, from 0 to 1.")
    l2: float = Field(description="L2 norm: the square root of the sum of all squared changes.")
    l1: float = Field(description="L1 norm: the sum of all absolute changes.")
    l0: int = Field(description="Number of pixels that changed in at least one channel.")


class Change(BaseModel):
    """The probability of one class before and after the attack."""

    before: float = Field(description="Probability of the class on the uploaded picture, from 0 to 1.")
    after: float = Field(description="Probability of the class on the returned picture, from 0 to 1.")


class Probabilities(BaseModel):
    """How the attack changed the probabilities of the original class and the target class."""

    original: Change = Field(description="Probabilities of the model's top class on the uploaded picture.")
    target: Change | None = Field(description="Probabilities of the target class; null if the attack had no target.")


class Perception(BaseModel):
    """How visible the perturbation is to a person."""

    model_config = ConfigDict(from_attributes=True)
    ssim: float = Field(description="Structural similarity (SSIM) to the uploaded picture; 1 for an identical picture.")
    ciede2000_mean: float = Field(
        description="Mean colour difference (CIEDE2000) over all pixels; a difference of 1 is just noticeable."
    )
    ciede2000_p95: float = Field(description="95th percentile of the colour difference (CIEDE2000) over all pixels.")
    mean_levels: float = Field(description="Mean absolute change of a value, in 8-bit levels from 0 to 255.")
    unchanged: float = Field(
        description="Share of the 8-bit values, three per pixel, that are the same as in the uploaded picture, from 0 "
        "to 1."
    )


class TransferVerdict(BaseModel):
    """What another served model that has the same classes predicts for the uploaded and the returned picture."""

    model: str = Field(description="Name of the other model.")
    original: Prediction = Field(
        description="Its top class on the uploaded picture; of a model of several labels per picture, the label that "
        "the attack is about: the target, or without one the original label."
    )
    adversarial: Prediction = Field(description="The same of the returned picture.")
    fooled: bool = Field(
        description="Whether the attack succeeds against this model too. With a target: its top class becomes the "
        "target. Without one: its top class was the original class and is another now. A model of several labels is "
        "fooled if it finds the target only in the returned picture, or the original label only in the uploaded one."
    )


class PatchResult(BaseModel):
    """The printable square of the patch attack."""

    image: PictureUrl = Field(description="The square as a PNG, as a data URL.")
    success_rate: float | None = Field(
        description="Share of random positions, sizes and brightnesses at which the square fools the model, from 0 to "
        "1; null if the deadline passed before it was measured."
    )


class TargetClass(BaseModel):
    """The class that an attack is to reach."""

    model_config = ConfigDict(from_attributes=True)
    label: str = Field(description="Name of the class.")
    index: int = Field(description="Index of the class in the model's list of classes, from 0.")


class AdversarialResult(PictureResult):
    """The response of POST /adversarial as JSON. Every figure is of the returned 8-bit picture."""

    model_config = ConfigDict(json_schema_extra={"examples": [EXAMPLE]})
    not_in_text: ClassVar[frozenset[str]] = frozenset({"image", "perturbation", "heat_map", "patch"})

    model: str = Field(description="Name of the attacked model.")
    version: str = Field(description=VERSION)
    attack: str = Field(description="Name of the attack.")
    norm: str = Field(description="The norm that measures or bounds the perturbation: linf, l2, l1 or l0.")
    goal: str = Field(
        description="What the attack had to reach, in words. A model of several labels per picture is attacked about "
        "one of them, and the predictions below are of this label."
    )
    success: bool = Field(
        description="Whether the model is fooled as the request asks, by `confidence` and after everything in "
        "`survive`: with a target its top class is the target, without one it is not the original class. A model of "
        "several labels per picture finds the target, or without one no longer finds the label that was most probable."
    )
    original: Prediction = Field(
        description="The model's top class on the uploaded picture. Of a model of several labels per picture it is the "
        "label that the attack is about, with its probability before the attack."
    )
    adversarial: Prediction = Field(
        description="The model's top class on the returned picture. Of a model of several labels per picture it is the "
        "same label as in `original`, with its probability after the attack."
    )
    target: TargetClass | None = Field(description="The target class; null if the request named none.")
    probabilities: Probabilities = Field(description="Probabilities of the two classes before and after the attack.")
    norms: Norms = Field(description="The size of the perturbation in every norm.")
    perception: Perception = Field(description="How visible the perturbation is to a person.")
    transfer: list[TransferVerdict] = Field(
        description="Whether the other served models that have these classes are fooled as well; a model that failed "
        "or did not answer in time is left out."
    )
    patch: PatchResult | None = Field(default=None, description="The printable square; null for all other attacks.")
    image: PictureUrl = Field(description="The returned picture as a PNG, as a data URL.")
    perturbation: PictureUrl = Field(
        description="The perturbation as a PNG, as a data URL: grey where nothing changed, amplified to the full range."
    )
    heat_map: PictureUrl = Field(
        description="The absolute change of each pixel as a PNG, as a data URL, from black (none) to yellow (largest)."
    )
    options: dict[str, OptionValue] = Field(
        description="Every option of the attack with its value. `steps` is null where the attack `auto` chose its "
        "numbers of steps by `effort`."
    )
    survive: list[str] = Field(
        description="What the success was verified on: the file itself (png or jpeg:QUALITY), then every conversion "
        "that the request asked to survive."
    )
    passes: Passes = Field(description="Numbers of pictures that the attack sent through the network.")
    stopped: bool = Field(description="Whether the deadline passed: this is then the best result until then.")
    seconds: float = Field(description="Seconds that the attack took, including the time in the queue.")

    @classmethod
    def of(
        cls, result: Adversarial, *, model: Model, transfer: list[TransferVerdict], seconds: float
    ) -> "AdversarialResult":
        """The response for a result of the attack on this model; compares the two pictures, which takes a while."""
        from models.attacks import perception  # late: it imports scikit-image and SciPy (docs/decisions/0042)

        return cls(
            model=model.name,
            version=model.version,
            attack=result.attack,
            norm=result.norm,
            goal=result.goal,
            success=result.success,
            original=Prediction.model_validate(result.original),
            adversarial=Prediction.model_validate(result.adversarial),
            target=None if result.target is None else TargetClass.model_validate(result.target),
            probabilities=_probabilities(result),
            norms=Norms.model_validate(result.norms),
            perception=Perception.model_validate(perception.perception(result.picture, result.origin)),
            transfer=transfer,
            patch=_patch(result),
            image=lambda: result.to_encode,
            perturbation=lambda: result.perturbation,
            heat_map=lambda: perception.heat_map(result.picture, result.origin),
            options=dict(result.options),
            survive=[survival.name for survival in result.survive],
            passes=Passes.model_validate(result.passes),
            stopped=result.stopped,
            seconds=round(seconds, 3),
        )


def _probabilities(result: Adversarial) -> Probabilities:
    before, after = result.target_before, result.target
    return Probabilities(
        original=Change(before=result.original.probability, after=result.original_after.probability),
        target=None if before is None or after is None else Change(before=before.probability, after=after.probability),
    )


def _patch(result: Adversarial) -> PatchResult | None:
    patch = result.patch
    return None if patch is None else PatchResult(image=lambda: patch.square, success_rate=patch.success_rate)
