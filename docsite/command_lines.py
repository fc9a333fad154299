"""Command lines as Markdown, from the typer applications: every command, argument and option."""

from importlib import import_module
from typing import Any

import typer

from docsite.markdown import code, escape, paragraphs

COMMAND_LINES = {
    "mirage": "mirage.command_line.commands",
    "python -m training": "training.__main__",
    "python -m app.keys": "app.keys.__main__",
}
"""The module of each command line; its typer application is called `app`."""
VALUES = {
    **{"str": "TEXT", "list[str]": "TEXT", "path": "PATH"},
    **{"int": "INTEGER", "int range": "INTEGER", "float": "NUMBER", "float range": "NUMBER"},
    **{"list[float]": "NUMBER", "float,float": "NUMBER NUMBER"},
}
"""What stands for the value of an option, by the type that typer shows."""
OWN_PANEL = ""
"""Heading of the options that have no panel of their own."""


def command_line(name: str) -> str:
    """All commands of a command line, each below a heading of the second level."""
    if name not in COMMAND_LINES:
        raise LookupError(f"{name!r} is no command line in docsite/command_lines.py")
    group = typer.main.get_command(import_module(COMMAND_LINES[name]).app)
    lines: list[str] = []
    for command_name, command in getattr(group, "commands", {"": group}).items():
        lines += _command(f"{name} {command_name}".strip(), command)
    return "\n".join(lines)


def _command(name: str, command: Any) -> list[str]:
    context = typer.Context(command, info_name=name)
    arguments = [each for each in command.params if each.param_type_name == "argument" and not each.hidden]
    options = [each for each in command.params if each.param_type_name == "option" and not each.hidden]
    usage = " ".join([name, *(_argument(each) for each in arguments), *(["[OPTIONS]"] if options else [])])
    lines = [
        f"## {name}",
        "",
        "```",
        usage,
        "```",
        "",
        *_help(command.help or ""),
        f"```{{program}} {name}",
        "```",
        "",
    ]
    for argument in arguments:
        lines += _option(_argument(argument), argument.help or "", [])
    panels: dict[str, list[Any]] = {}
    for option in options:
        panels.setdefault(option.rich_help_panel or OWN_PANEL, []).append(option)
    for panel, members in panels.items():
        lines += [f"### {escape(panel)}", ""] if panel else []
        for option in members:
            lines += _option(_names(option, context), option.help or "", _facts(option))
    return lines


def _help(text: str) -> list[str]:
    return [line for paragraph in text.split("\n\n") for line in (escape(paragraph), "")]


def _argument(argument: Any) -> str:
    name = argument.metavar or argument.name.upper() + ("..." if argument.nargs != 1 else "")
    return name if argument.required else f"[{name}]"


def _names(option: Any, context: typer.Context) -> str:
    """`--epochs INTEGER`; a switch has both of its names, and no value."""
    if option.is_flag:
        return " / ".join([*option.opts, *option.secondary_opts])
    kind = option.make_metavar(context).strip("<>[]")
    value = option.metavar or VALUES.get(kind, kind)
    return ", ".join(f"{name} {value}" for name in option.opts)


def _facts(option: Any) -> list[str]:
    facts = ["required"] if option.required else []
    if option.multiple and "several times" not in (option.help or ""):
        facts.append("may be given several times")
    low, high = getattr(option.type, "min", None), getattr(option.type, "max", None)
    bounds = [f"at least {low:,}"] if low is not None else []
    facts += [*bounds, *([f"at most {high:,}"] if high is not None else [])]
    if isinstance(option.show_default, str):
        facts.append(f"default: {option.show_default}")
    elif option.show_default and option.default not in (None, (), []) and not option.is_flag:
        facts.append(f"default: {option.default}")
    if option.envvar:
        facts.append(f"environment variable {code(option.envvar)}")
    return facts


def _option(names: str, text: str, facts: list[str]) -> list[str]:
    lines = [line for paragraph in paragraphs(text) for line in (paragraph, "")]
    more = [f"({', '.join(facts)})", ""] if facts else []
    return [f"````{{option}} {names}", *lines, *more, "````", ""]
