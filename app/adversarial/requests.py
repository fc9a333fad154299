"""The options of POST /adversarial."""

from collections import defaultdict
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, WithJsonSchema, create_model

from app.web.fields import (
    FILE,
    FORMAT,
    MAX_SEED,
    MODEL,
    PREVIEWS,
    FormatChoice,
    ModelName,
    Options,
    PictureFile,
    empty_is_none,
    one_of,
    parse_fraction,
)
from models.attacks.options import ATTACKS, BOUNDS, CHOICES

EPSILON = "the budget of an attack within one, in the norm's unit (pixels count from 0 to 1; `8/255` works)"


BUDGETS = (
    "without it 8/255 in linf; in l2 3 and in l1 100 for a picture as large as the model's, and for one twice as large "
    "across 6 and 400"
)


MEANINGS = {
    "steps": "steps of an iterated attack; of `square`, its queries",
    "seed": "what all that is random comes from",
    "restarts": "how often to begin anew, at another random point",
    "random_start": "begin at a random point of the ball, not at the picture itself",
    "step_size": "length of a step: bim and pgd, in the norm's unit; fmn, in L2 at the model's size; others, Adam's",
    "loss": "what is minimised",
    "candidates": "how many other classes to consider",
}


def _attack_options() -> dict[str, Any]:
    """Every option of every attack as an optional form field, with its bounds, and each attack's own default."""
    uses: dict[str, dict[str, Any]] = defaultdict(dict)
    for attack, entry in ATTACKS.items():
        for name, default in entry.defaults.items():
            if name != "norm":
                uses[name][attack] = default
    return {name: _field(name, defaults) for name, defaults in uses.items()}


def _field(name: str, defaults: dict[str, Any]) -> Any:
    example = next((default for default in defaults.values() if default is not None), None)
    kind: Any = float if example is None else type(example)
    told = ", ".join(f"{attack} {_shown(default)}" for attack, default in defaults.items())
    # Empty, or Swagger UI fills in a number of its own.
    extra: dict[str, Any] = {
        "examples": [""],
        "description": f"{MEANINGS.get(name, name.replace('_', ' '))}. Without it: {told}",
    }
    if name == "epsilon":
        kind = Annotated[float, BeforeValidator(parse_fraction)]
        extra |= {"gt": 0, "allow_inf_nan": False, "description": f"{EPSILON}; {BUDGETS}"}
    elif name in CHOICES:
        kind = Annotated[str, one_of(CHOICES[name])]
    elif kind in (int, float):
        least, most = BOUNDS[name]
        extra |= {"ge": least, "le": min(most, MAX_SEED)} | ({"allow_inf_nan": False} if kind is float else {})
    return (Annotated[kind | None, BeforeValidator(empty_is_none)], Field(default=None, **extra))


def _shown(default: Any) -> str:
    return "its own choice" if default is None else f"{default:g}" if isinstance(default, float) else str(default)


AttackOptions = create_model("AttackOptions", __base__=Options, **_attack_options())


OPTION_NAMES = frozenset(AttackOptions.model_fields)


ClassToReach = Annotated[str | None, BeforeValidator(empty_is_none)]


TARGET = "the class to be taken for, by name or index; empty: any other"


Deadline = Annotated[float | None, BeforeValidator(empty_is_none)]


class AdversarialOptions(AttackOptions):  # type: ignore[misc, valid-type]
    """Fields of POST /adversarial."""

    image: PictureFile = Field(description="the picture to change")
    target: ClassToReach = Field(default=None, description=TARGET, max_length=200, examples=[""])
    attack: Annotated[Annotated[str, one_of(ATTACKS)] | None, BeforeValidator(empty_is_none)] = Field(
        default=None,
        description=f"one of {', '.join(ATTACKS)}; without it auto, or pgd where an epsilon is given",
        examples=["auto"],
    )
    norm: Annotated[Literal["linf", "l2", "l1", "l0"] | None, BeforeValidator(empty_is_none)] = Field(
        default=None,
        description="how the change is measured: linf (the most that any value moves), l2, l1, or l0 (changed pixels); "
        "the attack's first without it: "
        + ", ".join(f"{name} {'|'.join(attack.norms)}" for name, attack in ATTACKS.items()),
        examples=[""],
    )
    confidence: float = Field(
        default=0.0, ge=0, le=100, allow_inf_nan=False, description="by how many logits the goal must lead (kappa)"
    )
    survive: Annotated[str | None, BeforeValidator(empty_is_none)] = Field(
        default=None,
        max_length=200,
        description="what the file must outlive: png, jpeg:QUALITY, resize:FACTOR, several with commas; without "
        "it png, and for an answer as image/jpeg that very file",
        examples=["png"],
    )
    mask: Annotated[bytes | None, WithJsonSchema(FILE)] = Field(
        default=None,
        description="a picture of the upload's size: only where it is light may pixels change",
        examples=[""],
    )
    # A text: where a field is a tuple, FastAPI takes a form's field for one of its items.
    box: Annotated[str | None, BeforeValidator(empty_is_none)] = Field(
        default=None,
        max_length=100,
        description="left,top,width,height in pixels: only inside may pixels change",
        examples=[""],
    )
    deadline_s: Deadline = Field(
        default=None,
        gt=0,
        le=86_400,
        allow_inf_nan=False,
        description="after so many seconds, answer with the best so far (the first look at the picture must be over)",
        examples=[60],
    )
    previews: bool = Field(default=False, description=PREVIEWS)
    model: ModelName = Field(default=None, description=MODEL, examples=[""])
    format: FormatChoice = Field(default=None, description=FORMAT)
