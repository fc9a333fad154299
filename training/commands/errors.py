"""Errors that a user can mend, printed as one line instead of a traceback."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
import typer
from rich.console import Console

from models.architectures import BadWeights, UnknownArchitecture
from models.attacks.options import BadAttack
from models.checkpoint import BadCheckpoint
from models.spec import BadSpec
from models.store import UnknownModel, WeightsUnavailable
from training.console import print_line
from training.data.sources.source import BadData
from training.export import ExportError
from training.learner import Diverged
from training.loggers import MissingLogger
from training.pretrained import BadPretrainedWeights
from training.process_group import NoProcessGroup
from training.recipe import BadRecipe
from training.run_state import BadRun

EXPECTED = (
    BadAttack,
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
    UnknownArchitecture,
    UnknownModel,
    WeightsUnavailable,
    OSError,
    torch.OutOfMemoryError,
)
"""Errors whose message says what a user can do; every other one is a bug, and shows its traceback."""


@contextmanager
def reported_errors(stopped: str) -> Iterator[None]:
    """Print expected errors as one line on standard error, with exit code 2; on Ctrl-C print `stopped`, with 130."""
    try:
        yield
    except EXPECTED as error:
        # What a worker process raises comes with its traceback, and its own line last.
        print_line(Console(stderr=True), f"error: {str(error).splitlines()[-1]}")
        raise typer.Exit(2) from error
    except KeyboardInterrupt:
        print_line(Console(), stopped)
        raise typer.Exit(130) from None
