"""Results of many pictures as lines of a file: JSON or CSV, written one by one, and read again to go on."""

import csv
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, cast

from mirage.errors import BadOption, MirageError, ProblemError
from mirage.files import check_writable, write_whole
from mirage.results.classification import Classification


@dataclass(frozen=True)
class Record:
    """A record that a file has already: its own text, the picture, the model (empty for a picture that failed) with its
    version, and the number of classes."""

    text: str
    path: str
    model: str
    version: str
    classes: int


class Format(Protocol):
    """How a record is written as text, and read again."""

    @property
    def header(self) -> str:
        """What stands before the first record."""
        ...

    def line(self, path: str, result: Classification | MirageError) -> str:
        """The record of one picture, with the end of its line."""
        ...

    def records(self, text: str) -> list[Record]:
        """The complete records of a file; one may have been cut off when the program was killed.

        Raises ValueError for the text of another file.
        """
        ...


JSON_BEGIN = '{"path": "'
"""How each record in JSON begins."""


class JsonLines:
    """One JSON object a line: `path` and the fields of a classification, or `path` and `problem`."""

    header = ""

    def line(self, path: str, result: Classification | MirageError) -> str:
        """The record as JSON in ASCII: a name that is not valid Unicode is kept by escapes."""
        return json.dumps({"path": path} | _fields(result)) + "\n"

    def records(self, text: str) -> list[Record]:
        """All lines up to the last end of a line, and the beginning of a record after it."""
        *lines, cut_off = text.split("\n")
        if not (cut_off.startswith(JSON_BEGIN) or JSON_BEGIN.startswith(cut_off)):
            raise ValueError("its last line is no record")
        return [_of_json(f"{line}\n") for line in lines]


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
            return _csv_line([path, "", "", "", "", *empty, _one_line(problem_of(result))])
        pairs = [value for item in result.predictions for value in (_one_line(item.label), item.probability)]
        figures = [_one_line(result.model), result.version, result.width, result.height]
        return _csv_line([path, *figures, *pairs, *empty[len(pairs) :], ""])

    def records(self, text: str) -> list[Record]:
        """All rows that have every column and the end of their line."""
        if not text.startswith(self.header):
            if self.header.startswith(text):
                return []
            raise ValueError("it is no file of this command, has another --top, or was saved by another program")
        rows = list(csv.reader(io.StringIO(text, newline="")))
        if len(rows[-1]) < len(self._columns) or not text.endswith("\r\n"):
            rows.pop()
        if any(len(row) != len(self._columns) for row in rows):
            raise ValueError("a row has another number of columns than the header")
        return [Record(_csv_line(row), row[0], row[1], row[2], sum(map(bool, row[5:-1:2]))) for row in rows[1:]]


def format_of(name: str | None, output: str | None, top: int) -> Format:
    """The format by its name or, without one, by the ending of the file. Raises BadOption."""
    ending = "" if output is None else Path(output).suffix.lower()
    name = name or ("csv" if ending == ".csv" else "jsonl")
    if name not in ("jsonl", "csv"):
        raise BadOption(f"--format {name}: choose jsonl or csv; a table is printed where there is no --output")
    return Csv(top) if name == "csv" else JsonLines()


def read_records(path: Path, format: Format, *, again: bool) -> list[Record]:
    """The records of the pictures that are classified in the file; none with `again`, or if there is no file yet.

    Left out are records that were cut off, and those of pictures that failed: these are tried again. Raises BadOption
    if the file has other contents, and OSError if it cannot be read or written.
    """
    check_writable(path)
    if again or not path.exists():
        return []
    try:
        records = format.records(_text(path))
    except (ValueError, RecursionError, csv.Error) as error:
        raise BadOption(
            f"{path}: this file has other contents than results of this command ({error}): give another name, or "
            "--again to replace it"
        ) from error
    return [record for record in records if record.model]


def keep(records: list[Record], path: Path, format: Format) -> None:
    """Let the file hold the header and these records alone. Raises OSError if it cannot be written."""
    kept = format.header + "".join(record.text for record in records)
    if not path.exists() or kept != _text(path):
        write_whole(path, kept.encode("utf-8", "surrogateescape"))


def _text(path: Path) -> str:
    return path.read_bytes().decode("utf-8", "surrogateescape")


def problem_of(error: MirageError) -> str:
    """Why a picture could not be classified, without what differs from request to request."""
    return error.problem.detail if isinstance(error, ProblemError) else str(error)


def _fields(result: Classification | MirageError) -> dict[str, Any]:
    from mirage.command_line.terminal import figures

    return {"problem": problem_of(result)} if isinstance(result, MirageError) else figures(result)


def _of_json(line: str) -> Record:
    """The record of a line. Raises ValueError if it is none."""
    try:
        record = json.loads(line)
    except ValueError:
        raise ValueError("one of its lines is no JSON") from None
    fields = cast(dict[str, object], record) if isinstance(record, dict) else {}
    path, predictions = fields.get("path"), fields.get("predictions")
    if not isinstance(path, str) or not ("problem" in fields or isinstance(predictions, list)):
        raise ValueError("its lines have no path, or no predictions")
    classes = len(cast(list[object], predictions)) if isinstance(predictions, list) else 0
    return Record(line, path, str(fields.get("model", "")) if classes else "", str(fields.get("version", "")), classes)


def _one_line(text: str) -> str:
    """A text from the service in one line, and in letters that UTF-8 has."""
    return " ".join(text.splitlines()).encode("utf-8", "backslashreplace").decode("utf-8")


def _csv_line(values: Sequence[object]) -> str:
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\r\n").writerow(values)  # so both of these letters are quoted in values
    return buffer.getvalue()
