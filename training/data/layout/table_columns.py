"""Which columns of a table have the files, their classes and their splits, whatever they are called."""

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
"""What people call the columns, best first; upper case, spaces, `-` and `_` do not matter."""
_NO, _YES = ("0", "0.0", "false", "no", ""), ("1", "1.0", "true", "yes")
OPTIONS = {"file": "--file-column", "label": "--label-column", "split": "--split-column"}


class Columns:
    """The cells of a table that say which file it is, its label, and its split (empty where there is none)."""

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
        """The column that is asked for, or the one whose name says so, or None; raises BadData."""
        header = self.table.header
        if chosen is not None and chosen not in header:
            raise BadData(f"{OPTIONS[kind]}: {self.title} has no column {chosen!r}; it has {', '.join(header)}")
        if chosen is None:
            named = {_plain(name): name for name in reversed(header)}
            called = [named[_plain(name)] for name in COLUMNS[kind] if _plain(name) in named]
            # A column `type` of `train` and `test` does not have the classes.
            chosen = next((name for name in called if kind != "label" or not self._has_splits(name)), None)
        if chosen is not None and header.count(chosen) > 1:
            raise BadData(f"{self.title} has {header.count(chosen)} columns {chosen!r}: give them different names")
        return chosen

    def _has_splits(self, column: str) -> bool:
        words = set(self.table.column(column)) - {""}
        return bool(words) and set(splits_among(words)) == words

    def _refuse(self, kind: str) -> str:
        raise BadData(
            f"{self.title} has the columns {', '.join(self.table.header)}; which of them is the {kind}? Give "
            f"{OPTIONS[kind]} NAME"
        )

    def _one_hot(self, split: str | None) -> list[str]:
        """The labels where each class has a column of its own, with a 1 for the photos of it; raises BadData."""
        others = [name for name in self.table.header if name and name not in (self.file, split)]
        marks = {name: column for name in others if set(column := self.table.column(name)) <= {*_NO, *_YES}}
        rows = [[name for name, column in marks.items() if column[row] in _YES] for row in range(len(self.files))]
        if len(marks) < 2 or any(len(row) != 1 for row in rows):
            self._refuse("label")
        self.notes.append(f"each class has a column of its own in {self.title}: {', '.join(marks)}")
        return [row[0] for row in rows]

    def _in_splits(self, column: str) -> list[str]:
        """The split in each row, by the table's words for it; raises BadData where a word is none for a split."""
        cells = self.table.column(column)
        words = set(cells) - {""}
        known = self._marked(column, words) or self._folds(column, words) or _by_name(words)
        if other := sorted(words - set(known)):
            raise BadData(
                f"the column for the split of {self.title} has {other[0]!r}, which is none of train, validation, "
                "test: name another column by --split-column, or correct the table"
            )
        return [known.get(cell, "") for cell in cells]

    def _marked(self, column: str, words: set[str]) -> dict[str, str]:
        """`True` and `False` in a column such as `is_valid`."""
        name = read_name(column)
        if name is None or name.kind not in SPLITS or not {word.casefold() for word in words} <= {*_NO, *_YES}:
            return {}
        other = "test" if name.kind == "train" else "train"
        return {word: name.kind if word.casefold() in _YES else other for word in words}

    def _folds(self, column: str, words: set[str]) -> dict[str, str]:
        """Numbers in a column `fold`: the last is the test split, the one before it validation."""
        if "fold" not in _plain(column) or not all(re.fullmatch(r"\d+(\.0)?", word) for word in words):
            return {}
        splits = splits_among(f"fold{int(float(word))}" for word in words)
        known = {word: splits[f"fold{int(float(word))}"] for word in words} if splits else {}
        if known:
            folds = ", ".join(f"{known[word]} is {word}" for word in sorted(words, key=float))
            self.notes.append(
                f"the column {column!r} has folds: {folds}; write train, validation and test in it to choose others"
            )
        return known


def _by_name(words: set[str]) -> dict[str, str]:
    return splits_among(words) or {
        word: name.kind for word in words if (name := read_name(word)) and name.kind in SPLITS
    }


def _plain(name: str) -> str:
    return re.sub(r"[\W_]+", "", name.casefold())
