"""The command line: `python -m training check DATA` and `python -m training fit DATA --output FILE`."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import torch
import typer
from rich.console import Console

from models.architectures import BadWeights, UnknownArchitecture
from models.checkpoint import BadCheckpoint
from models.classifier import choose_device
from models.spec import BadSpec
from models.store import WeightsUnavailable
from training.console import print_classes, print_findings, summary, tell
from training.finetune import Diverged
from training.fit import fit as run_fit
from training.parent import BadParent
from training.prepare import Job, scanned
from training.recipe import BadRecipe, Recipe
from training.runs import BadRun, write_findings
from training.sources import BadData, class_names, layout, open_source
from training.workers import default_workers

EXPECTED = (
    BadCheckpoint,
    BadData,
    BadParent,
    BadRecipe,
    BadRun,
    BadSpec,
    BadWeights,
    Diverged,
    UnknownArchitecture,
    WeightsUnavailable,
)
"""What a person can mend: told in one line, exit code 2."""

DEFAULT = Recipe()

app = typer.Typer(help=__doc__, no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)

Data = Annotated[Path, typer.Argument(help="A folder, or a zip, with one sub-folder of pictures per class.")]
Workers = Annotated[int | None, typer.Option(min=0, help="Processes that decode pictures. [default: one per core]")]


@app.command()
def check(
    data: Data,
    strict: Annotated[bool, typer.Option("--strict", help="Exit with 1 where anything is wrong.")] = False,
    csv: Annotated[Path | None, typer.Option(help="Also write the list of findings to this file.")] = None,
    workers: Workers = None,
) -> None:
    """Decode every file and list what is wrong with the data; changes nothing."""
    console = Console()
    with _told(console):
        source = open_source(data)
        found = layout(source.names)
        names = class_names(found.folders, {})
        scan = scanned(source, found, workers=default_workers() if workers is None else workers, console=console)
        print_classes(console, scan, found.folders, names)
        if scan.findings:
            print_findings(console, scan.findings)
        if csv is not None:
            write_findings(csv, scan.findings)
        tell(console, summary(scan))
        if strict and scan.findings:
            raise typer.Exit(1)


@app.command()
def fit(
    data: Data,
    output: Annotated[Path, typer.Option(help="The checkpoint to write, *.safetensors; its card is written beside.")],
    architecture: Annotated[str, typer.Option(help="One of torchvision's classifiers.")] = "mobilenet_v2",
    parent: Annotated[
        Path | None, typer.Option(help="Weights to start from, .safetensors or .pth. [default: torchvision's own]")
    ] = None,
    parent_licence: Annotated[str | None, typer.Option(help="Their licence, where the file does not say.")] = None,
    rename: Annotated[list[str] | None, typer.Option(help="FOLDER=CLASS: call a folder's class otherwise.")] = None,
    epochs: Annotated[int, typer.Option(min=0, help="Passes over the photos; 0: the head alone.")] = DEFAULT.epochs,
    batch_size: Annotated[int, typer.Option(min=1, help="Photos per step.")] = DEFAULT.batch_size,
    input_size: Annotated[int | None, typer.Option(help="Pixels. [default: that of the architecture]")] = None,
    grey: Annotated[
        bool, typer.Option("--grey", help="A network of one channel, for pictures without colours.")
    ] = False,
    head_rate: Annotated[float, typer.Option(help="Highest learning rate of the head.")] = DEFAULT.head_rate,
    trunk_rate: Annotated[float, typer.Option(help="Highest learning rate of all else.")] = DEFAULT.trunk_rate,
    seed: Annotated[int, typer.Option(help="Decides the split and all chance.")] = DEFAULT.seed,
    workers: Workers = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1, mps.")] = "auto",
    resume: Annotated[bool, typer.Option("--resume", help="Go on with a run that was stopped.")] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Start anew over an earlier run or output.")] = False,
) -> None:
    """Train a classifier and write it as a checkpoint that the service can load."""
    console = Console()
    with _told(console):
        recipe = Recipe(
            seed=seed,
            epochs=epochs,
            batch_size=batch_size,
            input_size=input_size,
            grey=grey,
            head_rate=head_rate,
            trunk_rate=trunk_rate,
        )
        job = Job(
            data=data,
            output=output,
            architecture=architecture,
            recipe=recipe,
            parent=parent,
            parent_licence=parent_licence,
            renamed=dict(_renaming(pair) for pair in rename or []),
            workers=default_workers() if workers is None else workers,
            device=_device(device),
            resume=resume,
            overwrite=overwrite,
        )
        metrics = run_fit(job, console)
        low, high = metrics.interval
        tell(
            console,
            f"{output}: {metrics.accuracy:.2%} of {metrics.photos:,} test photos right (95 % interval {low:.2%} to "
            f"{high:.2%}), calibration error {metrics.ece:.4f}; the card is {output.with_suffix('.md')}",
        )


def _device(name: str) -> torch.device:
    try:
        return choose_device(name)
    except (RuntimeError, AssertionError) as error:
        raise BadRecipe(f"the device {name!r} is not there ({str(error).splitlines()[0]})") from error


def _renaming(pair: str) -> tuple[str, str]:
    folder, _, name = pair.partition("=")
    if not folder or not name:
        raise BadData(f"--rename takes FOLDER=CLASS, not {pair!r}")
    return folder, name


@contextmanager
def _told(console: Console) -> Iterator[None]:
    """Expected errors as one line and exit code 2; Ctrl-C as a hint how to go on."""
    try:
        yield
    except (*EXPECTED, OSError) as error:
        # What a worker process raises comes with its traceback, and its own line last.
        tell(Console(stderr=True), f"error: {str(error).splitlines()[-1]}")
        raise typer.Exit(2) from error
    except KeyboardInterrupt:
        tell(console, "stopped; whole epochs are kept: give the same command with --resume to go on")
        raise typer.Exit(130) from None


if __name__ == "__main__":
    app()
