"""The response of POST /adversarial."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from app.web.schemas import Passes, Prediction


class Norms(BaseModel):
    """How far the picture moved: pixel units from 0 to 1, over all pixels and channels."""

    linf: float = Field(description="the most that any value moved")
    l2: float
    l1: float
    l0: int = Field(description="number of pixels that changed at all")


class Change(BaseModel):
    """A probability before and after the attack."""

    before: float
    after: float


class Probabilities(BaseModel):
    """What became of the two classes that matter."""

    original: Change
    target: Change | None


class Perception(BaseModel):
    """How a person would see the change."""

    model_config = ConfigDict(from_attributes=True)
    ssim: float = Field(description="structural similarity: 1 is the same picture")
    ciede2000_mean: float = Field(description="mean difference of colour; 1 is just noticeable")
    ciede2000_p95: float = Field(description="its 95th percentile over all pixels")
    mean_levels: float = Field(description="mean absolute change of a value, in 8-bit levels")


class Transfer(BaseModel):
    """Another served model that knows the classes: its verdict on the upload and on the result."""

    model: str
    original: Prediction
    adversarial: Prediction
    fooled: bool = Field(description="it follows to the target; without one, it leaves the class that it saw as well")


class PatchResult(BaseModel):
    """The printable square of the patch attack."""

    image: str = Field(description="data URL of the square")
    success_rate: float | None = Field(
        description="share of random places, sizes and lights where it wins; null where no time was left to try"
    )


class TargetClass(BaseModel):
    """The class that an attack was to reach."""

    label: str
    index: int


class AdversarialResult(BaseModel):
    """The answer of POST /adversarial as JSON; every figure is of the returned 8-bit picture."""

    model: str
    attack: str
    norm: str
    success: bool
    original: Prediction
    adversarial: Prediction
    target: TargetClass | None
    probabilities: Probabilities
    norms: Norms
    perception: Perception
    transfer: list[Transfer]
    patch: PatchResult | None = None
    image: str = Field(description="data URL of the PNG")
    perturbation: str = Field(description="data URL: the change on grey, amplified to the full range")
    heat_map: str = Field(description="data URL: where the change is, from none (dark) to the largest")
    options: dict[str, Any]
    survive: list[str]
    passes: Passes
    stopped: bool = Field(description="the deadline passed: this is the best so far")
    seconds: float
