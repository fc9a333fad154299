"""Networks of the user's own for the commands: the environment variable MIRAGE_ARCHITECTURES."""

import os
import sys

from rich.console import Console

from models import architectures
from training.console import print_line

VARIABLE = "MIRAGE_ARCHITECTURES"
"""The variable; the service has a setting of the same name."""


def register_architectures() -> None:
    """Register the functions `package.module:function` that the variable names, with commas between them.

    Modules are looked for in the working directory as well. An error ends the process with exit code 2.
    """
    sources = [source.strip() for source in os.environ.get(VARIABLE, "").split(",") if source.strip()]
    if sources and "" not in sys.path and os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())
    for source in sources:
        try:
            architectures.register(source)
        except architectures.BadRegistration as error:
            print_line(Console(stderr=True), f"error: {VARIABLE}: {error}")
            raise SystemExit(2) from error  # typer.Exit is for what runs inside a command
