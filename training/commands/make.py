"""Commands that train: fit, find-lr."""

from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.console import Console

from models.files import write_atomically
from training.cache import DEFAULT_BYTES, DEFAULT_FOLDER, Cache
from training.commands import shared
from training.commands.data_options import with_data_options
from training.commands.recipe_options import with_recipe
from training.console import print_line
from training.data.options import DataOptions
from training.find_lr import find_lr as run_find_lr
from training.fit import fit as run_fit
from training.prepare import FitOptions
from training.recipe import Recipe
from training.report import plots

STOPPED = "stopped; the state that was saved last is kept: give the same command with --resume to go on"


@with_recipe()
@with_data_options
def fit(
    context: typer.Context,
    data: shared.Data,
    output: Annotated[Path, typer.Option(help="The checkpoint to write, *.safetensors; its card is written beside.")],
    recipe: Recipe,
    data_options: DataOptions,
    architecture: shared.Architecture = "mobilenet_v2",
    weights: shared.WeightsFile = None,
    weights_licence: Annotated[str | None, typer.Option(help="Their licence, where the file does not say.")] = None,
    rename: shared.Rename = None,
    phase: Annotated[Literal["all", "probe"], typer.Option(help="probe: stop after the head.")] = "all",
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with a run that was stopped, or with more --epochs.")
    ] = False,
    finish: Annotated[bool, typer.Option("--finish", help="With --resume: take the best so far and stop.")] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Start anew over an earlier run or output.")] = False,
    save_every: Annotated[float, typer.Option(min=0, help="Seconds after which the state is saved.")] = 60.0,
    robustness_photos: Annotated[int, typer.Option(min=0, help="Test photos that are attacked at the end.")] = 100,
    tensorboard: Annotated[bool, typer.Option("--tensorboard", help="Also log for TensorBoard.")] = False,
    workers: shared.Workers = None,
    device: shared.Device = "auto",
    cache: shared.CacheFolder = DEFAULT_FOLDER,
    cache_bytes: shared.CacheBytes = DEFAULT_BYTES,
    runs: Annotated[Path, typer.Option(help="Where the run's folder is made, called as the output.")] = Path("runs"),
) -> None:
    """Train a classifier and write it as a checkpoint that the service can load."""
    console = Console()
    with shared.told_errors(console, STOPPED):
        job = FitOptions(
            data=shared.data_at(data, cache, console),
            output=output,
            architecture=architecture,
            recipe=recipe,
            weights=weights,
            weights_licence=weights_licence,
            renamed=shared.renaming(rename),
            data_options=data_options,
            workers=shared.worker_count(workers),
            device=shared.device_named(device),
            phase=phase,
            resume=resume,
            epochs_asked=context.params["epochs"] is not None,
            finish=finish,
            overwrite=overwrite,
            save_every_s=save_every,
            robustness_photos=robustness_photos,
            tensorboard=tensorboard,
            runs=runs,
            cache=Cache(cache.expanduser(), cache_bytes),
        )
        metrics = run_fit(job, console)
        if metrics is not None:
            low, high = metrics.interval
            print_line(
                console,
                f"{output}: {metrics.accuracy:.2%} of {metrics.photos:,} test photos right (95 % interval {low:.2%} to "
                f"{high:.2%}), balanced accuracy {metrics.balanced_accuracy:.2%}, "
                f"calibration error {metrics.ece:.4f}; the card is {output.with_suffix('.md')}, "
                f"the report {job.folder.path / 'report.html'}",
            )


@with_recipe(
    without=("epochs", "full_size_epochs", "patience", "schedule", "warm_up", "average_window", "epsilon_warm_up")
)
@with_data_options
def find_lr(
    data: shared.Data,
    recipe: Recipe,
    data_options: DataOptions,
    architecture: shared.Architecture = "mobilenet_v2",
    weights: shared.WeightsFile = None,
    rename: shared.Rename = None,
    steps: Annotated[int, typer.Option(min=2, help="Rates that are tried.")] = 100,
    plot: Annotated[Path | None, typer.Option(help="Draw loss against rate to this PNG file.")] = None,
    workers: shared.Workers = None,
    device: shared.Device = "auto",
    cache: shared.CacheFolder = DEFAULT_FOLDER,
    cache_bytes: shared.CacheBytes = DEFAULT_BYTES,
) -> None:
    """Suggest a learning rate: the rate grows from step to step until the loss does."""
    console = Console()
    with shared.told_errors(console):
        path = shared.data_at(data, cache, console)
        job = FitOptions(
            path,
            Path("find-lr.safetensors"),
            architecture,
            recipe,
            weights,
            renamed=shared.renaming(rename),
            data_options=data_options,
            workers=shared.worker_count(workers),
            device=shared.device_named(device),
            cache=Cache(cache.expanduser(), cache_bytes),
        )
        found = run_find_lr(job, console, steps)
        if plot is not None:
            write_atomically(plot, plots.rates(found.rates, found.losses, found.suggestion))
        head = found.suggestion * recipe.head_rate / recipe.backbone_rate
        print_line(console, f"--backbone-rate {found.suggestion:.1e} --head-rate {head:.1e}")
