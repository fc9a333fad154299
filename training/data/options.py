"""How a user says which files of a data set are meant, and where their labels are."""

from dataclasses import dataclass
from pathlib import PurePath
from typing import Annotated

from training.data.sources.source import MAX_PIXELS, BadData

SPLITS = ("train", "validation", "test")


@dataclass(frozen=True)
class DataOptions:
    """The choices of how to read a data set; each is an option of the commands, with the text that stands here."""

    exclude: Annotated[
        tuple[str, ...],
        "Leave out the files and folders that match this pattern, such as 'thumbs', '*.gif' or 'cat/old/*'; may be "
        "given several times. A pattern without a slash matches the name of a file or folder anywhere.",
    ] = ()
    class_level: Annotated[
        int | None,
        "At which level of folders below DATA the classes are, where this is not clear: 1 for DATA/CLASS/photo.jpg, 2 "
        "for DATA/FOLDER/CLASS/photo.jpg.",
    ] = None
    split: Annotated[
        tuple[str, ...],
        "FOLDER=SPLIT: the photos below the folder of this name are the train, validation or test split, as in "
        "--split part1=train --split part2=test.",
    ] = ()
    labels: Annotated[
        str | None,
        "A table (CSV or TSV, with a header) that has the label of each photo: a path, or a file inside DATA. The "
        "class folders are ignored then.",
    ] = None
    file_column: Annotated[str | None, "The column of --labels that names the photos."] = None
    label_column: Annotated[str | None, "The column of --labels that has their classes."] = None
    split_column: Annotated[str | None, "The column of --labels that has their split, if there is one."] = None
    label_from: Annotated[
        str | None,
        r"A regular expression with a group 'label' that finds the class in each file's name, such as "
        r"'(?P<label>cat|dog)\.' for cat.0.jpg; one with a slash is searched for in the path below DATA.",
    ] = None
    zip_encoding: Annotated[
        str | None,
        "Encoding of the names inside an archive that does not say it, such as cp437, cp1252, cp1251, gb18030 or "
        "cp932. By default it is guessed, and the guess is printed.",
    ] = None
    max_pixels: Annotated[
        int, "Photos of more pixels than this are left out; those of more than 25 million are read at a reduced size."
    ] = MAX_PIXELS

    def __post_init__(self) -> None:
        if self.labels and self.label_from:
            raise BadData("--labels and --label-from exclude each other: give the one that has the labels")
        for name in ("file_column", "label_column", "split_column"):
            if getattr(self, name) and not self.labels:
                raise BadData(f"--{name.replace('_', '-')} names a column of --labels: give that table too")
        if self.class_level is not None and (self.labels or self.label_from):
            raise BadData("--class-level is about class folders, which --labels and --label-from ignore: leave it out")
        if self.class_level is not None and self.class_level < 1:
            raise BadData(f"--class-level is 1 or more, not {self.class_level}")
        if self.max_pixels < 1:
            raise BadData(f"--max-pixels is 1 or more, not {self.max_pixels}")
        self.splits()

    def words(self) -> list[str]:
        """The options that ask for these choices, as words of a command, without the paths of this machine."""
        usual, words = DataOptions(), []
        for name, value in vars(self).items():
            if value == getattr(usual, name):
                continue
            option = f"--{name.replace('_', '-')}"
            if isinstance(value, tuple):
                words += [word for each in value for word in (option, each)]
            else:
                words += [option, PurePath(value).name if name == "labels" else str(value)]
        return words

    def splits(self) -> dict[str, str]:
        """The split of each folder that --split names; raises BadData."""
        chosen = {}
        for pair in self.split:
            folder, _, name = pair.rpartition("=")
            if not folder or name.lower() not in SPLITS:
                raise BadData(f"--split takes FOLDER=SPLIT, SPLIT being train, validation or test, not {pair!r}")
            chosen[folder] = name.lower()
        return chosen
