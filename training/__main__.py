"""The command line: python -m training check | fit | evaluate | find-lr | export."""

from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import Annotated, Literal

import torch
import typer
from rich.console import Console

from models.architectures import BadWeights, UnknownArchitecture
from models.attacks.options import BadAttack
from models.checkpoint import BadCheckpoint
from models.classifier import choose_device
from models.files import write_atomically
from models.spec import BadSpec
from models.store import UnknownModel, WeightsUnavailable
from training.cache import DEFAULT_BYTES, DEFAULT_FOLDER, Cache
from training.check import Inspection
from training.check import check as run_check
from training.console import tell
from training.data.sources import BadData
from training.data.workers import default_workers
from training.evaluate import Question, load_model, told
from training.evaluate import evaluate as run_evaluate
from training.export import NoExport
from training.export import export as run_export
from training.find_lr import find_lr as run_find_lr
from training.fit import fit as run_fit
from training.learner import Diverged
from training.loggers import NoLogger
from training.named import DATA_SETS, find_data
from training.options import with_recipe
from training.parent import BadParent
from training.prepare import Job
from training.recipe import BadRecipe, Recipe
from training.report import plots
from training.robustness import EPSILONS
from training.runs import BadRun
from training.team import NoTeam

EXPECTED = (
    BadCheckpoint,
    BadData,
    BadParent,
    BadRecipe,
    BadRun,
    BadSpec,
    BadWeights,
    Diverged,
    NoExport,
    NoLogger,
    NoTeam,
    BadAttack,
    UnknownModel,
    UnknownArchitecture,
    WeightsUnavailable,
)
"""What a person can mend: told in one line, exit code 2."""

DATA_FOLDER = "data"
"""Of the cache's folder, where data sets by name are put."""

app = typer.Typer(help=__doc__, no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)

Data = Annotated[
    str,
    typer.Argument(
        help="A folder, or a zip, with one sub-folder of pictures per class (below train/, val/, test/ where it is "
        f"split), or a data set by name: {', '.join(DATA_SETS)}."
    ),
]
Architecture = Annotated[str, typer.Option(help="One of torchvision's classifiers.")]
ParentFile = Annotated[
    Path | None, typer.Option(help="Weights to start from, .safetensors or .pth. [default: torchvision's own]")
]
Rename = Annotated[list[str] | None, typer.Option(help="FOLDER=CLASS: call a folder's class otherwise.")]
CacheFolder = Annotated[Path, typer.Option(help="Where runs share decoded photos and features.")]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1, mps.")]
Workers = Annotated[int | None, typer.Option(min=0, help="Processes that decode pictures. [default: one per core]")]


@app.command()
def check(
    data: Data,
    strict: Annotated[bool, typer.Option("--strict", help="Exit with 1 where anything is wrong.")] = False,
    probe: Annotated[bool, typer.Option("--probe", help="Also look for labels in doubt, by a network.")] = False,
    architecture: Architecture = "mobilenet_v2",
    parent: ParentFile = None,
    html: Annotated[Path | None, typer.Option(help="Also write a page with thumbnails to this file.")] = None,
    csv: Annotated[Path | None, typer.Option(help="Also write the list of findings to this file.")] = None,
    workers: Workers = None,
    device: Device = "auto",
    cache: CacheFolder = DEFAULT_FOLDER,
) -> None:
    """Decode every file and list what is wrong with the data; changes nothing."""
    console = Console()
    with _told(console):
        path = find_data(data, cache.expanduser() / DATA_FOLDER, console)
        inspection = Inspection(
            path, probe, architecture, parent, page=html, csv=csv, workers=_count(workers), device=_device(device)
        )
        if run_check(inspection, console).findings and strict:
            raise typer.Exit(1)


@app.command()
@with_recipe
def fit(
    data: Data,
    output: Annotated[Path, typer.Option(help="The checkpoint to write, *.safetensors; its card is written beside.")],
    recipe: Recipe,
    architecture: Architecture = "mobilenet_v2",
    parent: ParentFile = None,
    parent_licence: Annotated[str | None, typer.Option(help="Their licence, where the file does not say.")] = None,
    rename: Rename = None,
    phase: Annotated[Literal["all", "probe"], typer.Option(help="probe: stop after the head.")] = "all",
    resume: Annotated[bool, typer.Option("--resume", help="Go on with a run that was stopped.")] = False,
    finish: Annotated[bool, typer.Option("--finish", help="With --resume: take the best so far and stop.")] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Start anew over an earlier run or output.")] = False,
    save_every: Annotated[float, typer.Option(min=0, help="Seconds after which the state is saved.")] = 60.0,
    robustness_photos: Annotated[int, typer.Option(min=0, help="Test photos that are attacked at the end.")] = 100,
    tensorboard: Annotated[bool, typer.Option("--tensorboard", help="Also log for TensorBoard.")] = False,
    workers: Workers = None,
    device: Device = "auto",
    cache: CacheFolder = DEFAULT_FOLDER,
    cache_bytes: Annotated[int, typer.Option(min=0, help="How much is kept there at most.")] = DEFAULT_BYTES,
) -> None:
    """Train a classifier and write it as a checkpoint that the service can load."""
    console = Console()
    with _told(console):
        job = Job(
            data=find_data(data, cache.expanduser() / DATA_FOLDER, console),
            output=output,
            architecture=architecture,
            recipe=recipe,
            parent=parent,
            parent_licence=parent_licence,
            renamed=_renaming(rename),
            workers=_count(workers),
            device=_device(device),
            phase=phase,
            resume=resume,
            finish=finish,
            overwrite=overwrite,
            save_every_s=save_every,
            robustness_photos=robustness_photos,
            tensorboard=tensorboard,
            cache=Cache(cache.expanduser(), cache_bytes),
        )
        metrics = run_fit(job, console)
        if metrics is not None:
            low, high = metrics.interval
            tell(
                console,
                f"{output}: {metrics.accuracy:.2%} of {metrics.photos:,} test photos right (95 % interval {low:.2%} to "
                f"{high:.2%}), calibration error {metrics.ece:.4f}; the card is {output.with_suffix('.md')}, "
                f"the report {job.folder.path / 'report.html'}",
            )


