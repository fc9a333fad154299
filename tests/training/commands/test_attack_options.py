from typing import Any

import pytest

from models.attacks.options import BadAttack
from training.commands.attack_options import AttackOptions
from training.recipe import BadRecipe
from training.robustness import checked_options


@pytest.mark.parametrize(
    ("options", "arguments"),
    [
        (AttackOptions(), {"attack": "apgd", "norm": "linf"}),
        (AttackOptions(attack="none", epsilon=("4/255",)), {}),
        (
            AttackOptions(attack="pgd", norm="l2", epsilon=("1/2", "3"), steps=4, restarts=2),
            {"attack": "pgd", "norm": "l2", "epsilons": (0.5, 3.0), "steps": 4, "restarts": 2},
        ),
        (AttackOptions(attack="fgsm", restarts=1), {"attack": "fgsm", "norm": "linf"}),
    ],
    ids=["default", "none", "all", "without restarts"],
)
def test_arguments_are_those_of_the_library(options: AttackOptions, arguments: dict[str, Any]) -> None:
    """An attack without restarts, such as fgsm, takes no such option, and its one run is not passed on."""
    assert options.arguments() == arguments
    if arguments:
        checked_options(**arguments)


def test_attacks_without_a_budget_and_wrong_budgets_are_refused() -> None:
    with pytest.raises(BadAttack, match=r"--attack must be one of fgsm, .* or none, not 'ddn'"):
        AttackOptions(attack="ddn").arguments()
    with pytest.raises(BadRecipe, match="--epsilon takes a number or a fraction"):
        AttackOptions(epsilon=("much",)).arguments()
