"""Turns the errors of a command into one line on standard error and an exit code."""

import functools
import os
import sys
from collections.abc import Callable
from typing import Any

import typer

from mirage.command_line.exits import NOT_VALID, code_of
from mirage.command_line.terminal import err, printable
from mirage.errors import MirageError, NotFound

NO_NAME = (
    "`mirage models` lists the models, `mirage models NAME` the classes of one, `mirage features PICTURE` its layers"
)
NO_OPERATION = "the address may have a path too many: give --url as http://HOST:PORT"


def guarded(command: Callable[..., None]) -> Callable[..., None]:
    """The command; where it fails, it ends with one line that says why, in place of a traceback."""

    @functools.wraps(command)
    def run(*args: Any, **kwargs: Any) -> None:
        try:
            command(*args, **kwargs)
            sys.stdout.flush()
        except MirageError as error:
            _say(str(error))
            if isinstance(error, NotFound):
                _say(NO_OPERATION if error.kind == "not-found" else NO_NAME)
            raise typer.Exit(code_of(error)) from error
        except BrokenPipeError as error:  # whoever reads the output has had enough, as `head` does
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise typer.Exit(0) from error
        except OSError as error:
            name = f"{error.filename}: " if error.filename else ""
            _say(f"{name}{error.strerror or error}: check the path, its permissions, and the space on the disk")
            raise typer.Exit(NOT_VALID) from error

    return run


def _say(message: str) -> None:
    err.print("mirage:", printable(message), soft_wrap=True)
