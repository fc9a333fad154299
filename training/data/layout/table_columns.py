"""Finds the columns of a table that contain the files, their classes and their splits, whatever their names are."""

import re

from training.data.layout.split_names import read_name, splits_among
from training.data.layout.tables import Table
from training.data.options import SPLITS, DataOptions
from training.data.sources.source import BadData

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
    "split": (
        "split", "set", "subset", "data_set", "dataset", "partition", "usage", "part", "phase", "side", "is_valid",
        "is_val", "is_validation", "is_test", "is_train", "is_training", "is_training_image", "fold", "kfold",
    ),
}  # fmt: skip
"""Usual names of the columns, the most certain first; case, spaces, `-` and `_` are ignored."""
_NO, _YES = ("0", "0.0", "false", "no", ""), ("1", "1.0", "true", "yes")
"""Cells, in lower case, that mean no and yes."""
OPTIONS = {"file": "--file-column", "label": "--label-column", "split": "--split-column"}
"""The option that names each column."""


class Columns:
    """The file, the label and the split (empty where there is none) of each row of a table. Raises BadData."""

    def __init__(self, title: str, table: Table, options: DataOptions) -> None:
        self.title, self.table = title, table
        self.notes: list[str] = []
        self.file = self._named("file", options.file_column) or self._refuse("file")
        self.files = table.column(self.file)
        split = self._named("split", options.split_column)
        label = self._named("label", options.label_column)
        self.labels = table.column(label) if label else self._one_hot(split)
        self.splits = self._in_splits(split) if split else [""] * len(table.rows)

    def _named(self, kind: str, chosen: str | None) -> str | None:
        """The column that the user has named, or the one with a usual name, or None; raises BadData."""
        header = self.table.header
        if chosen is not None and chosen not in header:
            raise BadData(f"{OPTIONS[kind]}: {self.title} has no column {chosen!r}; it has {', '.join(header)}")
        if chosen is None:
            columns = {_plain(name): name for name in reversed(header)}
            candidates = [columns[_plain(name)] for name in COLUMNS[kind] if _plain(name) in columns]
            # A column `type` whose cells are `train` and `test` does not contain the classes.
            chosen = next((name for name in candidates if kind != "label" or not self._has_splits(name)), None)
        if chosen is not None and header.count(chosen) > 1:
            raise BadData(
                f"{self.title} has {header.count(chosen)} columns with the name {chosen!r}: give them different names"
            )
        return chosen

    def _has_splits(self, column: str) -> bool:
        words = set(self.table.column(column)) - {""}
        return bool(words) and set(splits_among(words)) == words

    def _refuse(self, kind: str) -> str:
        raise BadData(
            f"it is not clear which column of {self.title} is the {kind}; the columns are "
            f"{', '.join(self.table.header)}. Give {OPTIONS[kind]} NAME"
        )

    def _one_hot(self, split: str | None) -> list[str]:
        """The labels of a table in which each class has its own column, with a 1 for its photos; raises BadData."""
        others = [name for name in self.table.header if name and name not in (self.file, split)]
        marks = {name: column for name in others if set(column := self.table.column(name)) <= {*_NO, *_YES}}
        rows = [[name for name, column in marks.items() if column[row] in _YES] for row in range(len(self.files))]
        if len(marks) < 2 or any(len(row) != 1 for row in rows):
            self._refuse("label")
        self.notes.append(f"{self.title} has one column for each class: {', '.join(marks)}")
        return [row[0] for row in rows]

    def _in_splits(self, column: str) -> list[str]:
        """The split of each row; raises BadData where a cell is not a word for a split."""
        cells = self.table.column(column)
        words = set(cells) - {""}
        known = self._marked(column, words) or self._folds(column, words) or _by_name(words)
        if unknown := sorted(words - set(known)):
            raise BadData(
                f"the split column {column!r} of {self.title} contains {unknown[0]!r}, which is not train, validation "
                "or test: give another column by --split-column, or correct the table"
            )
        return [known.get(cell, "") for cell in cells]

    def _marked(self, column: str, words: set[str]) -> dict[str, str]:
        """The split for each cell of a column such as `is_valid`, with cells yes or no; empty for other columns."""
        name = read_name(column)
        if name is None or name.kind not in SPLITS or not {word.casefold() for word in words} <= {*_NO, *_YES}:
            return {}
        other = "test" if name.kind == "train" else "train"
        return {word: name.kind if word.casefold() in _YES else other for word in words}

    def _folds(self, column: str, words: set[str]) -> dict[str, str]:
        """The split for each number in a column `fold`: the last fold is test, the one before it validation."""
        if "fold" not in _plain(column) or not all(re.fullmatch(r"\d+(\.0)?", word) for word in words):
            return {}
        splits = splits_among(f"fold{int(float(word))}" for word in words)
        known = {word: splits[f"fold{int(float(word))}"] for word in words} if splits else {}
        if known:
            folds = ", ".join(f"{known[word]} is {word}" for word in sorted(words, key=float))
            self.notes.append(
                f"the column {column!r} contains folds: {folds}; to choose others, write train, validation or test "
                "into it"
            )
        return known


def _by_name(words: set[str]) -> dict[str, str]:
    return splits_among(words) or {
        word: name.kind for word in words if (name := read_name(word)) and name.kind in SPLITS
    }


def _plain(name: str) -> str:
    return re.sub(r"[\W_]+", "", name.casefold())
