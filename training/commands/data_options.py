"""How a data set is to be read, as options of a command: each field of DataOptions is one, its text the field's own."""

import inspect
from collections.abc import Mapping
from dataclasses import MISSING, fields
from typing import Annotated, Any, get_args, get_origin, get_type_hints

import typer

from training.commands.expand import Command, expanded
from training.data.options import DataOptions
from training.data.sources.source import BadData


def with_data_options(command: Command) -> Command:
    """A command with an option per choice of how to read the data, in place of its `data_options`."""
    hints = get_type_hints(DataOptions, include_extras=True)
    options = [_option(field.name, hints[field.name], field.default) for field in fields(DataOptions)]
    return expanded(command, "data_options", options, _built, BadData)


def _built(chosen: Mapping[str, Any]) -> DataOptions:
    given: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in chosen.items()}
    return DataOptions(**{name: value for name, value in given.items() if value is not None})


def _option(name: str, hint: Any, default: Any) -> inspect.Parameter:
    kind, text = get_args(hint)
    if get_origin(kind) is tuple:
        kind, default = list[str] | None, None
    usual = f" [default: {default:,}]" if isinstance(default, int) else ""
    shown = typer.Option(help=text + usual, rich_help_panel="Reading the data", show_default=False)
    annotation: Any = Annotated.__class_getitem__((kind, shown))  # type: ignore[attr-defined]
    default = None if default is MISSING else default
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)
