"""The attacks by name, with the norms and the options of each, and the checks of a request's choices."""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from models.attacks.geometry import LEVEL, NORMS, Norm, lattice_epsilon
from models.attacks.methods.apgd import apgd
from models.attacks.methods.auto import auto
from models.attacks.methods.bim import bim
from models.attacks.methods.carlini_wagner import carlini_wagner
from models.attacks.methods.ddn import ddn
from models.attacks.methods.deepfool import deepfool
from models.attacks.methods.fgsm import fgsm
from models.attacks.methods.fmn import fmn
from models.attacks.methods.mi_fgsm import mi_fgsm
from models.attacks.methods.patch import patch
from models.attacks.methods.pgd import pgd
from models.attacks.methods.sigma_zero import sigma_zero
from models.attacks.methods.square import square
from models.attacks.shared_options import DEFAULT_EPSILONS, EPSILON_GROWTH
from models.options import BadOption, Option, complete_options, options_of
from models.query import Task
from models.spec import NO_GRADIENTS


class BadAttack(BadOption):
    """An attack that does not exist, or an option or a norm that it does not take."""


@dataclass(frozen=True)
class Attack:
    """An attack: its function, the norms in which it works (the first is the default), and how it works.

    A `minimal` attack looks for the smallest perturbation. Any other one works within a budget, its option `epsilon`,
    or on pixels of its own choice. A `black_box` attack asks for no gradients. Options are the parameters of the
    function that are annotated with a models.options.Option.
    """

    run: Callable[..., Task[Any]]
    norms: tuple[Norm, ...]
    minimal: bool = False
    takes_mask: bool = True
    black_box: bool = False

    @property
    def options(self) -> Mapping[str, Option]:
        """The attack's options by name."""
        return options_of(self.run)

    @cached_property
    def defaults(self) -> Mapping[str, Any]:
        """The default of every option, and of `norm` where the function takes it."""
        parameters = inspect.signature(self.run).parameters.values()
        return {
            parameter.name: parameter.default for parameter in parameters if parameter.kind is parameter.KEYWORD_ONLY
        }


ATTACKS: dict[str, Attack] = {
    "auto": Attack(auto, ("l2", "linf", "l1", "l0"), minimal=True),
    "fgsm": Attack(fgsm, ("linf",)),
    "bim": Attack(bim, ("linf",)),
    "mi_fgsm": Attack(mi_fgsm, ("linf",)),
    "pgd": Attack(pgd, ("linf", "l2", "l1")),
    "apgd": Attack(apgd, ("linf", "l2", "l1")),
    "square": Attack(square, ("linf", "l2"), black_box=True),
    "ddn": Attack(ddn, ("l2",), minimal=True),
    "deepfool": Attack(deepfool, ("l2", "linf"), minimal=True),
    "fmn": Attack(fmn, ("l2", "linf", "l1", "l0"), minimal=True),
    "carlini_wagner": Attack(carlini_wagner, ("l2",), minimal=True),
    "sigma_zero": Attack(sigma_zero, ("l0",), minimal=True),
    "patch": Attack(patch, ("l0",), takes_mask=False),
}
"""The attacks by name, each with its norms, the default one first."""


def choose_attack(attack: str | None, options: Mapping[str, Any], *, differentiable: bool = True) -> str:
    """The name of the attack: the given one, or by default pgd if the options have a budget (epsilon), otherwise auto.

    auto looks for the smallest perturbation. For a network that is not `differentiable` the default is square. Raises
    BadAttack if the attack needs gradients and there are none.
    """
    if differentiable:
        return attack if attack is not None else "pgd" if "epsilon" in options else "auto"
    if attack in ATTACKS and not ATTACKS[attack].black_box:
        raise BadAttack(NO_GRADIENTS.format(what=f"{attack} needs them"))
    return attack or "square"


def attack_options(
    attack: str, norm: str | None, values: Mapping[str, Any], *, scale: float = 1.0
) -> tuple[Norm, dict[str, Any]]:
    """The norm, and every option of the attack with its value: from `values`, or its default.

    The default budget is that of the norm for a picture `scale` times as large as the model's; None for `epsilon` means
    the default too. Raises BadAttack.
    """
    if attack not in ATTACKS:
        raise BadAttack(f"there is no attack {attack[:100]!r}: choose one of {', '.join(ATTACKS)}")
    entry = ATTACKS[attack]
    chosen = next((name for name in NORMS if name == norm), None) if norm is not None else entry.norms[0]
    if chosen not in entry.norms:
        norms = ", ".join(entry.norms)
        raise BadAttack(f"{attack} works in {norms}, not in {str(norm)[:100]!r}: choose another norm or attack")
    values = {name: value for name, value in values.items() if (name, value) != ("epsilon", None)}
    others = {name: other.options for name, other in ATTACKS.items()}
    options = complete_options(attack, entry.options, values, BadAttack, others=others)
    if "epsilon" in values:
        _check_epsilon(options["epsilon"], chosen)
    elif "epsilon" in options:
        options["epsilon"] = max(LEVEL, DEFAULT_EPSILONS[chosen] * scale ** EPSILON_GROWTH[chosen])
    if "norm" in entry.defaults:
        options["norm"] = chosen
    return chosen, options


def _check_epsilon(epsilon: float, norm: Norm) -> None:
    if norm == "linf" and not (epsilon <= 1 and lattice_epsilon(epsilon) >= LEVEL):
        raise BadAttack(f"epsilon must be from 1/255 (one level of an 8-bit picture) to 1 in linf, not {epsilon:g}")
    if norm != "linf" and not LEVEL <= epsilon <= 1e7:
        raise BadAttack(
            f"epsilon must be from 1/255 (one value changed by one level) to 1e7 in {norm}, not {epsilon:g}"
        )
