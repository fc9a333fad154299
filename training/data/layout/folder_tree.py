"""The folders of a data set as a tree, with names in Unicode NFC, and without folders that merely wrap another one."""

import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field


def nfc(text: str) -> str:
    """The text in Unicode NFC: macOS writes `ä` as two characters, other systems as one."""
    return unicodedata.normalize("NFC", text)


@dataclass
class Folder:
    """A folder: its path, the folders in it by name, and the full names of the files directly in it."""

    path: tuple[str, ...] = ()
    folders: dict[str, "Folder"] = field(default_factory=dict)
    files: list[str] = field(default_factory=list)

    @property
    def name(self) -> str:
        """The last part of the path; empty for the top folder."""
        return self.path[-1] if self.path else ""

    def all_files(self) -> Iterator[str]:
        """The full names of all files in it and in the folders below it."""
        yield from self.files
        for folder in self.folders.values():
            yield from folder.all_files()

    def walk(self) -> Iterator["Folder"]:
        """The folder itself and all folders below it."""
        yield self
        for folder in self.folders.values():
            yield from folder.walk()


def build_tree(names: Iterable[str]) -> Folder:
    """The tree of these paths; the paths of folders end in `/`."""
    top = Folder()
    for name in names:
        *parts, last = (nfc(part) for part in name.split("/"))
        folder = top
        for part in parts:
            folder = folder.folders.setdefault(part, Folder((*folder.path, part)))
        if last:
            folder.files.append(name)
    return top


def skip_wrappers(folder: Folder) -> Folder:
    """The folder itself, or the first one below it that is not a wrapper, such as `photos/PetImages`.

    A wrapper has a single folder in it, which has folders itself. A single folder without folders is the only class.
    """
    while len(folder.folders) == 1:
        (only,) = folder.folders.values()
        if not only.folders:
            break
        folder = only
    return folder
