"""The command `evaluate`: measures a classifier."""

from pathlib import Path
from typing import Annotated

from rich.console import Console

from training.cache import Cache
from training.command_line import CommandLine
from training.commands.attack_options import AttackOptions
from training.commands.expand import expanded
from training.commands.parse import data_path
from training.data.options import DataOptions
from training.evaluate import EvaluationOptions
from training.evaluate import evaluate as run_evaluate
from training.options import Data, Device, Renamed, Workers


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
    attacks: AttackOptions,
    report: Annotated[Path | None, "Folder in which to write a page with plots and the worst mistakes."] = None,
    workers: Workers,
    device: Device,
    cache: Cache,
    data_options: DataOptions,
) -> None:
    """Measure a classifier: accuracy, calibration, confusions between classes, and accuracy under attack by budget."""
    console = Console()
    attack = attacks.arguments()
    options = EvaluationOptions(
        model,
        data_path(data, cache, console),
        on,
        renamed,
        data_options,
        attack=attack,
        photos=attacks.photos,
        report=report,
        workers=workers,
        cache=cache,
        device=device,
    )
    run_evaluate(options, console)
