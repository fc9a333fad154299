"""Results of many pictures in a file: each is whole, and a run that was stopped anywhere can be continued."""

import csv
import io
import json
from pathlib import Path

import pytest

from mirage.command_line.records import Csv, Format, JsonLines, Record, format_of, keep, read_records
from mirage.errors import BadOption, BadPicture, MirageError
from mirage.results.classification import Classification
from mirage.results.shared import Prediction

RESULT = Classification("tiny", "v1", 8, 6, (Prediction('dog, "big"', 1, 0.75), Prediction("c\u00e4t", 0, 0.25)))
NASTY = [
    "plain.png",
    "a,b.png",
    'quo"te.png',
    "new\nline.png",
    "tab\t\x1b[31m.png",
    "\udcff\udcfe.png",
    "\u2028\u0085.png",
]
FORMATS = [JsonLines(), Csv(3)]


def written(format: Format, results: list[tuple[str, Classification | MirageError]]) -> bytes:
    text = format.header + "".join(format.line(path, result) for path, result in results)
    return text.encode("utf-8", "surrogateescape")


def prepare(path: Path, format: Format, *, again: bool) -> list[Record]:
    """Make the file ready to be continued."""
    records = read_records(path, format, again=again)
    keep(records, path, format)
    return records


@pytest.mark.parametrize("format", FORMATS, ids=["jsonl", "csv"])
def test_after_a_stop_at_any_byte_no_result_is_lost_and_none_is_damaged(format: Format, tmp_path: Path) -> None:
    """The pictures of all records that are whole count as done; the file ends with the last of these."""
    results = [(path, RESULT) for path in NASTY]
    path, ends = tmp_path / "results", [len(written(format, results[:count])) for count in range(len(NASTY) + 1)]
    whole = written(format, results)
    for length in range(1, len(whole) + 1):
        path.write_bytes(whole[:length])
        count = sum(end <= length for end in ends[1:])
        records = prepare(path, format, again=False)
        assert [(record.path, record.model, record.classes) for record in records] == [
            (name, "tiny", 2) for name in NASTY[:count]
        ], length
        assert path.read_bytes() == whole[: ends[count]], length


@pytest.mark.parametrize("format", FORMATS, ids=["jsonl", "csv"])
def test_pictures_that_failed_are_tried_again(format: Format, tmp_path: Path) -> None:
    """Their records are removed, also one whose reason has several lines and letters that are no Unicode."""
    failed = BadPicture('the "reason"\r\nin two lines \ud800')
    path = tmp_path / "results"
    path.write_bytes(written(format, [("a.png", RESULT), ("b.png", failed), ("c.png", RESULT)]))
    assert [record.path for record in prepare(path, format, again=False)] == ["a.png", "c.png"]
    assert path.read_bytes() == written(format, [("a.png", RESULT), ("c.png", RESULT)])


def test_lines_of_json_have_all_fields() -> None:
    line = json.loads(JsonLines().line("a.png", RESULT))
    assert line["path"] == "a.png" and line["width"] == 8
    assert line["predictions"][1] == {"label": "c\u00e4t", "index": 0, "probability": 0.25}
    assert json.loads(JsonLines().line("a.png", BadPicture("why"))) == {"path": "a.png", "problem": "why"}


def test_rows_of_csv_have_as_many_columns_as_the_header() -> None:
    """Two classes where three were asked for, and none for a picture that failed."""
    text = written(Csv(3), [("a.png", RESULT), ("b.png", BadPicture("why"))]).decode()
    header, first, second = csv.reader(io.StringIO(text, newline=""))
    assert header[5:9] == ["label_1", "probability_1", "label_2", "probability_2"] and header[-1] == "problem"
    assert first == ["a.png", "tiny", "v1", "8", "6", 'dog, "big"', "0.75", "c\u00e4t", "0.25", "", "", ""]
    assert second == ["b.png", *[""] * 10, "why"]


@pytest.mark.parametrize("format", FORMATS, ids=["jsonl", "csv"])
@pytest.mark.parametrize(
    "content",
    [b"Dear diary\n", b'{"a": 1}\n', b"\xff\xfe\x00\n", b"[1, 2]\n", b"path,model\nx,y\n", b"notes", b'{"api": "key"}'],
)
def test_another_file_is_never_touched(format: Format, content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "diary"
    path.write_bytes(content)
    with pytest.raises(BadOption, match="--again"):
        prepare(path, format, again=False)
    assert path.read_bytes() == content
    assert prepare(path, format, again=True) == [] and path.read_bytes() == format.header.encode()


@pytest.mark.parametrize("row", ["", "a.png,tiny"])
def test_csv_with_a_row_of_another_length_was_saved_by_another_program(row: str, tmp_path: Path) -> None:
    """The last row may be cut off; one before it cannot be."""
    path = tmp_path / "results.csv"
    lines = written(Csv(2), [("a.png", RESULT), ("b.png", RESULT)]).decode().splitlines()
    path.write_text("\r\n".join([*lines[:2], row, lines[2], ""]), newline="")
    with pytest.raises(BadOption, match="columns than the header"):
        read_records(path, Csv(2), again=False)


def test_csv_with_another_number_of_classes_is_another_file(tmp_path: Path) -> None:
    path = tmp_path / "results.csv"
    path.write_bytes(written(Csv(2), [("a.png", RESULT)]))
    with pytest.raises(BadOption, match="--top"):
        prepare(path, Csv(3), again=False)


def test_the_name_of_the_file_or_the_option_chooses_the_format() -> None:
    assert isinstance(format_of(None, "a.csv", 3), Csv) and isinstance(format_of(None, "a.txt", 3), JsonLines)
    assert isinstance(format_of("csv", "a.jsonl", 3), Csv) and isinstance(format_of(None, None, 3), JsonLines)
    with pytest.raises(BadOption, match="jsonl or csv"):
        format_of("table", "a.jsonl", 3)
