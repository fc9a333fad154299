"""Labels in a table (CSV or TSV) beside the photos, whatever its columns are called and its paths begin with."""

import csv
import io
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath

from training.data.labels import Labels, splits_of_folders
from training.data.member_names import clean, guess_encoding
from training.data.options import SPLITS, DataOptions
from training.data.sources import BadData, Source
from training.data.split_names import read_name, splits_among
from training.data.system_files import NOT_PICTURES
from training.data.tree import spelt

COLUMNS = {
    "file": (
        "file", "filename", "file_name", "file name", "filepath", "file_path", "path", "relpath", "image", "img",
        "image_name", "image_path", "image_id", "imageid", "image_file", "img_name", "img_path", "photo", "picture",
        "name", "fname", "id", "uuid", "src", "url",
    ),
    "label": (
        "label", "labels", "class", "classes", "class_name", "classname", "category", "category_name", "target", "y",
        "class_label", "label_name", "breed", "species", "diagnosis", "dx", "tag", "tags", "type", "kind", "class_id",
    ),
    "split": ("split", "set", "subset", "partition", "fold", "usage", "part", "phase", "side"),
}  # fmt: skip
"""What people call the columns, best first; upper case, spaces, `-` and `_` do not matter."""
OPTIONS = {"file": "--file-column", "label": "--label-column", "split": "--split-column"}


def from_table(source: Source, files: Sequence[str], options: DataOptions) -> Labels:
    """Classes, and splits where a column has them, from a table; raises BadData."""
    assert options.labels is not None
    title, folder, text = _read(source, options.labels)
    header, rows = _parsed(title, text)
    columns = {kind: _column(kind, title, header, getattr(options, f"{kind}_column")) for kind in COLUMNS}
    index = _Index(files, folder)
    labels: dict[str, set[str]] = defaultdict(set)
    splits: dict[str, set[str]] = defaultdict(set)
    missing = []
    for row in rows:
        own, label = (row.get(columns[kind] or "", "") for kind in ("file", "label"))
        if not own or not label:
            continue
        name = index.find(own, title)
        if name is None:
            missing.append(own)
            continue
        labels[name].add(spelt(label))
        if columns["split"] and (split := row.get(columns["split"], "")):
            splits[name].add(split)
    if not labels:
        raise BadData(
            f"none of the {len(missing)} photos in the column {columns['file']!r} of {title} are among the "
            f"{len(files)} files of the data (the first is {missing[0]!r})"
            if missing
            else f"{title} has no row with both a file and a label"
        )
    clear = {name: next(iter(own)) for name, own in labels.items() if len(own) == 1}
    several = {name: " and ".join(sorted(own)) for name, own in labels.items() if len(own) > 1}
    split_of = _split_column(splits, title) if splits else splits_of_folders(clear)
    return Labels(clear, split_of, f"not listed in {title}", tuple(missing), several)


class _Index:
    """Finds a file of the data by what a table calls it: a path, from wherever, with or without its ending."""

    def __init__(self, files: Sequence[str], folder: str) -> None:
        self.folder = folder
        self.exact = {spelt(name): name for name in files}
        self.by_tail: dict[str, list[str]] = defaultdict(list)
        for name in files:
            path = PurePosixPath(spelt(name))
            for form in (path, path.with_suffix("") if path.suffix else None):
                if form is not None:
                    for start in range(len(form.parts)):
                        self.by_tail["/".join(form.parts[start:])].append(name)

    def find(self, text: str, title: str) -> str | None:
        """The file, or None where there is none; raises BadData where there are several."""
        wanted = spelt(clean(text.strip()))
        for form in (f"{self.folder}{wanted}", wanted):
            if form in self.exact:
                return self.exact[form]
        parts = wanted.split("/")
        # The longest ending of the path that names a file: a table may have been written on another machine.
        for start in range(len(parts)):
            names = [
                name
                for name in self.by_tail.get("/".join(parts[start:]), [])
                if PurePosixPath(name).suffix.lower() not in NOT_PICTURES
            ]
            if len(names) == 1:
                return names[0]
            if len(names) > 1:
                raise BadData(
                    f"{title} has {text!r}, which may be {names[0]} or {names[1]}: write the path in the table"
                )
        return None


def _read(source: Source, labels: str) -> tuple[str, str, str]:
    """The table's name, the folder of the data that it lies in (empty for elsewhere), and its text."""
    path, inside = Path(labels).expanduser(), clean(labels)
    candidates = [name for name in source.names if name == inside or name.endswith(f"/{inside}")]
    if path.is_file():
        try:
            data = path.read_bytes()
        except OSError as error:
            raise BadData(f"--labels: {labels} cannot be read ({error.strerror})") from error
        title, folder = path.name, ""
    elif len(candidates) == 1:
        data, title, folder = source.read(candidates[0]), candidates[0], candidates[0].rpartition("/")[0]
    else:
        raise BadData(f"--labels: there is no file {labels}, neither here nor once inside the data")
    encoding = "utf-8-sig" if data.startswith(b"\xef\xbb\xbf") else guess_encoding([data])
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        encoding = "utf-16"
    return title, f"{folder}/" if folder else "", data.decode(encoding, "replace")


def _parsed(title: str, text: str) -> tuple[list[str], list[dict[str, str]]]:
    """The header and the rows of a table with commas, semicolons or tabs; raises BadData."""
    lines = text.splitlines()
    header = next((line for line in lines if line.strip()), "")
    delimiter = max(",;\t|", key=header.count)
    rows = [
        [cell.strip() for cell in row]
        for row in csv.reader(io.StringIO(text), delimiter=delimiter, skipinitialspace=True)
        if any(cell.strip() for cell in row)
    ]
    if len(rows) < 2 or len(rows[0]) < 2:
        raise BadData(
            f"{title} is no table with a header, a column of files and a column of labels; its first line is "
            f"{header[:100]!r}"
        )
    columns = rows[0]
    return columns, [dict(zip(columns, row, strict=False)) for row in rows[1:]]


def _column(kind: str, title: str, header: list[str], chosen: str | None) -> str | None:
    """The column that is asked for, or the one whose name says so; raises BadData where a needed one is not found."""
    if chosen is not None:
        if chosen not in header:
            raise BadData(f"{OPTIONS[kind]}: {title} has no column {chosen!r}; it has {', '.join(header)}")
        return chosen
    named = {_plain(name): name for name in reversed(header)}
    found = next((named[_plain(name)] for name in COLUMNS[kind] if _plain(name) in named), None)
    if found is None and kind != "split":
        raise BadData(
            f"{title} has the columns {', '.join(header)}; which of them is the {kind}? Give {OPTIONS[kind]} NAME"
        )
    return found


def _plain(name: str) -> str:
    return re.sub(r"[\W_]+", "", name.casefold())


def _split_column(splits: Mapping[str, set[str]], title: str) -> dict[str, str]:
    """The split of each file by the table's words for it; raises BadData where a word is none for a split."""
    words = {word for own in splits.values() for word in own}
    known = splits_among(words) or {
        word: name.kind for word in words if (name := read_name(word)) and name.kind in SPLITS
    }
    if other := sorted(words - set(known)):
        raise BadData(
            f"the column for the split of {title} has {other[0]!r}, which is none of train, validation, test: name "
            "another column by --split-column, or correct the table"
        )
    return {name: known[next(iter(own))] for name, own in splits.items() if len(own) == 1}
