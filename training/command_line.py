"""How an option of the library is spelt on the command line, where that is not simply `--` and its name."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class CommandLine:
    """Metadata of an annotated option that `training.commands.expand` reads, beside the text that describes it.

    `name` is the option's name, such as "--rename"; by default it follows from the name of the field or parameter.
    `old_name` is what earlier versions called the option: it still works, and is hidden from --help.
    `environment` names an environment variable that gives the value where the option is absent.
    `default` makes the value of an option that is absent, where the command line has another default than the library.
    `least` is the smallest number that the command line accepts. A `positional` option is an argument, without a name.
    """

    name: str = ""
    old_name: str = ""
    environment: str = ""
    default: Callable[[], Any] | None = None
    least: int | None = None
    positional: bool = False
