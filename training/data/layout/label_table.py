"""Labels from a table (CSV or TSV): finds the photo that each row means, and its class and split."""

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from training.data.layout.folder_tree import nfc
from training.data.layout.ignored_files import NOT_PICTURES
from training.data.layout.labels import Labels, splits_of_folders
from training.data.layout.table_columns import Columns
from training.data.layout.tables import read_table
from training.data.options import DataOptions
from training.data.sources.member_names import clean_path
from training.data.sources.source import BadData, Source

NO_LABEL = ("", "nan", "null", "n/a", "#n/a", "<na>")
"""Cells, in lower case, that mean that there is no value."""


def from_table(source: Source, files: Sequence[str], options: DataOptions) -> Labels:
    """The class of each photo, and its split where a column has splits, from the table of --labels. Raises BadData."""
    assert options.labels is not None
    title, folder, data = _read(source, options.labels)
    table = read_table(title, data)
    index = _Index(files, folder, title)
    if any(index.names_a_file(cell) for cell in table.header):
        raise BadData(
            f"{title} has no header: its first line is {','.join(table.header)!r}. Write a header above it, such as "
            "file,label"
        )
    columns = Columns(title, table, options)
    labels: dict[str, set[str]] = defaultdict(set)
    splits: dict[str, set[str]] = defaultdict(set)
    missing = []
    for cell, label, split in zip(columns.files, columns.labels, columns.splits, strict=True):
        if not cell or label.casefold() in NO_LABEL:
            continue
        if "\n" in cell + label:
            raise BadData(f"{title}: a quotation mark before {cell + label!r:.60} is not closed: correct the table")
        name = index.find(cell)
        if name is None:
            missing.append(cell)
            continue
        labels[name].add(nfc(label))
        if split:
            splits[name].add(split)
    if not labels:
        raise BadData(
            f"none of the {len(missing)} photos in the column {columns.file!r} of {title} is among the {len(files)} "
            f"files of the data; the first one is {missing[0]!r}: check that table and data belong together"
            if missing
            else f"{title} has no row with both a file and a label: check the table"
        )
    unique = {name: next(iter(values)) for name, values in labels.items() if len(values) == 1}
    contradictory = {name: " and ".join(sorted(values)) for name, values in labels.items() if len(values) > 1}
    for name, values in sorted(splits.items()):
        if len(values) > 1:
            raise BadData(
                f"{title} has {name!r} in several splits, {' and '.join(sorted(values))}: keep one of its rows"
            )
    split_of = {name: next(iter(values)) for name, values in splits.items()}
    return Labels(
        unique,
        split_of if splits else splits_of_folders(unique),
        f"not listed in {title}",
        tuple(missing),
        contradictory,
        tuple(columns.notes),
    )


class _Index:
    """Finds the file that a cell of a table means: a path, perhaps of another machine, with or without the ending."""

    def __init__(self, files: Sequence[str], folder: str, title: str) -> None:
        self.folder, self.title = folder, title
        self.exact = {nfc(name): name for name in files}
        self.by_tail: dict[str, list[str]] = defaultdict(list)
        for name in files:
            path = PurePosixPath(nfc(name))
            for form in (path, path.with_suffix("") if path.suffix else None):
                if form is not None:
                    for start in range(len(form.parts)):
                        self.by_tail["/".join(form.parts[start:])].append(name)
        # On Windows and macOS `1.JPG` and `1.jpg` are the same file.
        self.by_tail_in_any_case: dict[str, list[str]] = defaultdict(list)
        for tail, names in self.by_tail.items():
            self.by_tail_in_any_case[tail.casefold()] += names

    def find(self, text: str) -> str | None:
        """The file that the text means, or None where there is none; raises BadData where there are several."""
        names = self._candidates(text)
        if len(names) > 1:
            raise BadData(
                f"{self.title} contains {text!r}, which may mean {names[0]} or {names[1]}: write the whole path into "
                "the table, or leave out one of them by --exclude"
            )
        return names[0] if names else None

    def names_a_file(self, text: str) -> bool:
        """Whether the text is the name of a file with its ending. Column names never are."""
        return bool(PurePosixPath(text).suffix and self._candidates(text))

    def _candidates(self, text: str) -> list[str]:
        path = nfc(clean_path(text.strip()))
        for form in (f"{self.folder}{path}", path):
            if form in self.exact:
                return [self.exact[form]]
        parts = path.split("/")
        # The longest tail of the path that names a file: the table may have been written on another machine.
        for start in range(len(parts)):
            tail = "/".join(parts[start:])
            for names in (self.by_tail.get(tail, []), self.by_tail_in_any_case.get(tail.casefold(), [])):
                pictures = [name for name in names if PurePosixPath(name).suffix.lower() not in NOT_PICTURES]
                if pictures:
                    return list(dict.fromkeys(pictures))
        return []


def _read(source: Source, labels: str) -> tuple[str, str, bytes]:
    """The name of the table, the folder of the data that contains it (empty if it is elsewhere), and its bytes."""
    path, inside = Path(labels).expanduser(), clean_path(labels)
    candidates = [name for name in source.names if name == inside or name.endswith(f"/{inside}")]
    if path.is_file():
        try:
            return path.name, "", path.read_bytes()
        except OSError as error:
            raise BadData(f"--labels: {labels} cannot be read ({error.strerror})") from error
    if len(candidates) > 1:
        raise BadData(
            f"--labels: {labels} may mean {candidates[0]} or {candidates[1]}: give the whole path of one of them"
        )
    if not candidates:
        raise BadData(f"--labels: there is no file {labels}, neither in this folder nor in the data")
    folder = candidates[0].rpartition("/")[0]
    return candidates[0], f"{folder}/" if folder else "", source.read(candidates[0])
