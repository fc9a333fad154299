"""One parameter of a command as many options: a dataclass whose fields carry their own help, shown by typer."""

import functools
import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import typer
from rich.console import Console

from training.console import print_line

Command = Callable[..., None]


def expanded(
    command: Command,
    parameter: str,
    options: Sequence[inspect.Parameter],
    build: Callable[[Mapping[str, Any]], object],
    expected: type[Exception],
) -> Command:
    """The command with these options in place of a parameter, which is built from what was given for them.

    An error of the expected type is one line on standard error and exit code 2.
    """
    own = inspect.signature(command)

    @functools.wraps(command)
    def run(*args: Any, **given: Any) -> None:
        chosen = {option.name: given.pop(option.name) for option in options}
        try:
            command(*args, **given, **{parameter: build(chosen)})
        except expected as error:
            print_line(Console(stderr=True), f"error: {error}")
            raise typer.Exit(2) from error

    others = [each for each in own.parameters.values() if each.name != parameter]
    run.__signature__ = own.replace(parameters=[*others, *options])  # type: ignore[attr-defined]
    # typer resolves the annotations by name where there are these; the signature has them resolved.
    run.__annotations__ = {each.name: each.annotation for each in run.__signature__.parameters.values()}  # type: ignore[attr-defined]
    return run