@app.command()
def evaluate(
    model: Annotated[str, typer.Argument(help="A checkpoint's file, or a served name: cats-dogs, imagenet/resnet50.")],
    data: Data,
    side: Annotated[
        str,
        typer.Option(
            help="all, train, validation, test; auto: test where there is one or the model was trained on it."
        ),
    ] = "auto",
    rename: Rename = None,
    attack: Annotated[
        str, typer.Option(help="One of the service's attacks with a budget; none: leave it out.")
    ] = "apgd",
    norm: Annotated[str, typer.Option(help="linf, l2, l1.")] = "linf",
    epsilon: Annotated[
        list[str] | None, typer.Option(help="Budgets, like 4/255. [default: 1/255 2/255 4/255 8/255]")
    ] = None,
    steps: Annotated[int, typer.Option(min=1, help="Of the attack.")] = 100,
    restarts: Annotated[int, typer.Option(min=1, help="Of the attack, from other random points.")] = 1,
    photos: Annotated[int, typer.Option(min=0, help="How many are attacked, spread over all; 0: all.")] = 500,
    report: Annotated[Path | None, typer.Option(help="Folder for a page with plots and the worst mistakes.")] = None,
    workers: Workers = None,
    device: Device = "auto",
    cache: CacheFolder = DEFAULT_FOLDER,
) -> None:
    """Measure a classifier: accuracy, calibration, confusion, and accuracy under attack by budget."""
    console = Console()
    with _told(console):
        asked = {"attack": attack, "norm": norm, "epsilons": _budgets(epsilon), "steps": steps}
        question = Question(
            model,
            find_data(data, cache.expanduser() / DATA_FOLDER, console),
            side,
            _renaming(rename),
            attack={} if attack == "none" else asked | ({"restarts": restarts} if restarts > 1 else {}),
            photos=photos,
            report=report,
            workers=_count(workers),
            device=_device(device),
        )
        tell(console, told(*run_evaluate(question, console)))


@app.command("find-lr")
@with_recipe
def find_lr(
    data: Data,
    recipe: Recipe,
    architecture: Architecture = "mobilenet_v2",
    parent: ParentFile = None,
    steps: Annotated[int, typer.Option(min=2, help="Rates that are tried.")] = 100,
    plot: Annotated[Path | None, typer.Option(help="Draw loss against rate to this PNG file.")] = None,
    workers: Workers = None,
    device: Device = "auto",
    cache: CacheFolder = DEFAULT_FOLDER,
) -> None:
    """Suggest a learning rate: the rate grows from step to step until the loss does."""
    console = Console()
    with _told(console):
        path = find_data(data, cache.expanduser() / DATA_FOLDER, console)
        job = Job(
            path,
            Path("find-lr.safetensors"),
            architecture,
            recipe,
            parent,
            workers=_count(workers),
            device=_device(device),
            cache=Cache(cache.expanduser()),
        )
        found = run_find_lr(job, console, steps)
        if plot is not None:
            write_atomically(plot, plots.rates(found.rates, found.losses, found.suggestion))
        tell(console, f"--trunk-rate {found.suggestion:.1e} (with --head-rate in the same ratio to it as now)")


@app.command()
def export(
    model: Annotated[str, typer.Argument(help="A checkpoint's file, or a served name.")],
    output: Annotated[Path, typer.Option(help="The file to write, *.onnx.")],
) -> None:
    """Write a classifier as ONNX with its preprocessing inside, and check that it says the same."""
    console = Console()
    with _told(console):
        moved = run_export(load_model(model, torch.device("cpu")), output)
        tell(console, f"{output}: probabilities within {moved:.1e} of the checkpoint's, on pictures of several shapes")


def _budgets(given: list[str] | None) -> tuple[float, ...]:
    try:
        return tuple(float(Fraction(text)) for text in given) if given else EPSILONS
    except (ValueError, ZeroDivisionError) as error:
        raise BadRecipe(f"a budget is a number or a fraction like 4/255 ({error})") from error


def _device(name: str) -> torch.device:
    try:
        return choose_device(name)
    except (RuntimeError, AssertionError) as error:
        raise BadRecipe(f"the device {name!r} is not there ({str(error).splitlines()[0]})") from error


def _renaming(pairs: list[str] | None) -> dict[str, str]:
    renamed = {}
    for pair in pairs or []:
        folder, _, name = pair.partition("=")
        if not folder or not name:
            raise BadData(f"--rename takes FOLDER=CLASS, not {pair!r}")
        renamed[folder] = name
    return renamed


def _count(workers: int | None) -> int:
    return default_workers() if workers is None else workers


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
        tell(console, "stopped; the state that was saved last is kept: give the same command with --resume to go on")
        raise typer.Exit(130) from None


if __name__ == "__main__":
    app()
