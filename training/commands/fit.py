"""The command `fit`: trains a classifier."""

from dataclasses import replace

import typer
from rich.console import Console

from training.commands.expand import expanded
from training.commands.parse import data_path
from training.console import print_line
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
    metrics = run_fit(options, console)
    if metrics is not None:
        low, high = metrics.interval
        output = options.output
        print_line(
            console,
            f"{output}: {metrics.accuracy:.2%} of {metrics.photos:,} test photos right (95 % interval {low:.2%} to "
            f"{high:.2%}), balanced accuracy {metrics.balanced_accuracy:.2%}, calibration error {metrics.ece:.4f}; "
            f"the card is {output.with_suffix('.md')}, the report {options.folder.path / 'report.html'}",
        )
