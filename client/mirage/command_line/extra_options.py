"""Options that have no name of their own on the command line: --option steps=40."""

from collections.abc import Sequence
from typing import Annotated, Any, TypeAlias

import typer

from mirage.errors import BadOption

Extra: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        "--option", "-O", metavar="NAME=VALUE", help="Any other option, such as steps=40; may be given several times."
    ),
]


def extra_options(pairs: Sequence[str] | None, known: Any) -> dict[str, Any]:
    """The options in texts NAME=VALUE; `known` is the class of all options of the operation. Raises BadOption."""
    options: dict[str, Any] = {}
    for pair in pairs or ():
        name, equals, value = pair.partition("=")
        if not equals or name not in known.__annotations__:
            names = ", ".join(sorted(known.__annotations__))
            raise BadOption(f"--option {pair}: write it as NAME=VALUE; the names are {names}")
        options[name] = value
    return options
