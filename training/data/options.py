"""The options that say which files of a data set to use, and where their labels are."""

from dataclasses import dataclass
from pathlib import PurePath
from typing import Annotated

from training.data.sources.source import MAX_PIXELS, BadData

SPLITS = ("train", "validation", "test")


@dataclass(frozen=True)
class DataOptions:
    """How to read a data set; each field is an option of the commands, described by its annotation. Raises BadData."""

    exclude: Annotated[
        tuple[str, ...],
        "Pattern of files and folders to leave out, such as 'thumbs', '*.gif' or 'cat/old/*'. A pattern without a "
        "slash matches the name of a file or folder at any level. Give the option several times for several patterns.",
    ] = ()
    class_level: Annotated[
        int | None,
        "Level of the class folders below DATA, where it is ambiguous: 1 for DATA/CLASS/photo.jpg, 2 for "
        "DATA/FOLDER/CLASS/photo.jpg. By default it is derived from the folders.",
    ] = None
    split: Annotated[
        tuple[str, ...],
        "FOLDER=SPLIT: the photos below folders of this name belong to SPLIT, which is train, validation or test, as "
        "in --split part1=train --split part2=test. By default the usual names of splits are recognised.",
    ] = ()
    labels: Annotated[
        str | None,
        "Table with the label of each photo, a CSV or TSV file with a header row: its path, or its name inside DATA. "
        "Class folders are ignored then.",
    ] = None
    file_column: Annotated[
        str | None, "Column of the --labels table that names the photos. By default it is recognised by its name."
    ] = None
    label_column: Annotated[
        str | None, "Column of the --labels table that has the classes. By default it is recognised by its name."
    ] = None
    split_column: Annotated[
        str | None,
        "Column of the --labels table that has the splits, if there is one. By default it is recognised by its name.",
    ] = None
    label_from: Annotated[
        str | None,
        r"Regular expression with a group called 'label' that finds the class in the name of each file, such as "
        r"'(?P<label>cat|dog)\.' for cat.0.jpg. An expression with a slash is searched for in the path below DATA.",
    ] = None
    zip_encoding: Annotated[
        str | None,
        "Encoding of the file names in an archive that does not declare it, such as cp437, cp1252, cp1251, gb18030 or "
        "cp932. By default it is guessed, and the guess is printed.",
    ] = None
    max_pixels: Annotated[
        int,
        "Largest number of pixels of a photo; larger photos are left out. Photos of more than 25 million pixels are "
        "read at a half, a quarter or an eighth of their size.",
    ] = MAX_PIXELS

    def __post_init__(self) -> None:
        if self.labels and self.label_from:
            raise BadData("--labels and --label-from exclude each other: give only one of them")
        for name in ("file_column", "label_column", "split_column"):
            if getattr(self, name) and not self.labels:
                raise BadData(f"--{name.replace('_', '-')} names a column of the --labels table: give --labels too")
        if self.class_level is not None and (self.labels or self.label_from):
            raise BadData(
                "--class-level is about class folders, which --labels and --label-from ignore: leave out --class-level"
            )
        if self.class_level is not None and self.class_level < 1:
            raise BadData(f"--class-level must be 1 or more, not {self.class_level}")
        if self.max_pixels < 1:
            raise BadData(f"--max-pixels must be 1 or more, not {self.max_pixels}")
        self.splits()

    def words(self) -> list[str]:
        """Words of a command that give these values, where they are not the defaults; without paths of this machine."""
        defaults, words = DataOptions(), []
        for name, value in vars(self).items():
            if value == getattr(defaults, name):
                continue
            option = f"--{name.replace('_', '-')}"
            if isinstance(value, tuple):
                words += [word for item in value for word in (option, item)]
            else:
                words += [option, PurePath(value).name if name == "labels" else str(value)]
        return words

    def splits(self) -> dict[str, str]:
        """The split of each folder that --split names; raises BadData."""
        splits = {}
        for pair in self.split:
            folder, _, name = pair.rpartition("=")
            if not folder or name.lower() not in SPLITS:
                raise BadData(f"--split takes FOLDER=SPLIT, SPLIT being train, validation or test, not {pair!r}")
            splits[folder] = name.lower()
        return splits
