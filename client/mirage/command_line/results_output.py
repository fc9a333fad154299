"""Where `mirage classify` writes the results of many pictures: a table, lines on standard output, or a file."""

import contextlib
import errno
import os
import sys
from collections.abc import Callable, Generator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import BinaryIO, Protocol, TypeAlias

from rich.console import Console
from rich.text import Text

from mirage.command_line.picture_files import ENDINGS
from mirage.command_line.records import Format, Record, format_of, keep, problem_of, read_records
from mirage.command_line.terminal import err, out, plain, printable
from mirage.errors import BadOption, MirageError
from mirage.results.classification import Classification

Write: TypeAlias = Callable[[str, Classification | MirageError], None]
"""What takes the result of one picture to where it belongs."""
NAME_COLUMNS = 40
"""Largest width of the column of file names on a terminal; of a longer one the end is shown."""
STANDARD_OUTPUT = ("-", "/dev/stdout")
"""What --output may say for standard output."""


class Output(Protocol):
    """Takes the results of many pictures."""

    @property
    def records(self) -> list[Record]:
        """What is there of an earlier run, and is kept."""
        ...

    @property
    def bar(self) -> Console | None:
        """Where a bar can show how many pictures are done; None where it would stand in the way of the results."""
        ...

    def open(self) -> AbstractContextManager[Write]:
        """Begin to write; until then a file is only read."""
        ...


def output_for(to: str | None, format: str | None, top: int, *, again: bool, files: Sequence[str]) -> Output:
    """The output that the options ask for, for these picture files. Raises BadOption, and OSError of a file."""
    if to is None or to in STANDARD_OUTPUT:
        if again:
            raise BadOption("--again needs --output: without a file there is nothing to begin anew")
        if format == "table" or (format is None and to is None and sys.stdout.isatty()):
            return _Table(files)
        return _Lines(format_of(format, None, top))
    if os.path.splitext(to)[1].lower() in ENDINGS:
        raise BadOption(f"-o {to}: this is the name of a picture; name a file for the results, such as results.csv")
    return _File(Path(to), format_of(format, to, top), again=again)


class _Table:
    """A row for each picture, as soon as its result is there."""

    def __init__(self, files: Sequence[str]) -> None:
        self.records: list[Record] = []
        # Where the rows go to the terminal, the bar belongs on the console that prints them: it is erased before each.
        self.bar: Console | None = out if out.is_terminal else err
        self._width = min(NAME_COLUMNS, max((len(printable(file)) for file in files), default=NAME_COLUMNS))

    @contextlib.contextmanager
    def open(self) -> Generator[Write, None, None]:
        yield self._write

    def _write(self, name: str, result: Classification | MirageError) -> None:
        shown, width = printable(name).plain, self._width
        row = Text((shown if len(shown) <= width else "..." + shown[3 - width :]).ljust(width))
        if isinstance(result, MirageError):
            row += Text("  ") + Text(plain(problem_of(result)), style="red")
        else:
            for number, prediction in enumerate(result.predictions):
                text = Text.assemble("  ", printable(prediction.label), f" {100 * prediction.probability:.1f} %")
                row += Text(text.plain, style="" if number else "bold")
        out.print(row, soft_wrap=True)


class _Lines:
    """JSON lines or CSV on standard output."""

    def __init__(self, lines: Format) -> None:
        self.records: list[Record] = []
        self.bar: Console | None = None if sys.stdout.isatty() else err
        self._lines = lines

    @contextlib.contextmanager
    def open(self) -> Generator[Write, None, None]:
        sys.stdout.write(self._lines.header)
        sys.stdout.flush()
        yield _to(sys.stdout.buffer, self._lines)


class _File:
    """JSON lines or CSV in a file, in which the results of an earlier run may be."""

    def __init__(self, path: Path, lines: Format, *, again: bool) -> None:
        self._path, self._lines = path, lines
        self._is_regular = path.is_file() or not path.exists()  # or else a pipe, or a device
        self.records = read_records(path, lines, again=again) if self._is_regular else []
        self.bar: Console | None = err

    @contextlib.contextmanager
    def open(self) -> Generator[Write, None, None]:
        if self._is_regular:
            keep(self.records, self._path, self._lines)
        with self._path.open("ab", buffering=0) as file:
            if not self._is_regular:
                file.write(self._lines.header.encode())
            yield _to(file, self._lines)


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
