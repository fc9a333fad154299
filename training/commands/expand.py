"""Makes commands from dataclasses of options: each field becomes an option of the command line."""

import functools
import inspect
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import MISSING, Field, dataclass, fields, is_dataclass, replace
from types import GenericAlias, UnionType
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints

import torch
import typer

from training.command_line import CommandLine
from training.commands.errors import reported_errors
from training.commands.parse import device_named, renaming
from training.data.options import DataOptions
from training.data.sources.source import BadData
from training.recipe import BOUNDS, ROBUST, BadRecipe, Recipe, number_text

Command = Callable[..., None]

PANELS = {DataOptions: "Reading the data", Recipe: "Recipe"}
"""Headings in --help for the options that are fields of these classes."""

PARSERS: dict[Any, tuple[Any, Callable[[Any], Any]]] = {
    torch.device: (str, device_named),
    dict[str, str]: (list[str], renaming),
}
"""For types that typer does not know: what the command line reads instead, and how to make the value of it."""

ABSENT = object()
"""The value of an option that was not given: the default of the library applies."""


@dataclass(frozen=True)
class Expanded:
    """Parameters of a command, and the function that makes one value of what the user gave for them."""

    parameters: Sequence[inspect.Parameter]
    build: Callable[[Mapping[str, Any]], Any]


def expanded(*, without: Collection[str] = (), stopped: str = "stopped") -> Callable[[Command], Command]:
    """A command whose parameters are options of the command line: annotated ones, and the fields of dataclasses.

    Fields whose names are in `without` do not become options. Errors that a user can mend are printed as one line, with
    exit code 2; on Ctrl-C `stopped` is printed.
    """

    def decorate(command: Command) -> Command:
        signature = inspect.signature(command)
        passed = [parameter for parameter in signature.parameters.values() if parameter.annotation is typer.Context]
        expansions = {
            parameter.name: _expand(parameter.name, parameter.annotation, parameter.default, without)
            for parameter in signature.parameters.values()
            if parameter not in passed
        }

        @functools.wraps(command)
        def run(**values: Any) -> None:
            with reported_errors(stopped):
                built = {name: expansion.build(values) for name, expansion in expansions.items()}
                contexts = {parameter.name: values[parameter.name] for parameter in passed}
                command(**contexts, **{name: value for name, value in built.items() if value is not ABSENT})

        options = [parameter for expansion in expansions.values() for parameter in expansion.parameters]
        options.sort(key=lambda parameter: parameter.default is not inspect.Parameter.empty)  # required ones first
        parameters = [*passed, *options]
        run.__signature__ = signature.replace(  # type: ignore[attr-defined]
            parameters=[parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY) for parameter in parameters]
        )
        run.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
        return run

    return decorate


def _expand(name: str, annotation: Any, default: Any, without: Collection[str]) -> Expanded:
    if is_dataclass(annotation):
        return _expand_fields(annotation, without)
    return _option(name, annotation, default)


def _expand_fields(owner: Any, without: Collection[str]) -> Expanded:
    """Every field of the dataclass that has a text, or is a dataclass itself."""
    hints = get_type_hints(owner, include_extras=True)
    members = {}
    for field in fields(owner):
        hint = hints[field.name]
        if field.name in without:
            continue
        if is_dataclass(hint):
            members[field.name] = _expand_fields(hint, without)
        elif get_origin(hint) is Annotated:
            members[field.name] = _option(field.name, hint, _default(field), owner)
    parameters = [parameter for member in members.values() for parameter in member.parameters]

    def build(values: Mapping[str, Any]) -> Any:
        built = {name: member.build(values) for name, member in members.items()}
        chosen = {name: value for name, value in built.items() if value is not ABSENT}
        if owner is Recipe:
            return replace(ROBUST if values["robust"] else Recipe(), **chosen)
        return owner(**chosen)

    return Expanded([_ROBUST_SWITCH, *parameters] if owner is Recipe else parameters, build)


