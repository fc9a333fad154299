"""mirage classify: the most probable classes of any number of pictures."""

import contextlib
from collections.abc import Iterator
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from mirage.client import Mirage
from mirage.command_line.connect import Key, Model, Url, connect
from mirage.command_line.exits import NOT_AS_ASKED
from mirage.command_line.picture_files import picture_files
from mirage.command_line.records import Record
from mirage.command_line.results_output import STANDARD_OUTPUT, output_for
from mirage.command_line.terminal import err, plain
from mirage.errors import BadOption, MirageError
from mirage.many import CONCURRENCY
from mirage.results.classification import Classification


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
    output = output_for(to, format, top, again=again, files=files)
    to_file = None if to in STANDARD_OUTPUT else to
    done = {record.path for record in output.records}
    left = [file for file in files if file not in done]
    failed = written = 0
    with contextlib.ExitStack() as stack:
        client = stack.enter_context(connect(url, key))
        if done:
            _check_settings(output.records, client, model, top)
            err.print(f"{len(files) - len(left)} of {len(files)} pictures are in {plain(to)} already")
        write = stack.enter_context(output.open())
        results = client.classify_many(left, concurrency=concurrency, top=top, model=model)
        stack.callback(results.close)  # before the client, so that its requests end
        try:
            for file, result in _with_bar(results, output.bar, total=len(files), done=len(files) - len(left)):
                write(file, result)
                failed += isinstance(result, MirageError)
                written += 1
        except MirageError:
            if to_file is not None and written:
                err.print(f"mirage: {plain(to)} has the results so far: run the same command again to go on")
            raise
    if to_file is not None and err.is_terminal:
        err.print(f"{len(files) - failed} pictures are in {plain(to)}")
    if failed:
        err.print(f"mirage: {failed} of {len(left)} pictures could not be classified; the results say why")
        raise typer.Exit(NOT_AS_ASKED)


def _check_settings(records: list[Record], client: Mirage, model: str | None, top: int) -> None:
    """Raise BadOption if the records are of another model or version, or have another number of classes."""
    served = client.model(model or client.models().default)
    classes = min(top, len(served.class_names) or top)
    for record in records:
        if record.model == served.name and served.version not in (None, record.version):
            raise BadOption(
                f"the file has results of the version {plain(record.version)} of the model {plain(served.name)}, and "
                f"now the version {plain(served.version)} is served: give another file, or --again to replace it"
            )
        if (record.model, record.classes) != (served.name, classes):
            raise BadOption(
                f"the file has {record.classes} classes of the model {plain(record.model)}, and {classes} of "
                f"{plain(served.name)} are asked for: give the same --model and --top, another file, or --again"
            )


def _with_bar(
    results: Iterator[tuple[str, Classification | MirageError]], console: Console | None, *, total: int, done: int
) -> Iterator[tuple[str, Classification | MirageError]]:
    """The results, with a bar on the terminal that shows how many are done and how long the others take."""
    if console is None or not console.is_terminal or total < 2:
        yield from results
        return
    columns = (TextColumn("classifying"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    # Standard output may be a file while standard error is the terminal: it must not be redirected to the bar's.
    with Progress(*columns, console=console, transient=True, redirect_stdout=False, redirect_stderr=False) as progress:
        task = progress.add_task("", total=total, completed=done)
        for item in results:
            yield item
            progress.advance(task)
