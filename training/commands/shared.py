"""What the commands share: their common options, and errors as one line."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import torch
import typer
from rich.console import Console

from models.architectures import BadWeights, UnknownArchitecture
from models.attacks.options import BadAttack
from models.checkpoint import BadCheckpoint
from models.classifier import choose_device
from models.spec import BadSpec
from models.store import UnknownModel, WeightsUnavailable
from training.console import print_line
from training.data.loading.workers import default_workers
from training.data.sources.downloads import DATA_SETS, find_data
from training.data.sources.source import BadData
from training.export import ExportError
from training.learner import Diverged
from training.loggers import MissingLogger
from training.pretrained import BadPretrainedWeights
from training.process_group import NoProcessGroup
from training.recipe import BadRecipe
from training.run_folder import BadRun

EXPECTED = (
    BadCheckpoint,
    BadData,
    BadPretrainedWeights,
    BadRecipe,
    BadRun,
    BadSpec,
    BadWeights,
    Diverged,
    ExportError,
    MissingLogger,
    NoProcessGroup,
    BadAttack,
    UnknownModel,
    UnknownArchitecture,
    WeightsUnavailable,
    torch.OutOfMemoryError,
)
"""What a person can mend: told in one line, exit code 2."""

DATA_FOLDER = "data"
"""Of the cache's folder, where data sets by name are put."""

Data = Annotated[
    str,
    typer.Argument(
        help="A folder, or an archive (zip, tar, tar.gz, tar.zst), with one sub-folder of pictures per class, below "
        "train/, val/ and test/ where it is split (--labels and --label-from read other layouts); or a data set by "
        f"name: {', '.join(DATA_SETS)}."
    ),
]
Architecture = Annotated[str, typer.Option(help="One of torchvision's classifiers.")]
WeightsFile = Annotated[
    Path | None, typer.Option(help="Weights to start from, .safetensors or .pth. [default: torchvision's own]")
]
Rename = Annotated[list[str] | None, typer.Option(help="FOLDER=CLASS: call a folder's class otherwise.")]
CacheFolder = Annotated[
    Path, typer.Option(help="Where runs share decoded photos and features.", envvar="MIRAGE_TRAINING_CACHE")
]
NamedFolder = Annotated[Path, typer.Option(help="Where data sets by name are kept.", envvar="MIRAGE_TRAINING_CACHE")]
CacheBytes = Annotated[int, typer.Option(min=0, help="How much is kept there at most.")]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1, mps.")]
Workers = Annotated[
    int | None, typer.Option(min=0, help="Processes that decode pictures. [default: one per core, 8 at most]")
]


@contextmanager
def told_errors(console: Console, stopped: str = "stopped") -> Iterator[None]:
    """Expected errors as one line and exit code 2; Ctrl-C as what there is to say of it."""
    try:
        yield
    except (*EXPECTED, OSError) as error:
        # What a worker process raises comes with its traceback, and its own line last.
        print_line(Console(stderr=True), f"error: {str(error).splitlines()[-1]}")
        raise typer.Exit(2) from error
    except KeyboardInterrupt:
        print_line(console, stopped)
        raise typer.Exit(130) from None


def data_at(data: str, cache: Path, console: Console) -> Path:
    """The folder or archive of a path or a data set's name; raises BadData."""
    return find_data(data, cache.expanduser() / DATA_FOLDER, console)


def device_named(name: str) -> torch.device:
    """The device; raises BadRecipe where it is not there."""
    try:
        return choose_device(name)
    except (RuntimeError, AssertionError) as error:
        raise BadRecipe(f"the device {name!r} is not there ({str(error).splitlines()[0]})") from error


def renaming(pairs: list[str] | None) -> dict[str, str]:
    """FOLDER=CLASS pairs as a mapping; raises BadData."""
    renamed = {}
    for pair in pairs or []:
        folder, _, name = pair.partition("=")
        if not folder or not name:
            raise BadData(f"--rename takes FOLDER=CLASS, not {pair!r}")
        renamed[folder] = name
    return renamed


def worker_count(workers: int | None) -> int:
    """As many as were asked for, or as this machine has cores."""
    return default_workers() if workers is None else workers
