"""Other libraries' attacks (make oracles), each as a function from a module, pictures and classes to pictures.

They are given the same steps, budgets, losses and step sizes as Mirage's. Left out is foolbox's FMN in L2, which never
projects. DeepFool of libraries that measure the distance to all classes gets only the most probable,
as many as Mirage's.
"""

import importlib
import importlib.metadata
import math
import sys
import types
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from benchmarks.attacks_subjects import Plan
from models.attacks.geometry import Norm

Run = Callable[[nn.Module, Tensor, Tensor], Tensor]
"""Module, pictures [n, 3, s, s], classes to leave or targets [n] -> pictures."""

ORDER: dict[Norm, float] = {"linf": math.inf, "l2": 2, "l1": 1, "l0": 0}
PACKAGES = {"adv_lib": "adv-lib", "foolbox": "foolbox", "torchattacks": "torchattacks"}
"""Name of the package in the package index, by name of the library's module."""


class Untargeted(ValueError):
    """An attack without a targeted form was run with a target."""


@dataclass(frozen=True)
class Oracle:
    """Another library's attack under Mirage's name for it; `variant` distinguishes several of the same name."""

    library: str
    attack: str
    norm: Norm
    run: Run
    variant: str = ""

    @property
    def name(self) -> str:
        """The attack with its variant."""
        return f"{self.attack}, {self.variant}" if self.variant else self.attack


def oracles(plan: Plan, libraries: set[str], device: torch.device) -> tuple[list[Oracle], list[str]]:
    """All attacks of the installed libraries, and one text per library: its version, or that it is missing."""
    attacks: list[Oracle] = []
    versions = []
    for library, package in PACKAGES.items():
        if library not in libraries:
            continue
        try:
            module = _import(library)
        except ImportError as error:
            versions.append(f"{library} is left out ({error}): make oracles")
            continue
        versions.append(f"{library} {importlib.metadata.version(package)}")
        attacks += {"adv_lib": _adv_lib, "foolbox": _foolbox, "torchattacks": _torchattacks}[library](
            module, plan, device
        )
    return attacks, versions


def _import(library: str) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # warnings of other libraries, which we cannot mend
        if library != "adv_lib":
            return importlib.import_module(library)
        # Its plots need a server of their own, which nothing here starts.
        stand_in = types.ModuleType("visdom")
        stand_in.Visdom = object  # type: ignore[attr-defined]
        sys.modules.setdefault("visdom", stand_in)
        return importlib.import_module("adv_lib.attacks")


class Shortlist(nn.Module):
    """The network's logits of one picture for its class and the other classes that are most probable at the start."""

    def __init__(self, network: nn.Module, start: Tensor, label: Tensor, candidates: int) -> None:
        super().__init__()
        self.network = network
        with torch.no_grad():
            logits = network(start)
        others = logits.scatter(1, label.unsqueeze(1), -torch.inf)
        likeliest = others.topk(min(candidates, logits.shape[1] - 1), dim=1).indices
        self.classes = torch.cat([label.unsqueeze(1), likeliest], dim=1)

    def forward(self, pixels: Tensor) -> Tensor:
        """The logits of the shortlist [1, k]; the picture's own class is the first."""
        logits: Tensor = self.network(pixels).gather(1, self.classes)
        return logits


class _Contiguous(torch.autograd.Function):
    """The same values; gradients come back row after row, whatever the network's own memory layout is."""

    @staticmethod
    def forward(context: Any, pixels: Tensor) -> Tensor:
        return pixels.view_as(pixels)

    @staticmethod
    def backward(context: Any, *gradients: Tensor) -> Tensor:
        return gradients[0].contiguous()


class Contiguous(nn.Module):
    """For attacks that view their gradients as vectors, which those of a channels_last network refuse."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, pixels: Tensor) -> Tensor:
        """The network's own logits."""
        logits: Tensor = self.network(_Contiguous.apply(pixels))
        return logits


def _shortlisted(run: Run, plan: Plan) -> Run:
    def one_by_one(network: nn.Module, start: Tensor, labels: Tensor) -> Tensor:
        if plan.targeted:
            raise Untargeted("knows no targets")
        results = []
        for picture, label in zip(start.split(1), labels.split(1), strict=True):
            shortlist = Shortlist(network, picture, label, plan.candidates).eval()
            results.append(run(shortlist, picture, torch.zeros_like(label)))
        return torch.cat(results)

    return one_by_one


