"""The command `fit`: trains a classifier."""

from dataclasses import replace

import typer
from rich.console import Console

from training.commands.expand import expanded
from training.commands.parse import data_path
from training.fit import fit as run_fit
from training.options import FitOptions

STOPPED = "stopped; the last saved state is still there: give the same command with --resume to continue the run"


@expanded(stopped=STOPPED)
def fit(context: typer.Context, options: FitOptions) -> None:
    """Train a classifier, and write it as a checkpoint that the service can load, with a model card and a report."""
    console = Console()
    options = replace(
        options,
        data=data_path(options.data, options.cache, console),
        epochs_asked=context.params["epochs"] is not None,
    )
    run_fit(options, console)
