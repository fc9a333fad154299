"""mirage classify: the most probable classes of any number of pictures."""

import contextlib
import errno
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, BinaryIO, TypeAlias

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.text import Text

from mirage.client import Mirage
from mirage.command_line.connect import Key, Model, Url, connect
from mirage.command_line.exits import NOT_AS_ASKED
from mirage.command_line.picture_files import ENDINGS, picture_files
from mirage.command_line.records import Format, Record, format_of, prepare, problem_of
from mirage.command_line.terminal import err, out, plain, printable
from mirage.errors import BadOption, MirageError
from mirage.many import CONCURRENCY
from mirage.results.classification import Classification

Write: TypeAlias = Callable[[str, Classification | MirageError], None]
"""What takes the result of one picture to where it belongs."""
NAME_COLUMNS = 40
"""Largest width of the column of file names on a terminal; of a longer one the end is shown."""


def classify(
    paths: Annotated[list[str], typer.Argument(metavar="PICTURE...", help="Pictures, or folders with pictures.")],
    to: Annotated[
        str | None,
        typer.Option(
            "--output",
            "-o",
            help="File for the results, JSON lines or, if its name ends with .csv, CSV. Pictures that it has already "
            "are left out, so the same command goes on where it was stopped.",
        ),
    ] = None,
    format: Annotated[
        str | None,
        typer.Option(help="table, jsonl or csv. By default a table on a terminal, JSON lines elsewhere."),
    ] = None,
    top: Annotated[int, typer.Option(min=1, max=1000, help="Number of most probable classes.")] = 5,
    again: Annotated[bool, typer.Option("--again", help="Begin anew: replace the file of --output.")] = False,
    concurrency: Annotated[int, typer.Option(min=1, max=1000, help="Requests at the same time.")] = CONCURRENCY,
    model: Model = None,
    url: Url = None,
    key: Key = None,
) -> None:
    """Classify pictures: files, or all pictures in folders, as many as you like.

    Links to folders are not followed. With --output, pictures that failed before are tried again.
    """
    files = picture_files(paths)
    failed = 0
    with contextlib.ExitStack() as stack:
        write, records = _writer(stack, to, format, top, again=again, files=files)
        client = stack.enter_context(connect(url, key))
        done = {record.path for record in records}
        left = [file for file in files if file not in done]
        if done:
            _check_settings(records, client, model, top)
            err.print(f"{len(files) - len(left)} of {len(files)} pictures are in {plain(to)} already")
        results = client.classify_many(left, concurrency=concurrency, top=top, model=model)
        stack.callback(results.close)  # before the client, so that its requests end
        try:
            for file, result in _with_bar(results, total=len(files), done=len(files) - len(left)):
                write(file, result)
                failed += isinstance(result, MirageError)
        except MirageError:
            if to not in (None, "-"):
                err.print(f"mirage: {plain(to)} has the results so far: run the same command again to go on")
            raise
    if to not in (None, "-") and err.is_terminal:
        err.print(f"{len(files) - failed} pictures are in {plain(to)}")
    if failed:
        err.print(f"mirage: {failed} of {len(left)} pictures could not be classified; the results say why")
        raise typer.Exit(NOT_AS_ASKED)


def _writer(
    stack: contextlib.ExitStack, to: str | None, format: str | None, top: int, *, again: bool, files: list[str]
) -> tuple[Write, list[Record]]:
    """What writes a result, and the records that the file has already."""
    if to is None or to == "-":
        if again:
            raise BadOption("--again needs --output: without a file there is nothing to begin anew")
        if format == "table" or (format is None and to is None and sys.stdout.isatty()):
            return _table(files), []
        lines = format_of(format, None, top)
        sys.stdout.write(lines.header)
        sys.stdout.flush()
        return _to(sys.stdout.buffer, lines), []
    if os.path.splitext(to)[1].lower() in ENDINGS:
        raise BadOption(f"-o {to}: this is the name of a picture; name a file for the results, such as results.csv")
    lines, path = format_of(format, to, top), Path(to)
    records = prepare(path, lines, again=again)
    return _to(stack.enter_context(path.open("ab", buffering=0)), lines), records


def _to(file: BinaryIO, lines: Format) -> Write:
    def write(name: str, result: Classification | MirageError) -> None:
        # One call for a whole line: whatever ends the program, no line before it is damaged.
        line = lines.line(name, result).encode("utf-8", "surrogateescape")
        written = file.write(line)
        if written != len(line):  # the disk is full
            with contextlib.suppress(OSError):
                file.truncate(file.tell() - written)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), getattr(file, "name", ""))
        file.flush()

    return write


def _check_settings(records: list[Record], client: Mirage, model: str | None, top: int) -> None:
    """Raise BadOption if the records are of another model, or of another number of classes."""
    served = client.model(model or client.models().default)
    classes = min(top, len(served.class_names) or top)
    for record in records:
        if (record.model, record.classes) != (served.name, classes):
            raise BadOption(
                f"the file has {record.classes} classes of the model {plain(record.model)}, and {classes} of "
                f"{plain(served.name)} are asked for: give the same --model and --top, another file, or --again"
            )


def _table(files: list[str]) -> Write:
    """A row for each picture, as soon as its result is there."""
    width = min(NAME_COLUMNS, max((len(printable(file)) for file in files), default=NAME_COLUMNS))

    def write(name: str, result: Classification | MirageError) -> None:
        shown = printable(name).plain
        row = Text((shown if len(shown) <= width else "..." + shown[3 - width :]).ljust(width))
        if isinstance(result, MirageError):
            row += Text("  ") + Text(plain(problem_of(result)), style="red")
        else:
            for number, prediction in enumerate(result.predictions):
                text = Text.assemble("  ", printable(prediction.label), f" {100 * prediction.probability:.1f} %")
                row += Text(text.plain, style="" if number else "bold")
        out.print(row, soft_wrap=True)

    return write


def _with_bar(
    results: Iterator[tuple[str, Classification | MirageError]], *, total: int, done: int
) -> Iterator[tuple[str, Classification | MirageError]]:
    """The results, with a bar on the terminal that shows how many are done and how long the others take."""
    columns = (TextColumn("classifying"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    # Where rows go to the same terminal, on the console that prints them: it erases the bar before each.
    console = out if out.is_terminal else err
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal or total < 2) as progress:
        task = progress.add_task("", total=total, completed=done)
        for item in results:
            yield item
            progress.advance(task)
