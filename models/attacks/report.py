"""The task behind /adversarial: attack one picture and tell exactly what came of it."""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import UInt8
from torch import Tensor

from models.attacks.fgsm import fgsm
from models.attacks.geometry import LEVEL, lattice_epsilon, norms
from models.attacks.goal import Best, Goal
from models.attacks.pgd import pgd
from models.classify import Prediction, rank
from models.preprocessing import preprocessor, to_float, to_levels
from models.query import DeadlineExceeded, Passes, Query, Task
from models.spec import Spec

ATTACKS: dict[str, Callable[..., Task[None]]] = {"fgsm": fgsm, "pgd": pgd}


class BadAttack(ValueError):
    """An attack that does not exist, or options that it cannot work with."""


class AlreadyTarget(ValueError):
    """The model takes the picture for the target as it is."""


@dataclass(frozen=True)
class Adversarial:
    """What an attack on one picture came to; every figure is of the 8-bit picture.

    `target` is None where any other class would do; `norms` are in pixel units (linf, l2, l1) and pixels (l0).
    """

    attack: str
    success: bool
    original: Prediction
    adversarial: Prediction
    target: Prediction | None
    norms: Mapping[str, float]
    origin: UInt8[Tensor, "3 h w"]
    picture: UInt8[Tensor, "3 h w"]
    options: Mapping[str, Any]
    passes: Passes
    stopped: bool

    @property
    def perturbation(self) -> UInt8[Tensor, "3 h w"]:
        """The change, centred on grey and amplified so that its largest value spans the range."""
        change = to_float(self.picture) - to_float(self.origin)
        return to_levels(0.5 + change / (2 * max(change.abs().max().item(), LEVEL)))


def attack_options(attack: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """The attack's options, its defaults replaced by what was given; raises BadAttack on any that it does not take."""
    if attack not in ATTACKS:
        raise BadAttack(f"there is no attack {attack[:100]!r}: choose one of {', '.join(ATTACKS)}")
    parameters = inspect.signature(ATTACKS[attack]).parameters.values()
    defaults = {each.name: each.default for each in parameters if each.kind is each.KEYWORD_ONLY}
    if surplus := set(given) - set(defaults):
        raise BadAttack(f"{attack} takes no {', '.join(sorted(surplus))}: its options are {', '.join(defaults)}")
    options = defaults | dict(given)
    if not (0 < options["epsilon"] <= 1 and lattice_epsilon(options["epsilon"]) >= LEVEL):
        raise BadAttack(f"epsilon is from 1/255 (one level of an 8-bit picture) to 1, not {options['epsilon']}")
    for name, least, most in (("steps", 1, 1000), ("seed", 0, 2**63 - 1)):
        value = options.get(name, least)
        if not isinstance(value, int) or not least <= value <= most:
            raise BadAttack(f"{name}: a whole number from {least} to {most}, not {value}")
    return options


def adversarial(
    picture: UInt8[Tensor, "3 h w"],
    spec: Spec,
    *,
    target: int | None = None,
    attack: str = "pgd",
    best_at_deadline: bool = False,
    **given: Any,
) -> Task[Adversarial]:
    """Attack a picture of any size at its own resolution, on the 8-bit lattice.

    The class to leave is what the model says of the original. `given` are the attack's own options. With
    `best_at_deadline` a task whose time is up returns its best so far, `stopped` set.
    Raises BadAttack, AlreadyTarget.
    """
    options = attack_options(attack, given)
    start, preprocess, passes = to_float(picture).unsqueeze(0), preprocessor(spec), Passes()
    seen = yield from passes.ask(Query(preprocess(start)))
    present = seen.logits.argmax(dim=1)
    if target is not None and target == present.item():
        raise AlreadyTarget(f"the model takes the picture for {spec.classes[target]!r} as it is: choose another target")
    labels = present if target is None else torch.full_like(present, target)
    goal = Goal(labels, target is not None, preprocess, passes)
    best = Best(goal.judge(start, seen.logits))
    stopped = False
    try:
        yield from ATTACKS[attack](start, goal, best, **options | {"epsilon": lattice_epsilon(options["epsilon"])})
    except DeadlineExceeded:
        if not best_at_deadline:
            raise
        stopped = True
    result = to_levels(best.pictures[0])
    return Adversarial(
        attack=attack,
        success=bool(best.won),
        original=rank(seen.logits[0], spec, top=1)[0],
        adversarial=rank(best.logits[0], spec, top=1)[0],
        target=None if target is None else _prediction(best.logits[0], spec, target),
        norms=norms(result, picture),
        origin=picture,
        picture=result,
        options={**options, "norm": "linf"},
        passes=passes,
        stopped=stopped,
    )


def _prediction(logits: Tensor, spec: Spec, index: int) -> Prediction:
    return Prediction(spec.classes[index], index, logits.softmax(dim=0)[index].item())
