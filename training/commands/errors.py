"""Errors that a user can mend, printed without a traceback."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
import typer
from rich.console import Console

from models.architectures import BadConfiguration, BadRegistration, BadWeights, UnknownArchitecture
from models.attacks.options import BadAttack
from models.checkpoint import BadCheckpoint
from models.program.graph import BadProgram
from models.spec import BadSpec
from models.store import UnknownModel, WeightsUnavailable
from training.console import print_line
from training.data.sources.source import BadData
from training.export import ExportError
from training.importing.contents import BadWeightsFile
from training.importing.import_model import CheckFailed
from training.importing.model import BadSource
from training.importing.recognise import Unrecognised
from training.learner import Diverged
from training.loggers import MissingLogger
from training.pretrained import BadPretrainedWeights
from training.process_group import NoProcessGroup
from training.recipe import BadRecipe
from training.run_state import BadRun

EXPECTED = (
    BadAttack,
    BadCheckpoint,
    BadConfiguration,
    BadData,
    BadPretrainedWeights,
    BadProgram,
    BadRecipe,
    BadRegistration,
    BadRun,
    BadSource,
    BadSpec,
    BadWeights,
    BadWeightsFile,
    CheckFailed,
    Diverged,
    ExportError,
    MissingLogger,
    NoProcessGroup,
    UnknownArchitecture,
    UnknownModel,
    Unrecognised,
    WeightsUnavailable,
    OSError,
    torch.OutOfMemoryError,
)
"""Errors whose message says what a user can do; every other one is a bug, and shows its traceback."""


@contextmanager
def reported_errors(stopped: str) -> Iterator[None]:
    """Print expected errors on standard error, and exit with code 2; on Ctrl-C print `stopped`, and exit with 130."""
    try:
        yield
    except EXPECTED as error:
        text = str(error)
        if "Traceback (most recent call last)" in text:  # of a worker process: its own line is the last one
            text = text.splitlines()[-1]
        print_line(Console(stderr=True), f"error: {text}")
        raise typer.Exit(2) from error
    except KeyboardInterrupt:
        print_line(Console(), stopped)
        raise typer.Exit(130) from None
