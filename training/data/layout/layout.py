"""The class and the split of each file: the entry to this package, whatever the labels are read from."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from training.data.layout.class_folders import Assignment, assign_by_folders
from training.data.layout.folder_tree import build_tree, nfc
from training.data.layout.ignored_files import without_ignored_files
from training.data.layout.label_table import from_table
from training.data.layout.labels import Labels, from_names, label_hint
from training.data.layout.oxford_pets import oxford_pets
from training.data.layout.similar_names import similar_name_warnings
from training.data.options import DataOptions
from training.data.sources.source import BadData, Source

KNOWN_NAMES = {frozenset({"Cat", "Dog"}): {"Cat": "cat", "Dog": "dog"}}
"""Class names for downloads whose folders have other names: the one of Kaggle/Microsoft capitalises them."""


@dataclass(frozen=True)
class Layout:
    """The class folder (or label) of each file, and its split where the data has splits: train, validation or test.

    `outside` are the files without a class, and `no_class_reason` says why they have none. `names` has the class names
    of folders whose own names are not the class names. `missing` are files that a table lists but that do not exist;
    `contradictory` has the labels, as text, of files to which a table gives several. `notes` are messages for the user.
    """

    folders: tuple[str, ...]
    folder_of: Mapping[str, str]
    outside: tuple[str, ...]
    split_of: Mapping[str, str] = field(default_factory=dict)
    names: Mapping[str, str] = field(default_factory=dict)
    no_class_reason: str = "beside the class folders"
    missing: tuple[str, ...] = ()
    contradictory: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def layout(source: Source, options: DataOptions | None = None, *, least: int = 2) -> Layout:
    """Find the class and the split of each file, without files of the system and files that the options exclude.

    Raises BadData when there are fewer than `least` classes, or when it is not clear which folders are the classes.
    """
    options = options or DataOptions()
    selection = without_ignored_files(source.names, options.exclude)
    files = [name for name in selection.names if not name.endswith("/")]
    if options.labels or options.label_from:
        result = _by_labels(source, files, options)
    else:
        result = _by_folders(source, selection.names, files, options)
    if len(result.folders) < least:
        raise BadData(_too_few_classes(result, files, least))
    return _with_notes(result, (*source.notes, *selection.notes))


def _with_notes(layout: Layout, notes: tuple[str, ...]) -> Layout:
    return replace(layout, notes=(*notes, *layout.notes))


def _by_folders(source: Source, names: tuple[str, ...], files: list[str], options: DataOptions) -> Layout:
    parts = {name: tuple(map(nfc, name.split("/"))) for name in files}
    if (pets := oxford_pets(parts, source.read)) and not options.class_level and not options.split:
        names_of_breeds = {folder: folder.replace("_", " ").title() for folder in pets.classes}
        return _from_assignment(pets, files, names_of_breeds)
    assignment = assign_by_folders(build_tree(names), options.splits(), options.class_level)
    return _from_assignment(assignment, files, KNOWN_NAMES.get(frozenset(assignment.classes), {}))


def _from_assignment(assignment: Assignment, files: list[str], class_names: Mapping[str, str]) -> Layout:
    outside = tuple(sorted(set(files) - set(assignment.folder_of)))
    folders = tuple(sorted(assignment.classes))
    notes = (*assignment.notes, *_merged_folder_notes(assignment))
    return Layout(folders, assignment.folder_of, outside, assignment.split_of, class_names, notes=notes)


def _merged_folder_notes(assignment: Assignment) -> list[str]:
    """A message for each class whose folders have names that look the same but consist of different characters."""
    spellings: dict[str, set[str]] = {}
    for name, folder in assignment.folder_of.items():
        spellings.setdefault(folder, set()).update(part for part in name.split("/")[:-1] if nfc(part) == folder)
    return [
        f"some folders of {folder!r} are spelt with composed letters (Unicode NFC) and some with decomposed letters "
        "(NFD, as on macOS): they are read as one class"
        for folder, names in sorted(spellings.items())
        if len(names) > 1
    ]


def _by_labels(source: Source, files: list[str], options: DataOptions) -> Layout:
    labels = from_names(files, options.label_from) if options.label_from else from_table(source, files, options)
    labelled = {*labels.folder_of, *labels.contradictory}
    outside = tuple(sorted(name for name in files if name not in labelled and not _is_table(name, options)))
    return Layout(
        folders=tuple(sorted(set(labels.folder_of.values()))),
        folder_of=labels.folder_of,
        outside=outside,
        split_of=_splits_of_files(labels, options),
        no_class_reason=labels.no_class_reason,
        missing=labels.missing,
        contradictory=labels.contradictory,
        notes=labels.notes,
    )


def _is_table(name: str, options: DataOptions) -> bool:
    return options.labels is not None and name.endswith(options.labels.replace("\\", "/").removeprefix("./"))


def _splits_of_files(labels: Labels, options: DataOptions) -> dict[str, str]:
    """The splits that the labels give, replaced by those that the user gives to folders; raises BadData."""
    chosen = options.splits()
    folders_of = {name: nfc(name).split("/")[:-1] for name in labels.folder_of}
    if unknown := sorted(set(chosen) - {folder for folders in folders_of.values() for folder in folders}):
        raise BadData(f"--split: no labelled photo is in a folder {unknown[0]!r}")
    by_folder = {name: chosen[folder] for name, folders in folders_of.items() for folder in folders if folder in chosen}
    return {**labels.split_of, **by_folder}


def _too_few_classes(layout: Layout, files: list[str], least: int) -> str:
    requirement = "at least two classes are needed" if least > 1 else "at least one class is needed"
    if not files:
        return f"{requirement}, each a sub-folder with its pictures, but there are no files: check the path of the data"
    situation = f"there is only {layout.folders[0]!r}" if layout.folders else f"none of {len(files):,} files is in one"
    return f"{requirement}, each a sub-folder with its pictures, but {situation}{label_hint(files)}"


def check_renamed_folders(layout: Layout, renamed: Mapping[str, str]) -> None:
    """Raises BadData when `renamed` has a folder that is not a class folder."""
    if unknown := {nfc(folder) for folder in renamed} - set(layout.folders):
        raise BadData(
            f"--rename: there is no class folder {sorted(unknown)[0]!r}; the class folders are: "
            f"{', '.join(layout.folders)}"
        )


def class_names(layout: Layout, renamed: Mapping[str, str]) -> tuple[str, ...]:
    """The name of each class: the one in `renamed`, else the one that the layout has, else the name of the folder.

    Raises BadData when `renamed` has a folder that is not a class folder, when two classes would have the same name, or
    when a name is not valid text.
    """
    check_renamed_folders(layout, renamed)
    chosen = {nfc(folder): name for folder, name in renamed.items()}
    names = tuple(nfc(chosen.get(folder) or layout.names.get(folder) or folder) for folder in layout.folders)
    for name in names:
        try:
            name.encode()
        except UnicodeEncodeError as error:
            raise BadData(
                f"the folder name {name!r} cannot be decoded as UTF-8: set PYTHONUTF8=1 if this system uses another "
                "encoding, or give the class a name by --rename"
            ) from error
    for name in names:
        if names.count(name) > 1:
            folders = [folder for folder, own_name in zip(layout.folders, names, strict=True) if own_name == name]
            raise BadData(
                f"the folders {' and '.join(map(repr, folders))} would both become the class {name!r}: give one of "
                f"them another name, such as --rename '{folders[0]}=NAME', or move their photos into one folder"
            )
    return names


def layout_messages(layout: Layout, names: tuple[str, ...]) -> list[str]:
    """What the user should know about how the data was read: files left out, assumptions, and similar class names."""
    return [*layout.notes, *similar_name_warnings(names)]
