"""The command `compare`: measures two classifiers on the same photos."""

from pathlib import Path
from typing import Annotated

from rich.console import Console

from training.cache import Cache
from training.command_line import CommandLine
from training.commands.attack_options import AttackOptions
from training.commands.expand import expanded
from training.commands.parse import data_path
from training.compare import ComparisonOptions
from training.compare import compare as run_compare
from training.data.options import DataOptions
from training.options import Data, Device, Renamed, Workers


@expanded(without=("limit_bytes",))
def compare(
    *,
    first: Annotated[
        str,
        "The first classifier: a checkpoint file, or the name under which the service serves it, such as cats-dogs or "
        "imagenet/resnet50.",
        CommandLine(positional=True),
    ],
    second: Annotated[str, "The second classifier, named in the same way.", CommandLine(positional=True)],
    data: Data,
    on: Annotated[
        str,
        "Photos to measure on: train, validation or test (one split), all, or auto. auto is the test split if the data "
        "has one, or if one of the classifiers was trained on this data; otherwise it is all photos.",
    ] = "auto",
    renamed: Renamed = {},  # noqa: B006 - it is only read
    attacks: AttackOptions,
    report: Annotated[
        Path | None,
        "Folder in which to write a page with plots and the photos that the classifiers classify differently.",
    ] = None,
    workers: Workers,
    device: Device,
    cache: Cache,
    data_options: DataOptions,
) -> None:
    """Compare two classifiers on the same photos: accuracy, calibration, accuracy under attack, transfer of attacks."""
    console = Console()
    attack = attacks.arguments()
    options = ComparisonOptions(
        first,
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
        other=second,
    )
    run_compare(options, console)
