"""The folders of a data set as a tree, with names of one spelling (Unicode NFC) and without wrappers around them."""

import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field


def spelt(text: str) -> str:
    """Composed letters (NFC): macOS writes `ä` as two characters, other systems as one."""
    return unicodedata.normalize("NFC", text)


@dataclass
class Folder:
    """A folder by its path, with the folders in it by name and the full names of the files directly in it."""

    path: tuple[str, ...] = ()
    folders: dict[str, "Folder"] = field(default_factory=dict)
    files: list[str] = field(default_factory=list)

    @property
    def name(self) -> str:
        """Its own name; empty for the top."""
        return self.path[-1] if self.path else ""

    def below(self) -> Iterator[str]:
        """All files in it and in the folders below."""
        yield from self.files
        for folder in self.folders.values():
            yield from folder.below()

    def walk(self) -> Iterator["Folder"]:
        """It and all folders below."""
        yield self
        for folder in self.folders.values():
            yield from folder.walk()


def tree(names: Iterable[str]) -> Folder:
    """The tree of these names, of which those of folders end in `/`."""
    top = Folder()
    for name in names:
        *parts, last = (spelt(part) for part in name.split("/"))
        folder = top
        for part in parts:
            folder = folder.folders.setdefault(part, Folder((*folder.path, part)))
        if last:
            folder.files.append(name)
    return top


def unwrapped(folder: Folder) -> Folder:
    """The folder itself, or the one below it that all the others merely wrap: `photos/PetImages` of `Cat` and `Dog`.

    One folder alone is a wrapper where there are folders in it; else it is the only class.
    """
    while len(folder.folders) == 1:
        (only,) = folder.folders.values()
        if not only.folders:
            break
        folder = only
    return folder
