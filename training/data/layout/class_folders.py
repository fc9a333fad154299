"""The class and the split of each file, read from the folders that it lies in."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from training.data.layout.ambiguous_folders import join_names, split_name_warnings
from training.data.layout.folder_layouts import ClassFolder, may_be_classes, read_folders
from training.data.layout.folder_tree import Folder, skip_wrappers
from training.data.layout.split_names import FOLD, read_name, splits_among
from training.data.options import SPLITS
from training.data.sources.source import BadData


@dataclass(frozen=True)
class Assignment:
    """The class folder and the split (if any) of each file, all classes, even empty ones, and messages for users."""

    folder_of: Mapping[str, str]
    split_of: Mapping[str, str]
    classes: frozenset[str]
    notes: tuple[str, ...] = ()


def assign_by_folders(top: Folder, chosen: Mapping[str, str], level: int | None) -> Assignment:
    """Find the class folders below any wrappers, and the splits, which may be above them, below them or in their names.

    `chosen` are the splits of folders that the user has given, `level` is the level at which the user says the classes
    are. Raises BadData where it is not clear which folders are the classes.
    """
    unknown = set(chosen) - {folder.name for folder in top.walk()}
    if unknown:
        raise BadData(f"--split: there is no folder {sorted(unknown)[0]!r} in the data")
    folders = list(_read_at_level(top, chosen, level) if level else read_folders(skip_wrappers(top), chosen))
    classes = frozenset(folder.label for folder in folders)
    _check_not_all_splits(classes)
    split_of = {name: folder.split for folder in folders if folder.split for name in folder.folder.all_files()}
    folder_of = {name: folder.label for folder in folders for name in folder.folder.all_files()}
    warnings = [] if split_of else split_name_warnings(classes)
    return Assignment(folder_of, split_of, classes, (*_fold_notes(folders), *warnings))


def _check_not_all_splits(classes: frozenset[str]) -> None:
    """Raises BadData where all classes would have the names of splits."""
    if len(classes) > 1 and len(splits_among(classes)) == len(classes):
        raise BadData(
            f"the folders {join_names(classes)} have the names of splits, but there are no class folders in them: give "
            "the folder of one data set, or the level of the class folders by --class-level, or the labels by "
            "--label-from or --labels"
        )


def _read_at_level(top: Folder, chosen: Mapping[str, str], level: int) -> Iterator[ClassFolder]:
    """The class folders at the level that the user gives; folders above or directly below may be those of splits."""
    parents: list[tuple[Folder, str]] = [(top, "")]
    for _ in range(level - 1):
        parents = [
            (below, splits.get(name, split))
            for folder, split in parents
            for splits in (splits_among(folder.folders, _chosen_among(folder, chosen)),)
            for name, below in folder.folders.items()
        ]
    for parent, split in parents:
        for label, folder in may_be_classes(parent).items():
            splits = splits_among(folder.folders, _chosen_among(folder, chosen))
            if not split and splits and set(splits) == set(folder.folders):
                yield from (ClassFolder(below, label, splits[name]) for name, below in folder.folders.items())
                yield ClassFolder(Folder(folder.path, {}, folder.files), label)
            else:
                yield ClassFolder(folder, label, split)


def _chosen_among(folder: Folder, chosen: Mapping[str, str]) -> dict[str, str]:
    return {name: split for name, split in chosen.items() if name in folder.folders}


def _fold_notes(folders: Iterable[ClassFolder]) -> Iterator[str]:
    """A message on which folds are which split, where the data has folds."""
    folds: dict[str, set[str]] = {}
    for folder in folders:
        fold = next((part for part in folder.folder.path if (name := read_name(part)) and name.kind == FOLD), "")
        if folder.split and fold:
            folds.setdefault(folder.split, set()).add(fold)
    if folds:
        used = ", ".join(f"{split} is {join_names(folds[split])}" for split in SPLITS if split in folds)
        yield f"the data has folds: {used}; to choose others, give --split FOLDER=SPLIT"
