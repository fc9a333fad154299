"""Reads tables (CSV, TSV) in any usual encoding and with any usual separator and line end."""

import csv
import io
import re
from dataclasses import dataclass

from training.data.sources.member_names import guess_encoding
from training.data.sources.source import BadData

BYTE_ORDER_MARKS = {
    b"\xff\xfe\x00\x00": "utf-32",
    b"\x00\x00\xfe\xff": "utf-32",
    b"\xff\xfe": "utf-16",
    b"\xfe\xff": "utf-16",
    b"\xef\xbb\xbf": "utf-8-sig",
}
OTHER_FORMATS = {b"PK\x03\x04": "an Excel workbook", b"\xd0\xcf\x11\xe0": "an old Excel workbook", b"PAR1": "Parquet"}
SEPARATORS = ",;\t|"
SAMPLE_ROWS = 50
"""Number of rows from which the separator is guessed."""


@dataclass(frozen=True)
class Table:
    """The names of the columns and the cells of each row, without white space around them."""

    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    def column(self, name: str) -> list[str]:
        """The cells of a column; a cell is empty where its row is too short."""
        index = self.header.index(name)
        return [row[index] if index < len(row) else "" for row in self.rows]


def read_table(title: str, data: bytes) -> Table:
    """Read the table in the bytes of a file; raises BadData where there is none. `title` names the table in errors."""
    format = next((format for start, format in OTHER_FORMATS.items() if data.startswith(start)), None)
    if format is None and data.lstrip()[:1] in (b"{", b"["):
        format = "JSON"
    if format is not None:
        raise BadData(
            f"{title} is {format}, but a text table (CSV or TSV) is needed: save it as CSV and give that file"
        )
    text = _text(data).replace("\r\n", "\n").replace("\r", "\n")
    # A first line `sep=;`, by which Excel declares the separator.
    declared = re.match(r'"?sep=(.)"?\n', text, re.IGNORECASE)
    text = text[declared.end() :] if declared else text
    try:
        header, *rows = _rows(text, declared[1] if declared else _separator(text)) or [()]
    except csv.Error as error:
        raise BadData(f"{title} cannot be read as a table ({error}): save it as CSV again") from error
    if not rows or len(header) < 2:
        first = next((line for line in text.splitlines() if line.strip()), "")
        raise BadData(
            f"{title} must be a table with a header, a column of files and a column of labels, but its first line is "
            f"{first[:100]!r}"
        )
    return Table(header, tuple(rows))


def _text(data: bytes) -> str:
    encoding = next((name for mark, name in BYTE_ORDER_MARKS.items() if data.startswith(mark)), None)
    # UTF-16 without a byte order mark: the names of columns begin with Latin letters, of which one byte is 0.
    if encoding is None and b"\0" in data[:4]:
        encoding = "utf-16-le" if data[1:2] == b"\0" else "utf-16-be"
    return data.decode(encoding or guess_encoding([data]), "replace")


def _separator(text: str) -> str:
    """The separator with which most rows have as many cells as the header; if several do, the one with most cells."""

    def score(separator: str) -> tuple[int, int]:
        rows = _rows(text, separator, SAMPLE_ROWS)
        width = len(rows[0]) if rows else 0
        return (sum(len(row) == width for row in rows) if width > 1 else 0, width)

    return max(SEPARATORS, key=score)


def _rows(text: str, separator: str, limit: int | None = None) -> list[tuple[str, ...]]:
    previous_limit = csv.field_size_limit(max(len(text), 1))  # a cell may contain a whole picture
    try:
        rows: list[tuple[str, ...]] = []
        for row in csv.reader(io.StringIO(text), delimiter=separator, skipinitialspace=True):
            if any(cell.strip() for cell in row):
                rows.append(tuple(cell.strip() for cell in row))
            if len(rows) == limit:
                break
        return rows
    finally:
        csv.field_size_limit(previous_limit)
