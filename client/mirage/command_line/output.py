"""Where a picture goes that a command has got: a file, standard output, the terminal."""

import sys
from pathlib import Path
from typing import Annotated, TypeAlias

import typer
from rich.console import RenderableType

from mirage.command_line.pictures import can_show, shown
from mirage.command_line.terminal import err, figures, out, printable, write_json
from mirage.errors import BadOption
from mirage.files import check_writable
from mirage.results.pictures import WithPictures

Output: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--output", "-o", help="File to write the picture to, a PNG; `-` is standard output. A file is replaced."
    ),
]


def check(output: str | None) -> None:
    """Raise BadOption or OSError if no PNG can be written there, before the service has worked for it."""
    if output == "-" and sys.stdout.isatty():
        raise BadOption("-o - writes a PNG file to standard output, which is a terminal: redirect it, or name a file")
    if output in (None, "-"):
        return
    path = Path(str(output))
    if path.suffix.lower() != ".png":
        raise BadOption(f"{output}: the service makes PNG files: give a name that ends with .png")
    check_writable(path)


def deliver(result: WithPictures, output: str | None, summary: RenderableType, *, for_people: bool) -> None:
    """Write the picture where the user wants it, and the figures for people or as JSON."""
    if output == "-":
        sys.stdout.buffer.write(result.files["image"])
        sys.stdout.buffer.flush()
        return
    if output is not None:
        result.save(output)
    if not for_people:
        write_json(figures(result))
        return
    picture = getattr(result, "image", None)
    if picture is not None and can_show(out):
        out.print(shown(picture, out))
    out.print(summary)
    if output is not None:
        err.print("saved as", printable(output))
