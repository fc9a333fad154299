"""The options of the attack under which commands measure accuracy: `evaluate` and `compare`."""

from dataclasses import dataclass
from typing import Annotated, Any

from models.attacks.options import ATTACKS, BadAttack
from models.options import described, users_by_option
from training.command_line import CommandLine
from training.commands.parse import budgets

ATTACKS_WITHIN_BUDGET = {name: attack for name, attack in ATTACKS.items() if "epsilon" in attack.options}
USERS = users_by_option({name: attack.options for name, attack in ATTACKS_WITHIN_BUDGET.items()})
"""For each option of these attacks, the attacks that take it: their texts are the help of the command."""


@dataclass(frozen=True, kw_only=True)
class AttackOptions:
    """Which attack is used, and on how many photos; each field is an option of the command line."""

    attack: Annotated[
        str,
        f"Attack under which accuracy is measured too: one of {', '.join(ATTACKS_WITHIN_BUDGET)}; none measures only "
        "without an attack.",
    ] = "apgd"
    norm: Annotated[
        str,
        "Norm in which the perturbation is bounded, one in which the attack works: "
        + "; ".join(f"{name} {', '.join(entry.norms)}" for name, entry in ATTACKS_WITHIN_BUDGET.items())
        + ".",
    ] = "linf"
    epsilon: Annotated[
        tuple[str, ...],
        "Budget of the attack: the largest perturbation in that norm, with pixel values from 0 to 1, as a number or a "
        "fraction like 4/255. Give the option several times for several budgets. By default 1/255, 2/255, 4/255 and "
        "8/255 in linf, 0.5, 1, 2 and 4 in l2, and 10, 30, 100 and 300 in l1.",
    ] = ()
    steps: Annotated[int | None, described(USERS["steps"])] = None
    restarts: Annotated[int, described(USERS["restarts"])] = 1
    photos: Annotated[
        int,
        "Largest number of photos that are attacked, taken evenly from all. More photos measure more exactly, and take "
        "proportionally more time.",
        CommandLine(least=1),
    ] = 500

    def arguments(self) -> dict[str, Any]:
        """The arguments of `training.robustness.robustness`; empty for no attack. Raises BadAttack and BadRecipe."""
        if self.attack == "none":
            return {}
        if self.attack not in ATTACKS_WITHIN_BUDGET:
            names = ", ".join(ATTACKS_WITHIN_BUDGET)
            raise BadAttack(f"--attack must be one of {names} or none, not {self.attack[:100]!r}")
        arguments: dict[str, Any] = {"attack": self.attack, "norm": self.norm}
        arguments |= {"epsilons": budgets(self.epsilon)} if self.epsilon else {}
        arguments |= {"steps": self.steps} if self.steps is not None else {}
        # 1 is what an attack without restarts does
        return arguments | ({"restarts": self.restarts} if self.restarts != 1 else {})
