"""The options of POST /adversarial."""

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, WithJsonSchema

from app.web.fields import (
    DEADLINE,
    FILE,
    FORMAT,
    MODEL,
    ClassName,
    Deadline,
    FormatChoice,
    ModelName,
    PictureFile,
    empty_is_none,
    one_of,
)
from app.web.option_fields import method_options
from models.attacks.options import ATTACKS

AttackOptions = method_options(
    "AttackOptions", {name: attack.options for name, attack in ATTACKS.items()}, in_form=True
)


TARGET = (
    "Target class, by name or index: the model must take the changed picture for this class. Without it any class "
    "other than the original one counts as a success."
)


class AdversarialOptions(AttackOptions):  # type: ignore[misc, valid-type]
    """The picture and the options of POST /adversarial."""

    image: PictureFile = Field(description="The picture to change, as a file. Its own resolution is kept.")
    target: ClassName = Field(default=None, description=TARGET, max_length=200, examples=[""])
    attack: Annotated[Annotated[str, one_of(ATTACKS)] | None, BeforeValidator(empty_is_none)] = Field(
        default=None,
        description=f"The attack: one of {', '.join(ATTACKS)}. The default is pgd if `epsilon` has a value, otherwise "
        "auto, which combines several attacks to find the smallest perturbation. For a model that gives no gradients "
        "the default is square, and no other attack works.",
        examples=["auto"],
    )
    norm: Annotated[Literal["linf", "l2", "l1", "l0"] | None, BeforeValidator(empty_is_none)] = Field(
        default=None,
        description="Norm in which the perturbation is measured: linf (the largest change of any value), l2 (the "
        "Euclidean length), l1 (the sum of all changes) or l0 (the number of changed pixels). Each attack works in "
        "some of them, the first being its default: "
        + "; ".join(f"{name} {', '.join(attack.norms)}" for name, attack in ATTACKS.items())
        + ".",
        examples=[""],
    )
    confidence: float = Field(
        default=0.0,
        ge=0,
        le=100,
        allow_inf_nan=False,
        description="Margin in logits, from 0 to 100, by which the goal must lead (kappa of Carlini and Wagner): with "
        "a target its logit over every other, without one any other logit over that of the original class. A larger "
        "margin makes results more robust, and perturbations larger.",
    )
    survive: Annotated[str | None, BeforeValidator(empty_is_none)] = Field(
        default=None,
        max_length=200,
        description="Changes of the file that the attack must survive, at most 5, separated by commas: jpeg:Q (saved "
        "as a JPEG of quality 1 to 100) and resize:S (resized by a factor of 0.1 to 4), for example "
        "jpeg:75,resize:0.5; png or none adds no change. The file of the response itself must always fool the model, "
        "also if it is a JPEG. More changes need more time and larger perturbations.",
        examples=["png"],
    )
    mask: Annotated[bytes | None, WithJsonSchema(FILE)] = Field(
        default=None,
        description="A picture of the same width and height as `image`: only pixels where it is light "
        "(128 or more of 255, the mean of its channels) may change.",
        examples=[""],
    )
    # The type is str, because FastAPI would read the form field of a tuple as a single item of it.
    box: Annotated[str | None, BeforeValidator(empty_is_none)] = Field(
        default=None,
        max_length=100,
        description="A rectangle of the picture as left,top,width,height in pixels, for example 40,30,100,80: only "
        "pixels inside it may change. If there is a mask too, a pixel may change only where both allow it.",
        examples=[""],
    )
    deadline_s: Deadline = Field(default=None, description=DEADLINE, examples=[60])
    previews: bool = Field(
        default=False,
        description="Whether progress events contain a preview of the picture so far, and one of the perturbation so "
        "far, amplified: JPEGs whose longer sides have at most 480 pixels, at most ten times a second; only with the "
        "format events.",
    )
    model: ModelName = Field(default=None, description=MODEL, examples=[""])
    format: FormatChoice = Field(default=None, description=FORMAT, examples=[""])
