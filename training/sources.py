"""Where the pictures lie: a folder, or a zip that is read in place, with one sub-folder per class."""

import hashlib
import os
import zipfile
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

MAX_FILE_BYTES = 256 * 2**20
"""No photo is larger; a zip bomb's member is."""

SPLIT_FOLDERS = {"train", "training", "val", "valid", "validation", "test", "testing"}
KNOWN_NAMES = {frozenset({"Cat", "Dog"}): {"Cat": "cat", "Dog": "dog"}}
"""Downloads whose folders are not named as their classes should be: the Kaggle/Microsoft one capitalises them."""


class BadData(ValueError):
    """Data that no classifier can be trained on, or a file of it that cannot be read."""


@dataclass(frozen=True)
class Source:
    """The files below a folder or in a zip.

    `names` are relative, with `/` between folders; those of folders end in `/`. `listing` is a digest of names,
    sizes and dates (checksums, in a zip): where it is the same, nothing was changed.
    """

    path: Path
    names: tuple[str, ...]
    listing: str

    @property
    def is_zip(self) -> bool:
        """Whether the files are read out of an archive."""
        return self.path.is_file()

    def read(self, name: str) -> bytes:
        """The bytes of one file; raises BadData when it cannot be read or is larger than MAX_FILE_BYTES."""
        try:
            # Nothing is extracted and a member's name is never used as a path, so `../` in it is harmless.
            with _archive(self.path, os.getpid()).open(name) if self.is_zip else (self.path / name).open("rb") as file:
                data = file.read(MAX_FILE_BYTES + 1)
        except (OSError, zipfile.BadZipFile, RuntimeError, NotImplementedError, EOFError) as error:
            raise BadData(f"{name} cannot be read ({type(error).__name__}: {_first_line(error)})") from error
        if len(data) > MAX_FILE_BYTES:
            raise BadData(f"{name} has more than {MAX_FILE_BYTES:,} bytes")
        return data


def open_source(path: Path) -> Source:
    """List a folder or a zip; raises BadData when it is neither."""
    if path.is_dir():
        return _folder(path)
    if not path.exists():
        raise BadData(f"there is no {path}: give a folder, or a zip, with one sub-folder of pictures per class")
    try:
        members = _archive(path, os.getpid()).infolist()
    except (OSError, zipfile.BadZipFile) as error:
        raise BadData(f"{path.name} is no zip, or a damaged one ({error}): download it again") from error
    rows = {member.filename: f"{member.filename}\0{member.file_size}\0{member.CRC}" for member in members}
    return Source(path, tuple(sorted(rows)), _digest(sorted(rows.values())))


def _folder(path: Path) -> Source:
    rows = {}
    for folder, folders, files in os.walk(path, followlinks=True):
        relative = Path(folder).relative_to(path)
        rows.update({f"{(relative / name).as_posix()}/": "" for name in folders})
        for name in files:
            status = (Path(folder) / name).lstat()
            own = (relative / name).as_posix()
            rows[own] = f"{own}\0{status.st_size}\0{status.st_mtime_ns}"
    return Source(path, tuple(sorted(rows)), _digest([rows[name] for name in sorted(rows)]))


# One handle per process: a handle that crossed a fork would share its position in the file.
@lru_cache(maxsize=4)
def _archive(path: Path, process: int) -> zipfile.ZipFile:
    return zipfile.ZipFile(path)


def _digest(rows: list[str]) -> str:
    return hashlib.sha256("\n".join(rows).encode("utf-8", "surrogateescape")).hexdigest()


def _first_line(error: Exception) -> str:
    # An OSError's own text has the path of this machine in it.
    text = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return text.splitlines()[0] if text else "no reason given"


@dataclass(frozen=True)
class Layout:
    """Which class each file is of, by name of its folder; `outside` are the files that lie in no class's folder."""

    folders: tuple[str, ...]
    folder_of: dict[str, str]
    outside: tuple[str, ...]


def layout(names: tuple[str, ...]) -> Layout:
    """Find the class folders.

    Folders that merely wrap one other are seen through. Where the folders found are a split that somebody made
    (`train`, `val`, `test`), the classes are those one level below and the split is dissolved: `fit` makes its own.
    Oxford-IIIT Pet's own layout has no class folders: there the class is part of each file's name.
    Raises BadData when there are not two classes.
    """
    paths = {name: tuple(name.split("/")) for name in names if not _is_machine_made(name)}
    files = {name: parts for name, parts in paths.items() if parts[-1]}
    folder_of = _oxford_pets(files)
    folders = set(folder_of.values())
    if not folder_of:
        depth = _depth_of_classes(list(paths.values()))
        folder_of = {name: parts[depth] for name, parts in files.items() if len(parts) > depth + 1}
        folders = {parts[depth] for parts in paths.values() if len(parts) > depth + 1}
    if len(folders) < 2:
        found = f"only {min(folders)!r}" if folders else f"{len(files)} files in no sub-folder"
        raise BadData(f"two classes or more are needed, one sub-folder of pictures each; here are {found}")
    return Layout(tuple(sorted(folders)), folder_of, tuple(sorted(set(files) - set(folder_of))))


def _oxford_pets(files: dict[str, tuple[str, ...]]) -> dict[str, str]:
    """`images/great_pyrenees_12.jpg` beside `annotations/trainval.txt` is a `great_pyrenees`; {} in other layouts."""
    lists = [parts for parts in files.values() if parts[-2:] == ("annotations", "trainval.txt")]
    if len(lists) != 1:
        return {}
    images = (*lists[0][:-2], "images")
    return {
        name: parts[-1].rpartition("_")[0]
        for name, parts in files.items()
        if parts[:-1] == images and parts[-1].rpartition("_")[0]
    }


def _depth_of_classes(paths: list[tuple[str, ...]]) -> int:
    depth = 0
    while True:
        folders = {parts[depth] for parts in paths if len(parts) > depth + 1}
        if len(folders) == 1 and any(len(parts) > depth + 2 and parts[depth + 1] for parts in paths):
            depth += 1
        elif len(folders) > 1 and {folder.lower() for folder in folders} <= SPLIT_FOLDERS:
            return depth + 1
        else:
            return depth


def _is_machine_made(name: str) -> bool:
    # macOS adds `__MACOSX/` to zips; `.git`, `.ipynb_checkpoints` and the like are nobody's class.
    return any(part == "__MACOSX" or (part.startswith(".") and part not in (".", "..")) for part in name.split("/"))


def class_names(folders: tuple[str, ...], renamed: dict[str, str]) -> tuple[str, ...]:
    """What the classes are called: the folders' names, but for `renamed` and the downloads of KNOWN_NAMES.

    Raises BadData when `renamed` names no folder, or two classes would be called the same.
    """
    if unknown := set(renamed) - set(folders):
        raise BadData(f"no folder is called {sorted(unknown)[0]!r}; there are: {', '.join(folders)}")
    known = KNOWN_NAMES.get(frozenset(folders), {})
    names = tuple(renamed.get(folder) or known.get(folder) or folder for folder in folders)
    if len({name.casefold() for name in names}) < len(names):
        raise BadData(f"two classes would have one name: {', '.join(names)}")
    return names
