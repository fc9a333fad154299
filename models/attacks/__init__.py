"""Adversarial examples: attacks, and `fool`, which runs one on a picture at the picture's own resolution."""

from models.attacks.curves.curve import Curve, curve
from models.attacks.library import Summary, fool, fool_all, summary
from models.attacks.options import ATTACKS, BadAttack
from models.attacks.survive import BadSurvival
from models.attacks.targets import NearClasses, suggest_targets
from models.attacks.task import Adversarial, AlreadyTarget, adversarial

__all__ = [
    "ATTACKS",
    "Adversarial",
    "AlreadyTarget",
    "BadAttack",
    "BadSurvival",
    "Curve",
    "NearClasses",
    "Summary",
    "adversarial",
    "curve",
    "fool",
    "fool_all",
    "suggest_targets",
    "summary",
]
