"""The attacks by name, and what may be asked of each."""

import inspect
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from models.attacks.geometry import LEVEL, NORMS, Norm, lattice_epsilon
from models.attacks.methods.apgd import LOSSES, apgd
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
from models.query import Task


class BadAttack(ValueError):
    """An attack that does not exist, or options that it cannot work with."""


@dataclass(frozen=True)
class Attack:
    """An attack, the norms that it works in (the first without a choice), and whether it looks for the smallest.

    One that does not look for it works within a budget, its option `epsilon`, or in pixels of its own choice. A
    `black_box` one asks for no gradients.
    """

    run: Callable[..., Task[Any]]
    norms: tuple[Norm, ...]
    minimal: bool = False
    takes_mask: bool = True
    black_box: bool = False

    @property
    def defaults(self) -> dict[str, Any]:
        """The attack's own options and their defaults."""
        parameters = inspect.signature(self.run).parameters.values()
        return {each.name: each.default for each in parameters if each.kind is each.KEYWORD_ONLY}


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

EPSILON: dict[Norm, float] = {"linf": 8 / 255, "l2": 3.0, "l1": 100.0}
"""Budgets without a choice, at the model's own size: visible to nobody or hardly, and enough for most photos."""
GROWTH: dict[Norm, int] = {"linf": 0, "l2": 1, "l1": 2}
"""With what power of its side a larger picture's change grows that looks the same."""

BOUNDS: dict[str, tuple[float, float]] = {
    "steps": (1, 1000),
    "restarts": (1, 20),
    "seed": (0, 2**63 - 1),
    "step_size": (1e-6, 1e6),
    "gamma": (1e-4, 0.5),
    "initial": (1e-3, 1e3),
    "candidates": (1, 1000),
    "overshoot": (0.0, 1.0),
    "searches": (1, 20),
    "initial_constant": (1e-8, 1e8),
    "sigma": (1e-6, 1.0),
    "threshold_step": (1e-4, 1.0),
    "momentum": (0.0, 10.0),
    "p": (1e-6, 1.0),
    "size": (0.05, 1.0),
    "samples": (1, 8),
}
"""Least and most of every option that is a number; whole numbers where its default is one."""

CHOICES: dict[str, tuple[str, ...]] = {"loss": tuple(LOSSES)}
"""What every option that is a name may be."""


def choose_attack(attack: str | None, given: Mapping[str, Any]) -> str:
    """The attack, or without one `auto`, which looks for the smallest change, and `pgd` for whoever names a budget."""
    return attack if attack is not None else "pgd" if "epsilon" in given else "auto"


def attack_options(
    attack: str, norm: str | None, given: Mapping[str, Any], *, scale: float = 1.0
) -> tuple[Norm, dict[str, Any]]:
    """The norm and the attack's options, defaults replaced by what was given; raises BadAttack on what is not fit.

    The default budget is that of a picture `scale` times as large as the model's.
    """
    if attack not in ATTACKS:
        raise BadAttack(f"there is no attack {attack[:100]!r}: choose one of {', '.join(ATTACKS)}")
    entry = ATTACKS[attack]
    chosen = next((each for each in NORMS if each == norm), None) if norm is not None else entry.norms[0]
    if chosen not in entry.norms:
        raise BadAttack(f"{attack} works in {', '.join(entry.norms)}, not in {str(norm)[:100]!r}")
    defaults = entry.defaults
    takes_norm = defaults.pop("norm", None) is not None
    if surplus := set(given) - set(defaults):
        told = ", ".join(sorted(surplus))[:200]
        raise BadAttack(f"{attack} takes no {told}: its options are {', '.join(defaults) or 'none'}")
    options = defaults | dict(given)
    if options.get("epsilon", 0) is None or ("epsilon" in defaults and "epsilon" not in given):
        options["epsilon"] = max(LEVEL, EPSILON[chosen] * scale ** GROWTH[chosen])
    for name, value in options.items():
        options[name] = _checked(name, value, defaults[name], chosen)
    if takes_norm:
        options["norm"] = chosen
    return chosen, options


def _checked(name: str, value: Any, default: Any, norm: Norm) -> Any:
    """The value, a whole number as a float where one is wanted."""
    if isinstance(default, bool):
        if not isinstance(value, bool):
            raise BadAttack(f"{name}: true or false, not {value!r}")
        return value
    if value is None and default is None:
        return value
    if isinstance(default, str):
        if value not in CHOICES[name]:
            raise BadAttack(f"{name}: one of {', '.join(CHOICES[name])}, not {str(value)[:100]!r}")
        return value
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not abs(value) < math.inf:
        raise BadAttack(f"{name}: a finite number, not {str(value)[:100]}")
    if name == "epsilon":
        return _checked_epsilon(value, norm)
    least, most = BOUNDS[name]
    whole = isinstance(default, int)
    if (whole and not isinstance(value, int)) or not least <= value <= most:
        kind = "a whole number" if whole else "a number"
        raise BadAttack(f"{name}: {kind} from {least:g} to {most:g}, not {str(value)[:100]}")
    return value if whole else float(value)


def _checked_epsilon(epsilon: float | int, norm: Norm) -> float:
    told = str(epsilon)[:100]
    if norm == "linf" and not (0 < epsilon <= 1 and lattice_epsilon(float(epsilon)) >= LEVEL):
        raise BadAttack(f"epsilon is from 1/255 (one level of an 8-bit picture) to 1, not {told}")
    if norm != "linf" and not LEVEL <= epsilon <= 1e7:
        raise BadAttack(f"epsilon is from 1/255 (one value moved by one level) to 1e7 in {norm}, not {told}")
    return float(epsilon)
