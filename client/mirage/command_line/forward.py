"""mirage serve and mirage train: start the service, or its training module, where these are installed."""

import contextlib
import os
import subprocess
import sys
from importlib import metadata
from typing import Annotated

import typer

from mirage.command_line.exits import NOT_VALID
from mirage.command_line.terminal import err

SERVICE = "mirage-vision"
"""Name of the distribution that has the service and the training module."""


def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on; 127.0.0.1 by default.")] = None,
    port: Annotated[int | None, typer.Option(help="TCP port; 8000 by default, 0 for any free one.")] = None,
    models: Annotated[
        str | None, typer.Option(help="Names of the models to serve, separated by commas; all checkpoints by default.")
    ] = None,
    device: Annotated[str | None, typer.Option(help="cpu, cuda, mps or auto.")] = None,
) -> None:
    """Start the service, where it is installed.

    Its other settings are variables MIRAGE_..., or lines of a file .env.
    """
    given = {"MIRAGE_HOST": host, "MIRAGE_PORT": port, "MIRAGE_MODELS": models, "MIRAGE_DEVICE": device}
    _run("app", [], {name: str(value) for name, value in given.items() if value is not None})


def train(context: typer.Context) -> None:
    """Train, import and measure models, where the training module is installed: mirage train fit photos.zip ..."""
    _run("training", context.args, {})


def _run(module: str, arguments: list[str], variables: dict[str, str]) -> None:
    """Become `python -m MODULE`, with these variables in the environment."""
    try:
        metadata.distribution(SERVICE)
    except metadata.PackageNotFoundError as error:
        err.print(
            f"mirage: the service is not installed for this Python ({sys.executable}). In a clone of the project, "
            "`make serve` installs and starts it; with --url this command uses a service that runs elsewhere.",
            soft_wrap=True,
        )
        raise typer.Exit(NOT_VALID) from error
    # -P: without it, a folder `app` or `training` of the user's in the working directory would be run in its place.
    command = [sys.executable, "-P", "-m", module, *arguments]
    environment = {**os.environ, **variables}
    if os.name == "posix":
        os.execve(command[0], command, environment)  # noqa: S606  # the project's own modules, and no shell
    with subprocess.Popen(command, env=environment) as process:  # noqa: S603
        while process.poll() is None:
            with contextlib.suppress(KeyboardInterrupt):  # the service gets it, too, and stops in steps
                process.wait()
    raise typer.Exit(process.returncode)
