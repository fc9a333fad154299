"""Whether it is clear which folders are the classes, and what the user is told where it is not."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

from training.data.layout.folder_tree import Folder
from training.data.layout.ignored_files import has_pictures
from training.data.layout.split_names import FOLD, read_name
from training.data.sources.source import BadData


def shared_folders(classes: Mapping[str, Folder]) -> set[str]:
    """The names of folders that lie in several of these, where they are so many that they may be the classes."""
    if len(classes) < 2 or any(has_pictures(folder.files) or not folder.folders for folder in classes.values()):
        return set()
    counts = Counter(name for folder in classes.values() for name in folder.folders)
    shared = {name for name, count in counts.items() if count > 1}
    return set(counts) if len(shared) > 1 and len(shared) >= len(counts) / 2 else set()


def check_clear(classes: Mapping[str, Folder]) -> None:
    """Raises BadData where all folders hold the same folders, so that either could be the classes."""
    if not (shared := shared_folders(classes)):
        return
    outer, inner = listed(classes), listed(shared)
    name, some = next(iter(classes.items()))
    depth, deeper = len(some.path) - some.path[::-1].index(name), len(next(iter(some.folders.values())).path)
    # For the example, what is likely to be for training.
    largest = max(sorted(classes), key=lambda name: (not re.search("test|val", name), _count(classes[name])))
    raise BadData(
        f"it is not clear which folders are the classes: {outer} hold the same folders, {inner}. If {outer} are the "
        f"classes, give --class-level {depth}; if {inner} are, give --class-level {deeper}, and where {outer} are "
        f"the parts of a split, say of each which one it is, as in --split {largest}=train. Folders of other "
        "pictures (masks, say) are left out by --exclude FOLDER"
    )


def called_as_splits(classes: Iterable[str]) -> Iterator[str]:
    """A line for each class that has the name of a split."""
    for own in sorted(classes):
        if (name := read_name(own)) and not name.rest and name.kind != FOLD:
            yield (
                f"warning: the folder {own!r} has the name of a split, but no folders of the classes in it, so that it "
                f"is read as a class: if its pictures are of no class of their own, leave it out: --exclude {own!r}"
            )


def listed(names: Iterable[str], most: int = 5) -> str:
    """The names in order, with the number of those after the first `most`."""
    ordered = sorted(names)
    shown = ", ".join(ordered[:most])
    return f"{shown} and {len(ordered) - most} more" if len(ordered) > most else shown


def _count(folder: Folder) -> int:
    return sum(1 for _ in folder.below())
