"""Options of attacks, ideal methods and explain methods: each is described once, beside the function that takes it.

An option is a parameter annotated with `Annotated[type, Option(...)]`. The checks of this module, the fields of HTTP
requests, the help of the command line and the documentation all read that annotation.
"""

import inspect
import math
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from types import NoneType
from typing import Annotated, Any, Literal, get_args, get_origin


class BadOption(ValueError):
    """An option that is unknown, of the wrong type or out of range; the message says what is allowed."""


@dataclass(frozen=True)
class Option:
    """The meaning of an option and the values that it may take, as metadata of a parameter.

    `text` is one or more full sentences: what the option is, its unit, and what a larger value does. `least` and `most`
    are the bounds of a number, both included. `default_text` describes a default that the value alone does not explain,
    such as "epsilon / steps" for None. `fraction` allows texts like 8/255 in requests.

    `options_of` fills in the rest from the parameter: `kind` is int, float, bool or str, `choices` are the values that
    a Literal allows, and `optional` says whether None is allowed.
    """

    text: str
    least: int | float | None = None
    most: int | float | None = None
    default_text: str = ""
    fraction: bool = False
    kind: type = float
    choices: tuple[str, ...] = ()
    default: Any = None
    optional: bool = False

    @property
    def shown_default(self) -> str:
        """The default as a text for people."""
        if self.default_text:
            return self.default_text
        return _number(self.default) if self.kind is float else str(self.default).lower()


@cache  # reading all signatures anew took an attack 3 ms
def options_of(function: Callable[..., Any]) -> Mapping[str, Option]:
    """The options that a function or a class takes, by name: its parameters that are annotated with an Option."""
    options = {}
    for parameter in inspect.signature(function).parameters.values():
        if get_origin(parameter.annotation) is Annotated:
            kind, *metadata = get_args(parameter.annotation)
            for option in metadata:
                if isinstance(option, Option):
                    options[parameter.name] = _filled_in(option, kind, parameter.default)
    return options


def _filled_in(option: Option, kind: Any, default: Any) -> Option:
    if get_origin(kind) is Literal:
        return replace(option, kind=str, choices=get_args(kind), default=default)
    kinds = [part for part in get_args(kind) or (kind,) if part is not NoneType]
    return replace(option, kind=kinds[0], default=default, optional=NoneType in get_args(kind))


def complete_options(
    owner: str,
    options: Mapping[str, Option],
    values: Mapping[str, Any],
    error: type[BadOption],
    *,
    others: Mapping[str, Mapping[str, Option]],
) -> dict[str, Any]:
    """Every option of `owner` (the name of an attack or a method) with its value: from `values`, or its default.

    `others` are the options of all attacks or methods by name; the message about an unknown option names those that
    take it. Raises `error` where an option is unknown or a value is not allowed.
    """
    unknown = sorted(set(values) - set(options))
    if unknown:
        names = ", ".join(unknown)[:200]
        users = [name for name, other_options in others.items() if unknown[0] in other_options]
        hint = f"; {unknown[0]} is an option of {', '.join(users)}" if users else ""
        own = f"its options are {', '.join(options)}" if options else "it has no options"
        raise error(f"{owner} takes no {names}: {own}{hint}")
    return {
        name: checked(name, values[name], option, error) if name in values else option.default
        for name, option in options.items()
    }


def checked(name: str, value: Any, option: Option, error: type[BadOption]) -> Any:
    """The value, a whole number as a float where the option is a float; raises `error` where it is not allowed."""
    if value is None and option.optional:
        return None
    if option.kind is bool:
        allowed = isinstance(value, bool)
    elif option.kind is str:
        allowed = isinstance(value, str) and value in option.choices
    else:
        kinds = int if option.kind is int else (int, float)
        allowed = isinstance(value, kinds) and not isinstance(value, bool) and _within(value, option)
    if not allowed:
        raise error(f"{name} must be {allowed_values(option)}, not {_shown(value)}")
    return float(value) if option.kind is float else value


def _within(value: int | float, option: Option) -> bool:
    least = -math.inf if option.least is None else option.least
    most = math.inf if option.most is None else option.most
    return abs(value) <= sys.float_info.max and least <= value <= most


def _shown(value: Any) -> str:
    text = repr(value) if isinstance(value, str) else str(value)
    return text if len(text) <= 100 else f"{text[:100]}..."


def allowed_values(option: Option) -> str:
    """The values that an option may take, as a phrase: `a whole number from 1 to 1000`."""
    if option.kind is bool:
        return "true or false"
    if option.kind is str:
        return f"one of {', '.join(option.choices)}"
    kind = "a whole number" if option.kind is int else "a number"
    if option.least is not None and option.most is not None:
        return f"{kind} from {_number(option.least)} to {_number(option.most)}"
    return kind if option.least is None else f"{kind} of {_number(option.least)} or more"


def _number(value: int | float) -> str:
    return str(value) if isinstance(value, int) else f"{value:g}"


def users_by_option(owners: Mapping[str, Mapping[str, Option]]) -> dict[str, dict[str, Option]]:
    """For every option name, the attacks or methods that take it, each with its own description of the option."""
    names = dict.fromkeys(name for options in owners.values() for name in options)
    return {name: {owner: options[name] for owner, options in owners.items() if name in options} for name in names}


def merged(users: Mapping[str, Option]) -> Option:
    """One option that stands for those of all `users`, with the widest of their bounds and all of their choices."""
    options = list(users.values())
    least = [option.least for option in options if option.least is not None]
    most = [option.most for option in options if option.most is not None]
    return replace(
        options[0],
        least=min(least, default=None) if len(least) == len(options) else None,
        most=max(most, default=None) if len(most) == len(options) else None,
        choices=tuple(dict.fromkeys(choice for option in options for choice in option.choices)),
    )


def described(users: Mapping[str, Option], *, option: Option | None = None) -> str:
    """What an option means for the attacks or methods that take it: its text, range, users and defaults.

    `option` replaces the merged option, for example where a client's numbers have closer bounds.
    """
    by_text: dict[str, list[str]] = {}
    for owner, user_option in users.items():
        by_text.setdefault(user_option.text, []).append(owner)
    if len(by_text) == 1:
        text = next(iter(by_text))
    else:
        text = " ".join(f"For {_listed(owners)}: {text}" for text, owners in by_text.items())
    option = option or merged(users)
    bounded = option.choices or (option.least is not None and option.most is not None)
    values = f" {_first_upper(allowed_values(option))}." if bounded else ""
    return f"{text}{values} {_defaults(users)}"


def _defaults(users: Mapping[str, Option]) -> str:
    by_default: dict[str, list[str]] = {}
    for owner, option in users.items():
        by_default.setdefault(option.shown_default, []).append(owner)
    if len(users) == 1:
        return f"Only for {next(iter(users))}. Default: {next(iter(by_default))}."
    if len(by_default) == 1:
        return f"For {_listed(list(users))}. Default: {next(iter(by_default))}."
    return f"Default: {', '.join(f'{owner} {option.shown_default}' for owner, option in users.items())}."


def _listed(names: Iterable[str]) -> str:
    *first, last = names
    return f"{', '.join(first)} and {last}" if first else last


def _first_upper(text: str) -> str:
    return text[:1].upper() + text[1:]
