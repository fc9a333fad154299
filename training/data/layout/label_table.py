"""Labels in a table (CSV or TSV) beside the photos, whatever its columns are called and its paths begin with."""

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from training.data.layout.folder_tree import spelt
from training.data.layout.ignored_files import NOT_PICTURES
from training.data.layout.labels import Labels, splits_of_folders
from training.data.layout.table_columns import Columns
from training.data.layout.tables import read_table
from training.data.options import DataOptions
from training.data.sources.member_names import clean
from training.data.sources.source import BadData, Source

NO_LABEL = ("", "nan", "null", "n/a", "#n/a", "<na>")
"""Cells, in lower case, by which programs say that there is no value."""


def from_table(source: Source, files: Sequence[str], options: DataOptions) -> Labels:
    """Classes, and splits where a column has them, from a table; raises BadData."""
    assert options.labels is not None
    title, folder, data = _read(source, options.labels)
    table = read_table(title, data)
    index = _Index(files, folder, title)
    if any(index.names_a_file(cell) for cell in table.header):
        raise BadData(
            f"{title} has no header: its first line is {','.join(table.header)!r}. Write one above it, such as "
            "file,label"
        )
    columns = Columns(title, table, options)
    labels: dict[str, set[str]] = defaultdict(set)
    splits: dict[str, set[str]] = defaultdict(set)
    missing = []
    for own, label, split in zip(columns.files, columns.labels, columns.splits, strict=True):
        if not own or label.casefold() in NO_LABEL:
            continue
        if "\n" in own + label:
            raise BadData(f"{title}: a quotation mark before {own + label!r:.60} is not closed: correct the table")
        name = index.find(own)
        if name is None:
            missing.append(own)
            continue
        labels[name].add(spelt(label))
        if split:
            splits[name].add(split)
    if not labels:
        raise BadData(
            f"none of the {len(missing)} photos in the column {columns.file!r} of {title} are among the "
            f"{len(files)} files of the data (the first is {missing[0]!r})"
            if missing
            else f"{title} has no row with both a file and a label"
        )
    clear = {name: next(iter(own)) for name, own in labels.items() if len(own) == 1}
    several = {name: " and ".join(sorted(own)) for name, own in labels.items() if len(own) > 1}
    if torn := next((name for name, own in sorted(splits.items()) if len(own) > 1), None):
        raise BadData(
            f"{title} has {torn!r} in several splits, {' and '.join(sorted(splits[torn]))}: leave one of its rows"
        )
    split_of = {name: next(iter(own)) for name, own in splits.items()}
    return Labels(
        clear,
        split_of if splits else splits_of_folders(clear),
        f"not listed in {title}",
        tuple(missing),
        several,
        tuple(columns.notes),
    )


class _Index:
    """Finds a file of the data by what a table calls it: a path, from wherever, with or without its ending."""

    def __init__(self, files: Sequence[str], folder: str, title: str) -> None:
        self.folder, self.title = folder, title
        self.exact = {spelt(name): name for name in files}
        self.by_tail: dict[str, list[str]] = defaultdict(list)
        for name in files:
            path = PurePosixPath(spelt(name))
            for form in (path, path.with_suffix("") if path.suffix else None):
                if form is not None:
                    for start in range(len(form.parts)):
                        self.by_tail["/".join(form.parts[start:])].append(name)
        # Windows and macOS do not mind whether it is `1.JPG` or `1.jpg`.
        self.by_tail_in_any_case: dict[str, list[str]] = defaultdict(list)
        for tail, names in self.by_tail.items():
            self.by_tail_in_any_case[tail.casefold()] += names

    def find(self, text: str) -> str | None:
        """The file, or None where there is none; raises BadData where there are several."""
        names = self._candidates(text)
        if len(names) > 1:
            raise BadData(
                f"{self.title} has {text!r}, which may be {names[0]} or {names[1]}: write the path in the table, or "
                "leave one of them out by --exclude"
            )
        return names[0] if names else None

    def names_a_file(self, text: str) -> bool:
        """Whether this is the name of a file with its ending, as no column is called."""
        return bool(PurePosixPath(text).suffix and self._candidates(text))

    def _candidates(self, text: str) -> list[str]:
        wanted = spelt(clean(text.strip()))
        for form in (f"{self.folder}{wanted}", wanted):
            if form in self.exact:
                return [self.exact[form]]
        parts = wanted.split("/")
        # The longest ending of the path that names a file: a table may have been written on another machine.
        for start in range(len(parts)):
            tail = "/".join(parts[start:])
            for names in (self.by_tail.get(tail, []), self.by_tail_in_any_case.get(tail.casefold(), [])):
                pictures = [name for name in names if PurePosixPath(name).suffix.lower() not in NOT_PICTURES]
                if pictures:
                    return list(dict.fromkeys(pictures))
        return []


def _read(source: Source, labels: str) -> tuple[str, str, bytes]:
    """The table's name, the folder of the data that it lies in (empty for elsewhere), and its bytes."""
    path, inside = Path(labels).expanduser(), clean(labels)
    candidates = [name for name in source.names if name == inside or name.endswith(f"/{inside}")]
    if path.is_file():
        try:
            return path.name, "", path.read_bytes()
        except OSError as error:
            raise BadData(f"--labels: {labels} cannot be read ({error.strerror})") from error
    if len(candidates) > 1:
        raise BadData(f"--labels: {labels} may be {candidates[0]} or {candidates[1]}: give the path of one of them")
    if not candidates:
        raise BadData(f"--labels: there is no file {labels}, neither here nor inside the data")
    folder = candidates[0].rpartition("/")[0]
    return candidates[0], f"{folder}/" if folder else "", source.read(candidates[0])
