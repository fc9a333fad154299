"""A folder of pictures, opened as a `Source`."""

import os
import stat
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from training.data.sources.file_identity import identity_of
from training.data.sources.source import BadData, Identity, Source


@dataclass(frozen=True)
class FolderReader:
    """Reads files below a folder."""

    path: Path

    def read(self, name: str, limit: int) -> bytes:
        """The first `limit` bytes of one file at most."""
        with (self.path / name).open("rb") as file:
            return file.read(limit)


def open_folder(path: Path) -> Source:
    """List the folder, following links; raises BadData when it cannot be listed."""
    names: set[str] = set()
    identities: dict[str, Identity] = {}
    ancestors = {str(path): {_inode(path)}}
    for folder, folders, files in os.walk(path, onerror=_on_list_error(path, names), followlinks=True):
        relative = Path(folder).relative_to(path)
        # A link to a folder above is not followed: the walk would never end.
        inodes = {name: _inode(Path(folder) / name) for name in sorted(folders)}
        folders[:] = [name for name, inode in inodes.items() if inode not in ancestors[folder]]
        ancestors.update({os.path.join(folder, name): ancestors[folder] | {inodes[name]} for name in folders})
        names.update(f"{(relative / name).as_posix()}/" for name in folders)
        for name in files:
            file = (relative / name).as_posix()
            try:
                status = (Path(folder) / name).stat()
            except OSError:  # a broken link: reading it will report the error
                names.add(file)
                continue
            if stat.S_ISREG(status.st_mode):  # reading a pipe would block for ever
                names.add(file)
                if identity := identity_of(status):
                    identities[file] = identity
    return Source(path, tuple(sorted(names)), FolderReader(path), identities)


def _on_list_error(path: Path, names: set[str]) -> Callable[[OSError], None]:
    def handle(error: OSError) -> None:
        name = Path(str(error.filename)).relative_to(path).as_posix()
        if name == ".":
            raise BadData(f"{path.name} cannot be listed ({error.strerror})") from error
        names.discard(f"{name}/")
        names.add(name)  # as a file: reading it will report the error

    return handle


def _inode(folder: Path) -> tuple[int, int]:
    status = folder.stat()
    return status.st_dev, status.st_ino
