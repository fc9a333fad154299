"""mirage models: what is served."""

from typing import Annotated

import typer
from rich.console import Group
from rich.table import Table
from rich.text import Text

from mirage.command_line.connect import Json, Key, Url, connect, for_people
from mirage.command_line.terminal import figures, out, plain, printable, write_json
from mirage.results.served import ModelDetail, ModelList


def models(
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", help="Name of a model to describe. Without it, all are listed.")
    ] = None,
    card: Annotated[bool, typer.Option("--card", help="Print the model card of this model, in Markdown.")] = False,
    as_json: Json = False,
    url: Url = None,
    key: Key = None,
) -> None:
    """List the served models, or describe one."""
    if card and name is None:
        raise typer.BadParameter("--card needs the name of a model: mirage models NAME --card")
    with connect(url, key) as client:
        if card and name is not None:
            # Letters that a terminal acts on are not in a model card, which the service has checked.
            out.print(printable_lines(client.model_card(name)), soft_wrap=True)
            return
        result = client.models() if name is None else client.model(name)
    if not for_people(as_json):
        write_json(figures(result))
        return
    out.print(_listed(result) if isinstance(result, ModelList) else _described(result))


def printable_lines(text: str) -> Text:
    """A text of several lines, in which nothing can control the terminal."""
    return Text("\n").join(map(printable, text.splitlines()))


def _listed(result: ModelList) -> Table:
    table = Table("model", "state", "architecture", "classes", "accuracy", caption=f"on {plain(result.device)}")
    for model in result.models:
        table.add_row(
            printable(model.name + (" (default)" if model.name == result.default else "")),
            model.state,
            printable(model.architecture or ""),
            "" if model.classes is None else str(model.classes),
            "" if model.accuracy is None else f"{100 * model.accuracy:.1f} %",
        )
    return table


def _described(model: ModelDetail) -> Group:
    names = ", ".join(model.class_names[:50]) + (", ..." if len(model.class_names) > 50 else "")
    lines = [
        f"{model.name}: {model.state}, version {model.version}",
        f"{model.architecture}, input size {model.input_size}, {len(model.layers)} layers (mirage features lists them)",
        f"{model.classes} classes: {names}",
    ]
    if model.problem:
        lines.append(model.problem)
    return Group(*map(printable, lines))
