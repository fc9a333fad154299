"""The command `evaluate`: measures a classifier."""

from pathlib import Path
from typing import Annotated, Any

from rich.console import Console

from models.attacks.options import ATTACKS, BadAttack
from models.options import described, users_by_option
from training.cache import Cache
from training.command_line import CommandLine
from training.commands.expand import expanded
from training.commands.parse import budgets, data_path
from training.data.options import DataOptions
from training.evaluate import EvaluationOptions
from training.evaluate import evaluate as run_evaluate
from training.options import Data, Device, Renamed, Workers

ATTACKS_WITHIN_BUDGET = {name: attack for name, attack in ATTACKS.items() if "epsilon" in attack.options}
USERS = users_by_option({name: attack.options for name, attack in ATTACKS_WITHIN_BUDGET.items()})
"""For each option of these attacks, the attacks that take it: their texts are the help of the command."""


@expanded(without=("limit_bytes",))
def evaluate(
    *,
    model: Annotated[
        str,
        "The classifier: a checkpoint file, or the name under which the service serves it, such as cats-dogs or "
        "imagenet/resnet50.",
        CommandLine(positional=True),
    ],
    data: Data,
    on: Annotated[
        str,
        "Photos to measure on: train, validation or test (one split), all, or auto. auto is the test split if the data "
        "has one, or if the classifier was trained on this data; otherwise it is all photos.",
        CommandLine(old_name="--side"),
    ] = "auto",
    renamed: Renamed = {},  # noqa: B006 - it is only read
    attack: Annotated[
        str,
        f"Attack under which accuracy is measured too: one of {', '.join(ATTACKS_WITHIN_BUDGET)}; none measures only "
        "without an attack.",
    ] = "apgd",
    norm: Annotated[
        str,
        "Norm in which the perturbation is bounded, one in which the attack works: "
        + "; ".join(f"{name} {', '.join(entry.norms)}" for name, entry in ATTACKS_WITHIN_BUDGET.items())
        + ".",
    ] = "linf",
    epsilon: Annotated[
        tuple[str, ...],
        "Budget of the attack: the largest perturbation in that norm, with pixel values from 0 to 1, as a number or a "
        "fraction like 4/255. Give the option several times for several budgets. By default 1/255, 2/255, 4/255 and "
        "8/255 in linf, 0.5, 1, 2 and 4 in l2, and 10, 30, 100 and 300 in l1.",
    ] = (),
    steps: Annotated[int | None, described(USERS["steps"])] = None,
    restarts: Annotated[int, described(USERS["restarts"])] = 1,
    photos: Annotated[
        int,
        "Largest number of photos that are attacked, taken evenly from all. More photos measure more exactly, and take "
        "proportionally more time.",
        CommandLine(least=1),
    ] = 500,
    report: Annotated[Path | None, "Folder in which to write a page with plots and the worst mistakes."] = None,
    workers: Workers,
    device: Device,
    cache: Cache,
    data_options: DataOptions,
) -> None:
    """Measure a classifier: accuracy, calibration, confusions between classes, and accuracy under attack by budget."""
    console = Console()
    if attack not in (*ATTACKS_WITHIN_BUDGET, "none"):
        raise BadAttack(f"--attack must be one of {', '.join(ATTACKS_WITHIN_BUDGET)} or none, not {attack[:100]!r}")
    attack_options: dict[str, Any] = {"attack": attack, "norm": norm}
    attack_options |= {"epsilons": budgets(epsilon)} if epsilon else {}
    attack_options |= {"steps": steps} if steps is not None else {}
    attack_options |= {"restarts": restarts} if restarts != 1 else {}  # 1 is what an attack without restarts does
    options = EvaluationOptions(
        model,
        data_path(data, cache, console),
        on,
        renamed,
        data_options,
        attack={} if attack == "none" else attack_options,
        photos=photos,
        report=report,
        workers=workers,
        cache=cache,
        device=device,
    )
    run_evaluate(options, console)
