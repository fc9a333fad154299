"""Which class, and which side of a split, each file is of: told from its folders, or from the lists beside it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from training.data.sources import BadData, Source

SIDES = ("train", "validation", "test")
SIDE_OF_FOLDER = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("val", "valid", "validation"), "validation"),
    **dict.fromkeys(("test", "testing"), "test"),
}
KNOWN_NAMES = {frozenset({"Cat", "Dog"}): {"Cat": "cat", "Dog": "dog"}}
"""Downloads whose folders are not named as their classes should be: the Kaggle/Microsoft one capitalises them."""

Parts = tuple[str, ...]


@dataclass(frozen=True)
class Layout:
    """The class of each file, by name of its folder, and its side where somebody split the data: `train`,
    `validation` or `test`.

    `outside` are the files that lie in no class's folder; `names` is what a folder's class is called, where that is
    not the folder's own name.
    """

    folders: tuple[str, ...]
    folder_of: Mapping[str, str]
    outside: tuple[str, ...]
    side_of: Mapping[str, str] = field(default_factory=dict)
    names: Mapping[str, str] = field(default_factory=dict)


def layout(source: Source) -> Layout:
    """Find the class folders, below any folders that merely wrap them and the sides of a split.

    Oxford-IIIT Pet's own layout has no class folders: there the class is part of each file's name, and two lists have
    the official split. Raises BadData when there are not two classes.
    """
    paths = {name: tuple(name.split("/")) for name in source.names if not _is_machine_made(name)}
    files = {name: parts for name, parts in paths.items() if parts[-1]}
    found = _oxford_pets(files, source.read) or _class_folders(paths, files)
    if len(found.folders) < 2:
        told = f"only {found.folders[0]!r}" if found.folders else f"{len(files)} files in no sub-folder"
        raise BadData(f"two classes or more are needed, one sub-folder of pictures each; here are {told}")
    return found


def _class_folders(paths: Mapping[str, Parts], files: Mapping[str, Parts]) -> Layout:
    depth, is_split = _depth_of_classes(list(paths.values()))

    def belongs(parts: Parts) -> bool:
        return len(parts) > depth + 1 and (not is_split or parts[depth - 1].lower() in SIDE_OF_FOLDER)

    folder_of = {name: parts[depth] for name, parts in files.items() if belongs(parts)}
    # An empty folder is a class too: without a photo, which `split` will say.
    folders = tuple(sorted({parts[depth] for parts in paths.values() if belongs(parts)}))
    sides = {name: SIDE_OF_FOLDER[files[name][depth - 1].lower()] for name in folder_of} if is_split else {}
    known = KNOWN_NAMES.get(frozenset(folders), {})
    return Layout(folders, folder_of, tuple(sorted(set(files) - set(folder_of))), sides, known)


def _depth_of_classes(paths: list[Parts]) -> tuple[int, bool]:
    """At which depth the class folders lie, and whether the folders above them are the sides of a split."""
    depth = 0
    while True:
        folders = {parts[depth] for parts in paths if len(parts) > depth + 1}
        sides = {SIDE_OF_FOLDER.get(folder.lower()) for folder in folders}
        if "train" in sides and sides & {"validation", "test"}:
            return depth + 1, True
        if len(folders) != 1 or not any(len(parts) > depth + 2 and parts[depth + 1] for parts in paths):
            return depth, False
        depth += 1


def _oxford_pets(files: Mapping[str, Parts], read: Callable[[str], bytes]) -> Layout | None:
    """`images/great_pyrenees_12.jpg` beside `annotations/trainval.txt` is a `great_pyrenees`; None in other layouts."""
    lists = {parts[-1]: name for name, parts in files.items() if parts[-2:-1] == ("annotations",)}
    if "trainval.txt" not in lists or "test.txt" not in lists:
        return None
    above = files[lists["trainval.txt"]][:-2]
    listed = {
        line.split(" ")[0]: side
        for side, name in (("train", "trainval.txt"), ("test", "test.txt"))
        for line in read(lists[name]).decode("utf-8", "replace").splitlines()
    }
    folder_of, side_of = {}, {}
    for name, parts in files.items():
        breed, _, _ = parts[-1].rpartition("_")
        if parts[:-1] == (*above, "images") and breed:
            folder_of[name] = breed
            if side := listed.get(parts[-1].rpartition(".")[0]):
                side_of[name] = side
    folders = tuple(sorted(set(folder_of.values())))
    names = {folder: folder.replace("_", " ").title() for folder in folders}
    return Layout(folders, folder_of, tuple(sorted(set(files) - set(folder_of))), side_of, names)


def _is_machine_made(name: str) -> bool:
    # macOS adds `__MACOSX/` to zips; `.git`, `.ipynb_checkpoints` and the like are nobody's class.
    return any(part == "__MACOSX" or (part.startswith(".") and part not in (".", "..")) for part in name.split("/"))


def known_folders(found: Layout, renamed: Mapping[str, str]) -> None:
    """Raises BadData when `renamed` names no folder."""
    if unknown := set(renamed) - set(found.folders):
        raise BadData(f"no folder is called {sorted(unknown)[0]!r}; there are: {', '.join(found.folders)}")


def class_names(found: Layout, renamed: Mapping[str, str]) -> tuple[str, ...]:
    """What the classes are called: as `renamed` says, else as the layout knows, else as their folders are.

    Raises BadData when `renamed` names no folder, or two classes would be called the same.
    """
    known_folders(found, renamed)
    names = tuple(renamed.get(folder) or found.names.get(folder) or folder for folder in found.folders)
    for name in names:
        try:
            name.encode()
        except UnicodeEncodeError as error:
            raise BadData(f"the name of the folder {name!r} is no text: give the class one by --rename") from error
    if len({name.casefold() for name in names}) < len(names):
        raise BadData(f"two classes would have one name: {', '.join(names)}")
    return names
