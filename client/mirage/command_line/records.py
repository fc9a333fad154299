"""Results of many pictures as lines of a file: JSON or CSV, written one by one, and read again to go on."""

import csv
import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol, cast

from mirage.errors import BadOption, MirageError, ProblemError
from mirage.files import write_whole
from mirage.results.classification import Classification


class Format(Protocol):
    """How a record is written as text, and read again."""

    @property
    def header(self) -> str:
        """What stands before the first record."""
        ...

    def line(self, path: str, result: Classification | MirageError) -> str:
        """The record of one picture, with the end of its line."""
        ...

    def complete(self, text: str) -> tuple[str, list[str]]:
        """The part of a file that is complete, and the paths of its pictures. Raises ValueError for other files."""
        ...


class JsonLines:
    """One JSON object a line: `path` and the fields of a classification, or `path` and `problem`."""

    header = ""

    def line(self, path: str, result: Classification | MirageError) -> str:
        """The record as JSON in ASCII: a name that is not valid Unicode is kept by escapes."""
        return json.dumps({"path": path} | _fields(result)) + "\n"

    def complete(self, text: str) -> tuple[str, list[str]]:
        """All lines up to the last end of a line; what follows was cut off when the program was killed."""
        whole = text[: text.rfind("\n") + 1]
        return whole, [_path(json.loads(line)) for line in whole.splitlines()]


class Csv:
    """One row a picture: path, model, version, width, height, then `top` pairs of label and probability, problem."""

    def __init__(self, top: int) -> None:
        self._top = top
        pairs = [f"{name}_{rank}" for rank in range(1, top + 1) for name in ("label", "probability")]
        self._columns = ["path", "model", "version", "width", "height", *pairs, "problem"]

    @property
    def header(self) -> str:
        """The names of the columns."""
        return _csv_line(self._columns)

    def line(self, path: str, result: Classification | MirageError) -> str:
        """The record as a row of CSV (RFC 4180)."""
        empty = [""] * (2 * self._top)
        if isinstance(result, MirageError):
            return _csv_line([path, "", "", "", "", *empty, problem_of(result)])
        pairs = [value for item in result.predictions for value in (item.label, item.probability)]
        figures = [result.model, result.version, result.width, result.height]
        return _csv_line([path, *figures, *pairs, *empty[len(pairs) :], ""])

    def complete(self, text: str) -> tuple[str, list[str]]:
        """All rows that have every column; the last one may have been cut off when the program was killed."""
        if not text.startswith(self.header):
            if self.header.startswith(text):
                return "", []
            raise ValueError("its columns are others: --top has to be the same")
        rows = list(csv.reader(io.StringIO(text, newline="")))
        if len(rows[-1]) < len(self._columns) or not text.endswith("\n"):
            rows.pop()
        return "".join(map(_csv_line, rows)), [row[0] for row in rows[1:]]


def format_of(name: str | None, output: str | None, top: int) -> Format:
    """The format by its name or, without one, by the ending of the file. Raises BadOption."""
    ending = "" if output is None else Path(output).suffix.lower()
    name = name or ("csv" if ending == ".csv" else "jsonl")
    if name not in ("jsonl", "csv"):
        raise BadOption(f"--format {name}: choose table, jsonl or csv; a file is written as jsonl or csv")
    return Csv(top) if name == "csv" else JsonLines()


def done_before(path: Path, format: Format, *, again: bool) -> set[str]:
    """The pictures whose records the file has already; a record that was cut off is removed from it.

    With `again` the file is emptied. Raises BadOption if it is not of this format, and OSError.
    """
    if again or not path.exists() or not path.is_file() or path.stat().st_size == 0:
        if again or not path.exists():
            write_whole(path, format.header.encode())
        elif path.is_file():
            path.write_bytes(format.header.encode())
        return set()
    text = path.read_bytes().decode("utf-8", "surrogateescape")
    try:
        whole, paths = format.complete(text)
    except (ValueError, csv.Error) as error:
        raise BadOption(
            f"{path}: this file has other contents than results of this command ({error}): give another name, or "
            "--again to replace it"
        ) from error
    if whole != text:
        write_whole(path, (whole or format.header).encode("utf-8", "surrogateescape"))
    return set(paths)


def problem_of(error: MirageError) -> str:
    """Why a picture could not be classified, without what differs from request to request."""
    return error.problem.detail if isinstance(error, ProblemError) else str(error)


def _fields(result: Classification | MirageError) -> dict[str, Any]:
    from mirage.command_line.terminal import figures

    return {"problem": problem_of(result)} if isinstance(result, MirageError) else figures(result)


def _path(record: object) -> str:
    """The path in a record of JSON. Raises ValueError if it has none."""
    path = cast(dict[str, object], record).get("path") if isinstance(record, dict) else None
    if not isinstance(path, str):
        raise ValueError("its lines have no path")
    return path


def _csv_line(values: Sequence[object]) -> str:
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\n").writerow(values)
    return buffer.getvalue()
