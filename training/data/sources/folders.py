"""A folder of pictures as a source."""

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
        """At most `limit` bytes of one file."""
        with (self.path / name).open("rb") as file:
            return file.read(limit)


def open_folder(path: Path) -> Source:
    """List the folder, through links too; raises BadData when it cannot be listed."""
    names: set[str] = set()
    identities: dict[str, Identity] = {}
    above = {str(path): {_place(path)}}
    for folder, folders, files in os.walk(path, onerror=_unlisted(path, names), followlinks=True):
        relative = Path(folder).relative_to(path)
        # A link to a folder above is not followed: it would lead round in circles.
        places = {name: _place(Path(folder) / name) for name in sorted(folders)}
        folders[:] = [name for name, place in places.items() if place not in above[folder]]
        above.update({os.path.join(folder, name): above[folder] | {places[name]} for name in folders})
        names.update(f"{(relative / name).as_posix()}/" for name in folders)
        for name in files:
            own = (relative / name).as_posix()
            try:
                status = (Path(folder) / name).stat()
            except OSError:  # a link to nothing: reading it will say so
                names.add(own)
                continue
            if stat.S_ISREG(status.st_mode):  # a pipe would be waited on for ever
                names.add(own)
                if identity := identity_of(status):
                    identities[own] = identity
    return Source(path, tuple(sorted(names)), FolderReader(path), identities)


def _unlisted(path: Path, names: set[str]) -> Callable[[OSError], None]:
    def unlisted(error: OSError) -> None:
        name = Path(str(error.filename)).relative_to(path).as_posix()
        if name == ".":
            raise BadData(f"{path.name} cannot be listed ({error.strerror})") from error
        names.discard(f"{name}/")
        names.add(name)  # as a file, which reading will say of that it cannot be read

    return unlisted


def _place(folder: Path) -> tuple[int, int]:
    status = folder.stat()
    return status.st_dev, status.st_ino
