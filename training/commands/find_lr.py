"""The command `find-lr`: suggests a learning rate."""

from dataclasses import replace
from pathlib import Path
from typing import Annotated

from rich.console import Console

from models.files import write_atomically
from training.command_line import CommandLine
from training.commands.expand import expanded
from training.commands.parse import data_path
from training.console import print_line
from training.find_lr import find_lr as run_find_lr
from training.options import TrainingOptions
from training.report import plots

WITHOUT = ("epochs", "full_size_epochs", "patience", "schedule", "warm_up", "average_window", "epsilon_warm_up")
"""Settings of a recipe that change nothing in a learning rate range test."""


@expanded(without=WITHOUT)
def find_lr(
    options: TrainingOptions,
    steps: Annotated[
        int,
        "Number of training steps, each at a higher learning rate than the one before. More steps measure more finely, "
        "and take proportionally more time.",
        CommandLine(least=2),
    ] = 100,
    plot: Annotated[Path | None, "PNG file in which to draw the loss at each learning rate."] = None,
) -> None:
    """Suggest learning rates: train for some steps at ever higher rates, until the loss grows. Writes no checkpoint."""
    console = Console()
    options = replace(options, data=data_path(options.data, options.cache, console))
    result = run_find_lr(options, console, steps)
    if plot is not None:
        write_atomically(plot, plots.rates(result.rates, result.losses, result.suggestion))
    head = result.suggestion * options.recipe.head_rate / options.recipe.backbone_rate
    print_line(console, f"--backbone-rate {result.suggestion:.1e} --head-rate {head:.1e}")
