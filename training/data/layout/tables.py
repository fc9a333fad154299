"""A table of text (CSV, TSV) as programs write it: any usual encoding, separator and line end."""

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
OTHER_KINDS = {b"PK\x03\x04": "an Excel workbook", b"\xd0\xcf\x11\xe0": "an old Excel workbook", b"PAR1": "Parquet"}
SEPARATORS = ",;\t|"
LOOKED_AT = 50
"""Rows by which the separator is told."""


@dataclass(frozen=True)
class Table:
    """The names of the columns, and the cells of each row, without white space around them."""

    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    def column(self, name: str) -> list[str]:
        """The cells of a column, empty where a row is too short."""
        place = self.header.index(name)
        return [row[place] if place < len(row) else "" for row in self.rows]


def read_table(title: str, data: bytes) -> Table:
    """The table in a file's bytes; raises BadData where there is none."""
    kind = next((kind for begin, kind in OTHER_KINDS.items() if data.startswith(begin)), None)
    if kind is None and data.lstrip()[:1] in (b"{", b"["):
        kind = "JSON"
    if kind is not None:
        raise BadData(f"{title} is {kind}, and a table of text is needed: save it as CSV, and give that file")
    text = _text(data).replace("\r\n", "\n").replace("\r", "\n")
    # Excel's own first line, by which other programs may tell the separator.
    said = re.match(r'"?sep=(.)"?\n', text, re.IGNORECASE)
    text = text[said.end() :] if said else text
    try:
        header, *rows = _rows(text, said[1] if said else _separator(text)) or [()]
    except csv.Error as error:
        raise BadData(f"{title} is no table that can be read ({error}): save it as CSV again") from error
    if not rows or len(header) < 2:
        first = next((line for line in text.splitlines() if line.strip()), "")
        raise BadData(
            f"{title} is no table with a header, a column of files and a column of labels; its first line is "
            f"{first[:100]!r}"
        )
    return Table(header, tuple(rows))


def _text(data: bytes) -> str:
    encoding = next((name for mark, name in BYTE_ORDER_MARKS.items() if data.startswith(mark)), None)
    if encoding is None and b"\0" in data[:4]:  # UTF-16 without its mark: a column's name begins with Latin letters
        encoding = "utf-16-le" if data[1:2] == b"\0" else "utf-16-be"
    return data.decode(encoding or guess_encoding([data]), "replace")


def _separator(text: str) -> str:
    """The one by which most rows have as many cells as the header, and of several the one that makes most cells."""

    def fit(separator: str) -> tuple[int, int]:
        rows = _rows(text, separator, LOOKED_AT)
        width = len(rows[0]) if rows else 0
        return (sum(len(row) == width for row in rows) if width > 1 else 0, width)

    return max(SEPARATORS, key=fit)


def _rows(text: str, separator: str, most: int | None = None) -> list[tuple[str, ...]]:
    before = csv.field_size_limit(max(len(text), 1))  # a cell may hold a whole picture
    try:
        rows: list[tuple[str, ...]] = []
        for row in csv.reader(io.StringIO(text), delimiter=separator, skipinitialspace=True):
            if any(cell.strip() for cell in row):
                rows.append(tuple(cell.strip() for cell in row))
            if len(rows) == most:
                break
        return rows
    finally:
        csv.field_size_limit(before)
