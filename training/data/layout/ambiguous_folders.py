"""Ambiguous class folders: whether it is clear which folders are the classes, and the messages where it is not."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

from training.data.layout.folder_tree import Folder
from training.data.layout.ignored_files import has_pictures
from training.data.layout.split_names import FOLD, read_name
from training.data.sources.source import BadData


def shared_folders(classes: Mapping[str, Folder]) -> set[str]:
    """The names of the folders inside these folders, if so many of them recur that they may be the classes."""
    if len(classes) < 2 or any(has_pictures(folder.files) or not folder.folders for folder in classes.values()):
        return set()
    counts = Counter(name for folder in classes.values() for name in folder.folders)
    shared = {name for name, count in counts.items() if count > 1}
    return set(counts) if len(shared) > 1 and len(shared) >= len(counts) / 2 else set()


def check_unambiguous(classes: Mapping[str, Folder]) -> None:
    """Raises BadData where these folders contain the same folders: either of the two levels may be the classes."""
    if not (shared := shared_folders(classes)):
        return
    outer, inner = join_names(classes), join_names(shared)
    name, example = next(iter(classes.items()))
    level = len(example.path) - example.path[::-1].index(name)
    inner_level = len(next(iter(example.folders.values())).path)
    # The example of --split is the folder that most likely holds the training split.
    largest = max(sorted(classes), key=lambda name: (not re.search("test|val", name), _count_files(classes[name])))
    raise BadData(
        f"it is not clear which folders are the classes: {outer} contain folders of the same names, {inner}. If "
        f"{outer} are the classes, give --class-level {level}. If {inner} are the classes, give --class-level "
        f"{inner_level}; and if {outer} are the train, validation and test splits, give --split for each, such as "
        f"--split {largest}=train. Leave out folders of other pictures, such as masks, by --exclude FOLDER"
    )


def split_name_warnings(classes: Iterable[str]) -> Iterator[str]:
    """A warning for each class that has the name of a split."""
    for folder in sorted(classes):
        if (name := read_name(folder)) and not name.rest and name.kind != FOLD:
            yield (
                f"warning: the folder {folder!r} has the name of a split, but is read as a class, because there are no "
                f"class folders in it. If its pictures are not a class, leave it out: --exclude {folder!r}"
            )


def join_names(names: Iterable[str], most: int = 5) -> str:
    """The first `most` names in alphabetical order, and how many more there are."""
    ordered = sorted(names)
    shown = ", ".join(ordered[:most])
    return f"{shown} and {len(ordered) - most} more" if len(ordered) > most else shown


def _count_files(folder: Folder) -> int:
    return sum(1 for _ in folder.all_files())
