"""The command `check`: lists what is wrong with a data set."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from training.cache import Cache
from training.check import CheckOptions
from training.check import check as run_check
from training.commands.expand import expanded
from training.commands.parse import data_path
from training.data.options import DataOptions
from training.options import Architecture, Data, Device, Renamed, Weights, Workers


@expanded(without=("limit_bytes",))
def check(
    *,
    data: Data,
    strict: Annotated[bool, "Exit with code 1 if anything is wrong with the data."] = False,
    probe: Annotated[
        bool,
        "Also look for labels that may be wrong: a linear probe on the features of a pretrained network tells which "
        "photos look like another class.",
    ] = False,
    renamed: Renamed = {},  # noqa: B006 - it is only read
    architecture: Architecture = "mobilenet_v2",
    weights: Weights = None,
    html: Annotated[Path | None, "HTML file in which to show the findings with thumbnails."] = None,
    csv: Annotated[Path | None, "CSV file in which to write the list of all findings."] = None,
    workers: Workers,
    device: Device,
    cache: Cache,
    data_options: DataOptions,
) -> None:
    """Decode every file and list what is wrong with the data. The data itself is not changed."""
    console = Console()
    options = CheckOptions(
        data_path(data, cache, console),
        probe,
        renamed,
        data_options,
        cache.unpacked,
        architecture,
        weights,
        page=html,
        csv=csv,
        workers=workers,
        device=device,
    )
    if run_check(options, console).findings and strict:
        raise typer.Exit(1)
