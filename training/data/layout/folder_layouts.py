"""The ways in which data sets arrange class folders and splits, each recognised by one function."""

from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

from training.data.layout.ambiguous_folders import check_unambiguous, shared_folders
from training.data.layout.folder_tree import Folder, skip_wrappers
from training.data.layout.ignored_files import has_pictures
from training.data.layout.split_names import FOLD, all_splits, classes_with_splits, read_name, splits_among


class ClassFolder(NamedTuple):
    """A folder all of whose files are of the class `label`, and of `split`, which is empty where the data has none."""

    folder: Folder
    label: str
    split: str = ""


def read_folders(top: Folder, chosen: Mapping[str, str]) -> list[ClassFolder]:
    """The class folders below `top`; `chosen` are the splits of folders that the user has given. Raises BadData.

    The arrangements are tried in turn, and the first that fits is taken.
    """
    for read in ARRANGEMENTS:
        if (folders := read(top, chosen)) is not None:
            return folders
    return _plain_classes(top)


def may_be_classes(top: Folder) -> dict[str, Folder]:
    """The folders that may be classes: those with pictures, and empty ones, but not `annotations` or `labels`.

    If there are none of these, all folders.
    """
    classes = {
        name: folder for name, folder in top.folders.items() if has_pictures(folder.all_files()) or _is_empty(folder)
    }
    return classes or dict(top.folders)


def _is_empty(folder: Folder) -> bool:
    return next(folder.all_files(), None) is None


def _splits_in_class_names(top: Folder, chosen: Mapping[str, str]) -> list[ClassFolder] | None:
    """`cat_train`, `cat_test`, `dog_train`, `dog_test`."""
    classes = may_be_classes(top)
    names = classes_with_splits(classes)
    if not names:
        return None
    if not chosen:
        check_unambiguous(classes)  # `small_train` and `large_train`, with the same class folders in both
    if shared_folders(classes):
        return None
    return [ClassFolder(top.folders[name], label, split) for name, (label, split) in names.items()]


def _test_beside_classes(top: Folder, chosen: Mapping[str, str]) -> list[ClassFolder] | None:
    """`cat`, `dog`, `test/cat`, `test/dog`: the classes for training lie beside the folder of another split."""
    if chosen:
        return None
    split_folders = {name: folder for name, folder in top.folders.items() if _is_split_folder(folder)}
    splits = all_splits(split_folders, alone=True)
    classes = set(top.folders) - set(split_folders)
    labels = {label for folder in split_folders.values() for label in folder.folders}
    several_with_train = len(set(splits.values())) > 1 and "train" in splits.values()
    if not splits or not labels or not labels <= classes or several_with_train:
        return None
    in_splits = [
        ClassFolder(folder, label, split)
        for name, split in splits.items()
        for label, folder in top.folders[name].folders.items()
    ]
    beside = [ClassFolder(folder, label) for label, folder in may_be_classes(top).items() if label not in splits]
    return in_splits + beside


def _is_split_folder(folder: Folder) -> bool:
    """Whether it is called `test` or the like, has nothing else in its name, and no pictures directly in it."""
    name = read_name(folder.name)
    return name is not None and not name.rest and name.kind != FOLD and not has_pictures(folder.files)


def _splits_above_classes(top: Folder, chosen: Mapping[str, str]) -> list[ClassFolder] | None:
    """`train/cat`, `train/dog`, `test/cat`, `test/dog`."""
    splits = splits_among(top.folders, chosen)
    if not splits and not chosen and shared_folders(top.folders):
        splits = all_splits(top.folders)  # `train`, `test_clean`, `test_other`
    if not splits:
        return None
    parents = _parents_of_classes([top.folders[name] for name in splits])
    return [
        ClassFolder(folder, label, split)
        for split, parent in zip(splits.values(), parents, strict=True)
        for label, folder in may_be_classes(parent).items()
    ]


def _classes_beside_texts(top: Folder, chosen: Mapping[str, str]) -> list[ClassFolder] | None:
    """`train/cat`, `train/dog`, `annotations`: the classes are in the only folder that has pictures."""
    classes = may_be_classes(top)
    if len(classes) != 1 or len(top.folders) == 1:
        return None
    (only,) = classes.values()
    return read_folders(skip_wrappers(only), chosen) if only.folders else None


def _splits_below_classes(top: Folder, chosen: Mapping[str, str]) -> list[ClassFolder] | None:
    """`cat/train`, `cat/test`, `dog/train`, `dog/test`."""
    classes = may_be_classes(top)
    splits = splits_among({inner.name for folder in classes.values() for inner in _inner_folders(folder)}, chosen)
    if not splits:
        return None
    parts = {
        label: [inner for inner in _inner_folders(folder) if inner.name in splits] for label, folder in classes.items()
    }
    if not chosen:  # `small/train/cat`, `large/train/cat`
        check_unambiguous({label: _merge(folders) for label, folders in parts.items() if folders})
    result = []
    for label, folder in classes.items():
        result += [ClassFolder(part, label, splits[part.name]) for part in parts[label]]
        in_parts = {name for part in parts[label] for name in part.all_files()}
        others = [name for name in folder.all_files() if name not in in_parts]
        result.append(ClassFolder(Folder(folder.path, {}, others), label))
    return result


def _plain_classes(top: Folder) -> list[ClassFolder]:
    """`cat`, `dog`. Raises BadData where the classes may be one level below."""
    classes = may_be_classes(top)
    check_unambiguous(classes)
    return [ClassFolder(folder, label) for label, folder in classes.items()]


ARRANGEMENTS: tuple[Callable[[Folder, Mapping[str, str]], list[ClassFolder] | None], ...] = (
    _splits_in_class_names,
    _test_beside_classes,
    _splits_above_classes,
    _classes_beside_texts,
    _splits_below_classes,
)
"""The arrangements in the order in which they are tried; each returns None where it does not fit."""


def _parents_of_classes(splits: list[Folder]) -> list[Folder]:
    """For each folder of a split the folder in it, below any wrappers, whose folders are the classes.

    A split may lack classes, so that its own folders do not show where they are: all are read like the split with the
    most classes.
    """
    classes = set(max(map(_skip_split_wrappers, splits), key=lambda folder: len(folder.folders)).folders)
    parents = []
    for split in splits:
        best = max(_chain(split), key=lambda folder: len(classes & set(folder.folders)))
        parents.append(best if classes & set(best.folders) else _skip_split_wrappers(split))
    return parents


def _chain(folder: Folder) -> list[Folder]:
    """The folder, the only folder in it, the only folder in that one, and so on."""
    chain = [folder]
    while len(chain[-1].folders) == 1:
        chain += chain[-1].folders.values()
    return chain


def _skip_split_wrappers(split: Folder) -> Folder:
    """The folder below wrappers such as Kaggle's `training_set/training_set/cats`."""
    while len(split.folders) == 1:
        (only,) = split.folders.values()
        if len(only.folders) < 2 and read_name(only.name) is None:
            break
        split = only
    return split


def _inner_folders(folder: Folder) -> list[Folder]:
    """The folders in a class folder, and those in its only folder, which may be a wrapper: `cat/images/train`."""
    inner = list(folder.folders.values())
    return inner + (list(inner[0].folders.values()) if len(inner) == 1 else [])


def _merge(folders: Iterable[Folder]) -> Folder:
    """One folder with the folders and files of all of these."""
    folders = list(folders)
    inner = {name: below for folder in folders for name, below in folder.folders.items()}
    return Folder(folders[0].path, inner, [name for folder in folders for name in folder.files])
