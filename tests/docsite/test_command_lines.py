"""Command lines as Markdown: the real ones, and a small one whose page is known."""

import re
import sys
from types import ModuleType
from typing import Annotated

import pytest
import typer

from docsite.command_lines import COMMAND_LINES, command_line


@pytest.mark.parametrize("name", COMMAND_LINES)
def test_every_command_argument_and_option_is_there(name: str) -> None:
    """Hidden options, which are old names, are not."""
    text = command_line(name)
    module = __import__(COMMAND_LINES[name], fromlist=["app"])
    for command_name, command in typer.main.get_command(module.app).commands.items():
        section = text.partition(f"## {name} {command_name}\n")[2].partition("\n## ")[0]
        words = set(re.findall(r"\w+", section))
        terms = re.findall(r"^````\{option\} (.*)$", section, flags=re.MULTILINE)
        for parameter in command.params:
            if not parameter.hidden:
                names = [name for name in parameter.opts if name.startswith("--")] or [
                    (parameter.metavar or parameter.name.upper()).strip("[].")
                ]
                assert any(set(names) <= set(re.findall(r"[\w-]+", term)) for term in terms), names
                assert set(re.findall(r"\w+", parameter.help)) - {"and"} <= words, names


def test_the_page_of_a_small_command_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """One command of an argument, a number with bounds and a default, and a switch."""
    app = typer.Typer()

    @app.command()
    def greet(
        names: Annotated[list[str], typer.Argument(help="Who is greeted.", metavar="NAME...")],
        times: Annotated[int, typer.Option(help="How often.", min=1, max=9)] = 2,
        loud: Annotated[bool, typer.Option("--loud", help="In capitals.")] = False,
    ) -> None:
        """Greet somebody."""

    app.callback()(lambda: None)  # makes it a group of commands
    module = ModuleType("small_command_line")
    module.app = app  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "small_command_line", module)
    monkeypatch.setitem(COMMAND_LINES, "small", "small_command_line")
    text = command_line("small")
    assert "## small greet\n\n```\nsmall greet NAME... [OPTIONS]\n```\n\nGreet somebody.\n" in text
    assert "````{option} NAME...\nWho is greeted.\n" in text
    assert "````{option} --times INTEGER\nHow often.\n\n(at least 1, at most 9, default: 2)\n" in text
    assert "````{option} --loud\nIn capitals.\n\n````" in text


def test_a_command_line_that_is_not_listed_is_refused() -> None:
    with pytest.raises(LookupError, match="'none' is no command line"):
        command_line("none")