def _adv_lib(attacks: Any, plan: Plan, device: torch.device) -> list[Oracle]:
    # One function for all: named arguments, after the module, the pictures and the labels.
    def call(name: str, *arguments: Any, **options: Any) -> Run:
        return lambda model, start, labels: getattr(attacks, name)(
            model, start, labels, *arguments, targeted=plan.targeted, **options
        )

    def deepfool(norm: Norm) -> Run:
        def run(model: nn.Module, start: Tensor, labels: Tensor) -> Tensor:
            result: Tensor = attacks.df(model, start, labels, steps=plan.steps, norm=ORDER[norm])
            return result

        return _shortlisted(run, plan)

    relative = 2.5 / plan.budget_steps
    minimal: list[tuple[str, Norm, Run, str]] = [
        ("ddn", "l2", call("ddn", steps=plan.steps, levels=None), ""),
        ("ddn", "l2", call("ddn", steps=plan.steps, levels=256), "256 levels"),
        ("deepfool", "l2", deepfool("l2"), ""),
        ("deepfool", "linf", deepfool("linf"), ""),
        *(("fmn", norm, call("fmn", norm=ORDER[norm], steps=plan.steps), "") for norm in ORDER),
        (
            "carlini_wagner",
            "l2",
            call(
                "carlini_wagner_l2",
                max_iterations=plan.search_steps,
                binary_search_steps=plan.searches,
                initial_const=plan.initial_constant,
            ),
            "",
        ),
        ("sigma_zero", "l0", call("sigma_zero", num_steps=plan.steps), ""),
    ]
    budget: list[tuple[str, Norm, Run, str]] = [
        (
            "pgd",
            "linf",
            call("pgd_linf", plan.epsilon["linf"], steps=plan.budget_steps, relative_step_size=relative),
            "",
        ),
        *(
            (
                "apgd",
                norm,
                call("apgd", epsilon, norm=ORDER[norm], n_iter=plan.budget_steps, loss_function="ce"),
                "",
            )
            for norm, epsilon in plan.epsilon.items()
        ),
    ]
    return [Oracle("adv_lib", attack, norm, run, variant) for attack, norm, run, variant in minimal + budget]


def _foolbox(foolbox: Any, plan: Plan, device: torch.device) -> list[Oracle]:
    attacks, criteria = foolbox.attacks, foolbox.criteria

    def call(attack: Any, epsilon: float | None = None, *, targets: bool = True) -> Run:
        def run(model: nn.Module, start: Tensor, labels: Tensor) -> Tensor:
            if plan.targeted and not targets:
                raise Untargeted("knows no targets")
            wrapped = foolbox.PyTorchModel(model, bounds=(0, 1), device=device)
            criterion = (criteria.TargetedMisclassification if plan.targeted else criteria.Misclassification)(labels)
            _, clipped, _ = attack(wrapped, start, criterion, epsilons=epsilon)
            result: Tensor = clipped
            return result

        return run

    step = {"steps": plan.budget_steps, "rel_stepsize": 2.5 / plan.budget_steps}
    # It counts the picture's own class among the candidates.
    nearest = {"steps": plan.steps, "candidates": plan.candidates + 1}
    searched = {
        "steps": plan.search_steps,
        "binary_search_steps": plan.searches,
        "initial_const": plan.initial_constant,
    }
    return [
        Oracle("foolbox", "pgd", "linf", call(attacks.LinfPGD(**step), plan.epsilon["linf"])),
        Oracle("foolbox", "pgd", "l2", call(attacks.L2PGD(**step), plan.epsilon["l2"])),
        Oracle("foolbox", "ddn", "l2", call(attacks.DDNAttack(steps=plan.steps))),
        Oracle("foolbox", "deepfool", "l2", call(attacks.L2DeepFoolAttack(**nearest), targets=False)),
        Oracle("foolbox", "deepfool", "linf", call(attacks.LinfDeepFoolAttack(**nearest), targets=False)),
        Oracle("foolbox", "carlini_wagner", "l2", call(attacks.L2CarliniWagnerAttack(**searched))),
        Oracle("foolbox", "fmn", "linf", call(attacks.LInfFMNAttack(steps=plan.steps))),
        Oracle("foolbox", "fmn", "l1", call(attacks.L1FMNAttack(steps=plan.steps))),
        Oracle("foolbox", "fmn", "l0", call(attacks.L0FMNAttack(steps=plan.steps))),
    ]


def _torchattacks(library: Any, plan: Plan, device: torch.device) -> list[Oracle]:
    def call(name: str, **options: Any) -> Run:
        def run(model: nn.Module, start: Tensor, labels: Tensor) -> Tensor:
            network = Contiguous(model).eval() if name == "PGDL2" else model
            attack = getattr(library, name)(network, **options)
            if plan.targeted:
                attack.set_mode_targeted_by_label(quiet=True)
            result: Tensor = attack(start, labels)
            return result

        return run

    steps, linf, l2 = plan.budget_steps, plan.epsilon["linf"], plan.epsilon["l2"]
    deepfool = _shortlisted(call("DeepFool", steps=plan.steps), plan)
    # It does not search for its constant, so it gets the steps of all searches together.
    whole = {"c": plan.initial_constant, "steps": plan.searches * plan.search_steps}
    return [
        Oracle("torchattacks", "pgd", "linf", call("PGD", eps=linf, alpha=2.5 * linf / steps, steps=steps)),
        Oracle("torchattacks", "pgd", "l2", call("PGDL2", eps=l2, alpha=2.5 * l2 / steps, steps=steps)),
        Oracle("torchattacks", "mi_fgsm", "linf", call("MIFGSM", eps=linf, alpha=linf / steps, steps=steps)),
        Oracle("torchattacks", "apgd", "linf", call("APGD", norm="Linf", eps=linf, steps=steps, loss="ce")),
        Oracle("torchattacks", "apgd", "l2", call("APGD", norm="L2", eps=l2, steps=steps, loss="ce")),
        Oracle("torchattacks", "deepfool", "l2", deepfool),
        Oracle("torchattacks", "carlini_wagner", "l2", call("CW", **whole), "one constant"),
        Oracle("torchattacks", "square", "linf", call("Square", norm="Linf", eps=linf, n_queries=plan.queries)),
        Oracle("torchattacks", "square", "l2", call("Square", norm="L2", eps=l2, n_queries=plan.queries)),
    ]
