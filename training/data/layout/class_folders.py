"""Which class, and which split, each file is of, by the folders that it lies in."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from training.data.layout.ambiguous_folders import called_as_splits, check_clear, listed, shared_folders
from training.data.layout.folder_tree import Folder, unwrapped
from training.data.layout.ignored_files import has_pictures
from training.data.layout.split_names import FOLD, all_splits, classes_with_splits, read_name, splits_among
from training.data.options import SPLITS
from training.data.sources.source import BadData


@dataclass(frozen=True)
class Placed:
    """The class folder of each file by its name, its split where the data has one, and the classes, empty ones too."""

    folder_of: Mapping[str, str]
    split_of: Mapping[str, str]
    classes: frozenset[str]
    notes: tuple[str, ...] = ()


Place = tuple[Folder, str, str]
"""A folder all of whose files are of one class, the class, and the split (empty where none is given)."""


def place(top: Folder, chosen: Mapping[str, str], level: int | None) -> Placed:
    """Find the class folders below any wrappers, and a split above them, below them, or in their names.

    `chosen` is the split of folders that the user named, `level` the level at which the user says that the classes are.
    Raises BadData where it is not clear which folders are the classes.
    """
    unknown = set(chosen) - {folder.name for folder in top.walk()}
    if unknown:
        raise BadData(f"--split: no folder below the data is called {sorted(unknown)[0]!r}")
    places = list(_at_level(top, chosen, level) if level else _found(unwrapped(top), chosen))
    classes = frozenset(name for _, name, _ in places)
    if len(classes) > 1 and (parts := splits_among(classes)) and len(parts) == len(classes):
        raise BadData(
            f"the folders {listed(classes)} hold no class folders but are called as splits are: give the folder of "
            "one data set, or the level of the classes by --class-level, or the labels by --label-from or --labels"
        )
    split_of = {name: split for folder, _, split in places if split for name in folder.below()}
    folder_of = {name: own for folder, own, _ in places for name in folder.below()}
    return Placed(folder_of, split_of, classes, (*_notes(places), *([] if split_of else called_as_splits(classes))))


def _found(node: Folder, chosen: Mapping[str, str]) -> Iterator[Place]:
    both = classes_with_splits(_with_pictures(node))
    if both and not chosen:
        check_clear(_with_pictures(node))  # `small_train`, `large_train` of the same classes
    if both and not shared_folders(_with_pictures(node)):
        yield from ((node.folders[name], own, split) for name, (own, split) in both.items())
        return
    if not chosen and (beside := _beside_classes(node)):
        parts = [(name, own, below) for name in beside for own, below in node.folders[name].folders.items()]
        yield from ((below, own, beside[name]) for name, own, below in parts)
        yield from ((folder, own, "") for own, folder in _with_pictures(node).items() if own not in beside)
        return
    splits = splits_among(node.folders, chosen)
    if not splits and not chosen and shared_folders(node.folders):
        splits = all_splits(node.folders)  # `train`, `test_clean`, `test_other`
    if splits:
        opened = _in_splits([node.folders[name] for name in splits])
        for split, folder in zip(splits.values(), opened, strict=True):
            yield from ((each, own, split) for own, each in _with_pictures(folder).items())
        return
    classes = _with_pictures(node)
    if len(classes) == 1 < len(node.folders) and (only := next(iter(classes.values()))).folders:
        yield from _found(unwrapped(only), chosen)  # `train` of classes, beside `annotations`
        return
    if splits := splits_among({below.name for folder in classes.values() for below in _inner(folder)}, chosen):
        of_class = {own: [part for part in _inner(folder) if part.name in splits] for own, folder in classes.items()}
        if not chosen:  # `small/train/cat`, `large/train/cat`
            check_clear({own: _together(parts) for own, parts in of_class.items() if parts})
        for own, folder in classes.items():
            yield from ((part, own, splits[part.name]) for part in of_class[own])
            placed = {name for part in of_class[own] for name in part.below()}
            yield Folder(folder.path, {}, [name for name in folder.below() if name not in placed]), own, ""
        return
    check_clear(classes)
    yield from ((folder, own, "") for own, folder in classes.items())


def _in_splits(splits: list[Folder]) -> list[Folder]:
    """The folder in each part of a split whose folders are the classes, below any that merely wraps them.

    A part may lack classes, so that it is not clear from it alone: it is read as the one with the most classes is.
    """
    classes = set(max(map(_in_split, splits), key=lambda folder: len(folder.folders)).folders)
    likest = [max(_nested(split), key=lambda folder: len(classes & set(folder.folders))) for split in splits]
    return [
        like if classes & set(like.folders) else _in_split(split) for like, split in zip(likest, splits, strict=True)
    ]


def _nested(folder: Folder) -> list[Folder]:
    """The folder, the only one in it, the only one in that, and so on."""
    nested = [folder]
    while len(nested[-1].folders) == 1:
        nested += nested[-1].folders.values()
    return nested


def _in_split(split: Folder) -> Folder:
    """A split's folder without what merely wraps its classes: Kaggle's `training_set/training_set/cats`."""
    while len(split.folders) == 1:
        (only,) = split.folders.values()
        if len(only.folders) < 2 and read_name(only.name) is None:
            break
        split = only
    return split


def _inner(folder: Folder) -> list[Folder]:
    """The folders in a class's, and those in one that may merely wrap its split: `cat/images/train`."""
    directly = list(folder.folders.values())
    return directly + (list(directly[0].folders.values()) if len(directly) == 1 else [])


