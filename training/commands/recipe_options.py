"""The recipe's choices as options of a command: each field of Recipe is one, its text the field's own."""

import functools
import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from types import GenericAlias, UnionType
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints

import typer

from training.commands.expand import Command, expanded
from training.recipe import ROBUST, BadRecipe, Recipe


def with_recipe(*, without: Sequence[str] = ()) -> Callable[[Command], Command]:
    """A command with an option per choice of a recipe in place of its `recipe`, and --robust for the robust one; but
    for those `without` effect in it."""
    return functools.partial(_with_recipe, without=without)


def _with_recipe(command: Command, without: Sequence[str]) -> Command:
    hints = get_type_hints(Recipe, include_extras=True)
    robust = inspect.Parameter(
        "robust",
        inspect.Parameter.KEYWORD_ONLY,
        default=False,
        annotation=Annotated[
            bool, typer.Option("--robust", help="Train on attacked pictures; other defaults for all that is below.")
        ],
    )
    options = [robust, *(_option(name, hint) for name, hint in hints.items() if name not in without)]

    def build(chosen: Mapping[str, Any]) -> Recipe:
        others = {name: value for name, value in chosen.items() if name != "robust"}
        return recipe_of(others, robust=chosen["robust"])

    return expanded(command, "recipe", options, build, BadRecipe)


def recipe_of(chosen: Mapping[str, Any], *, robust: bool) -> Recipe:
    """The usual recipe, or the robust one, but for what was chosen (None: nothing); raises BadRecipe."""
    given = {name: value for name, value in chosen.items() if value is not None}
    lists: dict[str, Any] = {name: tuple(value) for name, value in given.items() if isinstance(value, list)}
    return replace(ROBUST if robust else Recipe(), **{**given, **lists})


def _option(name: str, hint: Any) -> inspect.Parameter:
    kind, text = get_args(hint)
    usual, robust = getattr(Recipe(), name), getattr(ROBUST, name)
    differs = "" if usual == robust else f", robust {_told(robust)}"
    told = "" if usual is None else f" ({_told(usual)}{differs})"
    shown = typer.Option(help=text + told, rich_help_panel="Recipe", show_default=False)
    annotation: Any = Annotated.__class_getitem__((_optional(kind), shown))  # type: ignore[attr-defined]
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=annotation)


def _optional(kind: Any) -> Any:
    """The type of an option that may be left out."""
    if get_origin(kind) is tuple and get_args(kind)[-1] is Ellipsis:
        kind = GenericAlias(list, get_args(kind)[:1])
    return kind if get_origin(kind) in (Union, UnionType) else kind | None


def _told(value: Any) -> str:
    if isinstance(value, tuple):
        return " ".join(f"{each:g}" for each in value)
    return f"{value:g}" if isinstance(value, float) else str(value)
