"""Small imports, whole ones, for the tests of everything that an import does."""

import io
from pathlib import Path
from typing import Any

from rich.console import Console

from models import checkpoint
from models.checkpoint import Checkpoint
from training.importing.import_model import import_model
from training.importing.options import ImportOptions


def run(source: Path | str, output: Path, **options: Any) -> str:
    """Import a model, and return what is printed."""
    console = Console(file=io.StringIO(), width=200)
    import_model(ImportOptions(source=str(source), output=output, **options), console)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def imported(source: Path | str, output: Path, **options: Any) -> Checkpoint:
    """Import a model, and return the checkpoint."""
    run(source, output, **options)
    return checkpoint.read(output)
