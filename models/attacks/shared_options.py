"""Options that several attacks take with the same meaning: annotate a parameter with one of these types.

Each attack gives its own default. An option of one attack alone is described in that attack's file.
"""

from typing import Annotated, Literal

from models.attacks.geometry import Norm
from models.options import Option

DEFAULT_EPSILONS: dict[Norm, float] = {"linf": 8 / 255, "l2": 3.0, "l1": 100.0}
"""Default budget in each norm for a picture of the model's own size: hardly visible, and enough for most photos."""
EPSILON_GROWTH: dict[Norm, int] = {"linf": 0, "l2": 1, "l1": 2}
"""For a picture s times as large as the model's, the default budget is multiplied by s to this power: a perturbation
that looks the same has a norm that is larger by this factor."""

Epsilon = Annotated[
    float,
    Option(
        "Budget: the largest perturbation that the attack may make, measured in the norm, with pixel values from 0 to "
        "1; fractions such as 8/255 are allowed. It is 1/255 to 1 in linf, and 1/255 to 1e7 in l2 and l1. A larger "
        "budget makes the attack succeed more often and the perturbation more visible.",
        least=0.0,
        fraction=True,
        default_text=f"8/255 in linf; {DEFAULT_EPSILONS['l2']:g} in l2 and {DEFAULT_EPSILONS['l1']:g} in l1 for a "
        f"picture of the model's own size, and {2 * DEFAULT_EPSILONS['l2']:g} in l2 and "
        f"{4 * DEFAULT_EPSILONS['l1']:g} in l1 for a picture with sides twice as long",
    ),
]

Steps = Annotated[
    int,
    Option(
        "Number of steps; each step costs one pass of the network with gradients. More steps make the attack stronger "
        "or the perturbation smaller, and take proportionally more time.",
        least=1,
        most=1000,
    ),
]

STEP_SIZE = Option(
    "Length of each step, measured in the norm, with pixel values from 0 to 1. Longer steps reach the edge of the "
    "budget sooner; shorter steps search it more finely.",
    least=1e-6,
    most=1e6,
)
"""Describes the steps of attacks within a budget; `dataclasses.replace` gives it the text of a default."""

Seed = Annotated[
    int,
    Option(
        "Seed of the random number generator; the same seed gives the same result.",
        least=0,
        most=2**63 - 1,
    ),
]

Restarts = Annotated[
    int,
    Option(
        "Number of runs, each from another random starting point. More runs succeed more often, and take "
        "proportionally more time.",
        least=1,
        most=20,
    ),
]

Stop = Annotated[
    Literal["strongest", "first"],
    Option(
        "When the attack ends. strongest: after all its steps, with the picture of which the model is most certain. "
        "first: with the first picture that is verified to reach the goal in the file, which is sooner and succeeds as "
        "often."
    ),
]

Gamma = Annotated[
    float,
    Option(
        "Fraction by which the size that is allowed for the perturbation shrinks after a step that reached the goal, "
        "and grows after one that did not (0.05 is 5 %). Larger values adapt faster; smaller ones end closer to the "
        "smallest perturbation.",
        least=1e-4,
        most=0.5,
    ),
]
