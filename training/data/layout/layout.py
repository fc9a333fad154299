"""Which class, and which split, each file is of: told by its folders, its name, or lists and tables beside it."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from training.data.layout.class_folders import Placed, place
from training.data.layout.folder_tree import spelt, tree
from training.data.layout.ignored_files import without_system_files
from training.data.layout.label_table import from_table
from training.data.layout.labels import Labels, from_names, hints
from training.data.layout.oxford_pets import oxford_pets
from training.data.layout.similar_names import warnings
from training.data.options import SPLITS, DataOptions
from training.data.sources.source import BadData, Source

SIDES = SPLITS
KNOWN_NAMES = {frozenset({"Cat", "Dog"}): {"Cat": "cat", "Dog": "dog"}}
"""Downloads whose folders are not named as their classes should be: the Kaggle/Microsoft one capitalises them."""


@dataclass(frozen=True)
class Layout:
    """The class of each file, by name of its folder (or by its label), and its side where somebody split the data:
    `train`, `validation` or `test`.

    `outside` are the files that have no class, for the reason in `without`; `names` is what a folder's class is called,
    where that is not the folder's own name. `missing` are files that a table lists and the data lacks, `contradictory`
    those that it gives several labels, in words. `notes` are lines for the user.
    """

    folders: tuple[str, ...]
    folder_of: Mapping[str, str]
    outside: tuple[str, ...]
    side_of: Mapping[str, str] = field(default_factory=dict)
    names: Mapping[str, str] = field(default_factory=dict)
    without: str = "beside the class folders"
    missing: tuple[str, ...] = ()
    contradictory: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def layout(source: Source, options: DataOptions | None = None, *, least: int = 2) -> Layout:
    """Find the classes; what systems make, and what the options exclude, is left out.

    Raises BadData when there are fewer than `least` classes, or when it is not clear what the classes are.
    """
    options = options or DataOptions()
    kept = without_system_files(source.names, options.exclude)
    files = [name for name in kept.names if not name.endswith("/")]
    if options.labels or options.label_from:
        found = _by_labels(source, files, options)
    else:
        found = _by_folders(source, kept.names, files, options)
    if len(found.folders) < least:
        raise BadData(_too_few(found, files, least))
    return _with_notes(found, (*source.notes, *kept.notes))


def _with_notes(found: Layout, notes: tuple[str, ...]) -> Layout:
    return Layout(**{**vars(found), "notes": (*notes, *found.notes)})


def _by_folders(source: Source, names: tuple[str, ...], files: list[str], options: DataOptions) -> Layout:
    parts = {name: tuple(map(spelt, name.split("/"))) for name in files}
    if (pets := oxford_pets(parts, source.read)) and not options.class_level and not options.split:
        titles = {folder: folder.replace("_", " ").title() for folder in pets.classes}
        return _placed(pets, files, titles)
    placed = place(tree(names), options.splits(), options.class_level)
    return _placed(placed, files, KNOWN_NAMES.get(frozenset(placed.classes), {}))


def _placed(placed: Placed, files: list[str], titles: Mapping[str, str]) -> Layout:
    outside = tuple(sorted(set(files) - set(placed.folder_of)))
    classes = tuple(sorted(placed.classes))
    notes = (*placed.notes, *_merged(placed))
    return Layout(classes, placed.folder_of, outside, placed.split_of, titles, notes=notes)


def _merged(placed: Placed) -> list[str]:
    """A line for each class whose folder's name is written in two ways that look the same."""
    written: dict[str, set[str]] = {}
    for name, folder in placed.folder_of.items():
        written.setdefault(folder, set()).update(part for part in name.split("/")[:-1] if spelt(part) == folder)
    return [
        f"the folders of {folder!r} are spelt with composed letters here and decomposed ones there (as macOS does): "
        "they are one class"
        for folder, forms in sorted(written.items())
        if len(forms) > 1
    ]


def _by_labels(source: Source, files: list[str], options: DataOptions) -> Layout:
    found = from_names(files, options.label_from) if options.label_from else from_table(source, files, options)
    labelled = {*found.folder_of, *found.contradictory}
    outside = tuple(sorted(name for name in files if name not in labelled and not _is_table(name, options)))
    return Layout(
        folders=tuple(sorted(set(found.folder_of.values()))),
        folder_of=found.folder_of,
        outside=outside,
        side_of=_chosen_splits(found, options),
        without=found.without,
        missing=found.missing,
        contradictory=found.contradictory,
        notes=found.notes,
    )


def _is_table(name: str, options: DataOptions) -> bool:
    return options.labels is not None and name.endswith(options.labels.replace("\\", "/").removeprefix("./"))


def _chosen_splits(found: Labels, options: DataOptions) -> dict[str, str]:
    """The splits that were found, and those that the user gives by folder."""
    chosen = options.splits()
    by_folder = {
        name: chosen[part] for name in found.folder_of for part in spelt(name).split("/")[:-1] if part in chosen
    }
    if unknown := sorted(set(chosen) - {part for name in found.folder_of for part in spelt(name).split("/")[:-1]}):
        raise BadData(f"--split: no folder of the labelled photos is called {unknown[0]!r}")
    return {**found.split_of, **by_folder}


def _too_few(found: Layout, files: list[str], least: int) -> str:
    wanted = "two classes or more are needed" if least > 1 else "a class is needed"
    way_out = hints(files)
    if found.folders:
        return f"{wanted}, one sub-folder of pictures each; here is only {found.folders[0]!r}{way_out}"
    return f"{wanted}, one sub-folder of pictures each; here are {len(files):,} files in no class folder{way_out}"


def known_folders(found: Layout, renamed: Mapping[str, str]) -> None:
    """Raises BadData when `renamed` names no folder."""
    if unknown := {spelt(folder) for folder in renamed} - set(found.folders):
        raise BadData(f"no folder is called {sorted(unknown)[0]!r}; there are: {', '.join(found.folders)}")


def class_names(found: Layout, renamed: Mapping[str, str]) -> tuple[str, ...]:
    """What the classes are called: as `renamed` says, else as the layout knows, else as their folders are.

    Raises BadData when `renamed` names no folder, or two classes would be called the same.
    """
    known_folders(found, renamed)
    chosen = {spelt(folder): name for folder, name in renamed.items()}
    names = tuple(spelt(chosen.get(folder) or found.names.get(folder) or folder) for folder in found.folders)
    for name in names:
        try:
            name.encode()
        except UnicodeEncodeError as error:
            raise BadData(
                f"the name of the folder {name!r} is no text in this system's encoding: set PYTHONUTF8=1 where the "
                "system has another encoding than UTF-8, or else give the class a name by --rename"
            ) from error
    for name in names:
        if names.count(name) > 1:
            folders = " and ".join(
                repr(folder) for folder, own in zip(found.folders, names, strict=True) if own == name
            )
            raise BadData(
                f"the folders {folders} would both be the class {name!r}: give one of them another name, as in "
                f"--rename '{found.folders[names.index(name)]}=NAME', or move the photos into one folder"
            )
    return names


def lines_for_user(found: Layout, names: tuple[str, ...]) -> list[str]:
    """What the user should know of how the data was read: what was left out or assumed, and names that look alike."""
    return [*found.notes, *warnings(names)]