_ROBUST_SWITCH = inspect.Parameter(
    "robust",
    inspect.Parameter.KEYWORD_ONLY,
    default=False,
    annotation=Annotated[
        bool,
        typer.Option(
            "--robust",
            help="Train a classifier that withstands attacks, by adversarial training; some options of the recipe have "
            "other defaults then.",
            rich_help_panel=PANELS[Recipe],
        ),
    ],
)


def _default(field: Field[Any]) -> Any:
    if field.default is not MISSING:
        return field.default
    # What a factory makes (a mapping, the number of cores) is described by the option's own text.
    return inspect.Parameter.empty if field.default_factory is MISSING else None


def _option(name: str, annotation: Any, default: Any, owner: Any = None) -> Expanded:
    """One option, and a hidden one for its old name."""
    kind, text, *metadata = get_args(annotation)
    spelling = next((item for item in metadata if isinstance(item, CommandLine)), CommandLine())
    type_, parse = PARSERS.get(kind, (kind, tuple if get_origin(kind) is tuple else lambda value: value))
    required = default is inspect.Parameter.empty and spelling.default is None
    says_default = spelling.default is not None or "Default:" in text
    description = text + _bounds(name, owner) + ("" if says_default else _default_text(name, default, owner))
    if spelling.positional:
        info: Any = typer.Argument(help=description)
    else:
        info = typer.Option(
            *_names(name, spelling, type_, owner),
            help=description,
            min=spelling.least,
            envvar=spelling.environment or None,
            rich_help_panel=PANELS.get(owner),
            show_default=False,
        )
    parameters = [_parameter(name, type_ if required else _optional(type_), info, required=required)]
    old = f"old_{name}"
    if spelling.old_name:
        parameters.append(_parameter(old, _optional(type_), typer.Option(spelling.old_name, hidden=True)))

    def build(values: Mapping[str, Any]) -> Any:
        value = values[name]
        if spelling.old_name and values[old] is not None:
            if value is not None:
                new = _names(name, spelling, type_, owner)[0]
                error = BadRecipe if owner is Recipe else BadData
                raise error(f"{spelling.old_name} is the old name of {new}: give only {new}")
            value = values[old]
        if value is not None:
            return parse(value)
        return ABSENT if spelling.default is None else spelling.default()

    return Expanded(parameters, build)


def _parameter(name: str, kind: Any, info: Any, *, required: bool = False) -> inspect.Parameter:
    annotation: Any = Annotated.__class_getitem__((kind, info))  # type: ignore[attr-defined]
    default = inspect.Parameter.empty if required else None
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)


def _names(name: str, spelling: CommandLine, kind: Any, owner: Any) -> tuple[str, ...]:
    """The option as it is written. Only switches of a recipe, which --robust may turn on, can be turned off."""
    option = spelling.name or f"--{name.replace('_', '-')}"
    return (f"{option}/--no-{option[2:]}",) if kind is bool and owner is Recipe else (option,)


def _optional(kind: Any) -> Any:
    """The type of an option that may be left out."""
    if get_origin(kind) is tuple and get_args(kind)[-1] is Ellipsis:
        kind = GenericAlias(list, get_args(kind)[:1])
    return kind if get_origin(kind) in (Union, UnionType) else kind | None


def _bounds(name: str, owner: Any) -> str:
    if owner is not Recipe or name not in BOUNDS:
        return ""
    least, most = BOUNDS[name]
    return f" Range: {number_text(least)} to {number_text(most)}."


def _default_text(name: str, default: Any, owner: Any) -> str:
    """The default as a sentence; nothing where the option's own text has to say it, or where there is none."""
    if default in (None, inspect.Parameter.empty, (), {}) or (default is False and owner is not Recipe):
        return ""
    robust = getattr(ROBUST, name) if owner is Recipe else default
    return f" Default: {_value(default)}{'' if robust == default else f', with --robust {_value(robust)}'}."


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, tuple):
        return " ".join(f"{number:g}" for number in value)
    return number_text(value) if isinstance(value, int | float) else str(value)