def _with_pictures(node: Folder) -> dict[str, Folder]:
    """The folders that may be classes: all but those whose files are tables, texts and the like (`annotations`)."""
    found = {name: folder for name, folder in node.folders.items() if has_pictures(folder.below()) or _is_empty(folder)}
    return found or dict(node.folders)


def _is_empty(folder: Folder) -> bool:
    return next(folder.below(), None) is None


def _beside_classes(node: Folder) -> dict[str, str]:
    """The split of each folder that has the classes of a split beside those to train on: `cat`, `dog`, `test/cat`."""
    parts = {name: folder for name, folder in node.folders.items() if _is_part(folder)}
    kinds = all_splits(parts, alone=True)
    others = set(node.folders) - set(parts)
    inside = {name for folder in parts.values() for name in folder.folders}
    if not inside or not inside <= others or (len(set(kinds.values())) > 1 and "train" in kinds.values()):
        return {}
    return kinds


def _is_part(folder: Folder) -> bool:
    name = read_name(folder.name)
    return name is not None and not name.rest and name.kind != FOLD and not has_pictures(folder.files)


def _together(parts: Iterable[Folder]) -> Folder:
    """A folder as if all that lies in these lay in it."""
    parts = list(parts)
    folders = {name: folder for part in parts for name, folder in part.folders.items()}
    return Folder(parts[0].path, folders, [name for part in parts for name in part.files])


def _at_level(top: Folder, chosen: Mapping[str, str], level: int) -> Iterator[Place]:
    """The classes at a level that the user names; folders above, or directly below, may be those of a split."""
    nodes: list[tuple[Folder, str]] = [(top, "")]
    for _ in range(level - 1):
        nodes = [
            (below, splits.get(name, split))
            for folder, split in nodes
            for splits in (splits_among(folder.folders, _among(folder, chosen)),)
            for name, below in folder.folders.items()
        ]
    for folder, split in nodes:
        for own, each in _with_pictures(folder).items():
            splits = splits_among(each.folders, _among(each, chosen))
            if not split and splits and set(splits) == set(each.folders):
                yield from ((below, own, splits[name]) for name, below in each.folders.items())
                yield Folder(each.path, {}, each.files), own, ""
            else:
                yield each, own, split


def _among(folder: Folder, chosen: Mapping[str, str]) -> dict[str, str]:
    return {name: split for name, split in chosen.items() if name in folder.folders}


def _notes(places: Iterable[Place]) -> Iterator[str]:
    splits: dict[str, set[str]] = {}
    for folder, _, split in places:
        fold = next((part for part in folder.path if (name := read_name(part)) and name.kind == FOLD), "")
        if split and fold:
            splits.setdefault(split, set()).add(fold)
    if splits:
        told = ", ".join(f"{split} is {listed(splits[split])}" for split in SPLITS if split in splits)
        yield f"the data has folds: {told}; give --split FOLDER=SPLIT to choose others"
