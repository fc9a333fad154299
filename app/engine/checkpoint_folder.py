"""The folder of the checkpoints as it is seen from outside: which files there are, and when one has changed."""

from dataclasses import dataclass
from pathlib import Path

from models.store import SUFFIX, list_checkpoints


@dataclass(frozen=True)
class FileVersion:
    """What tells two versions of a file apart without reading them; symbolic links are followed.

    A time may move in either direction: a copy may keep the time of its source. `changed_ns` (the time of the last
    change of contents, permissions or links) cannot be set by programs, so a version that could not be read for lack of
    permissions is another one once it can. `error` is the number of the error if the file cannot be looked at.
    """

    modified_ns: int = 0
    changed_ns: int = 0
    size: int = 0
    inode: int = 0
    error: int = 0


def look(folder: Path) -> dict[str, FileVersion]:
    """The checkpoints in the folder by name; raises OSError if the folder cannot be listed."""
    versions = {name: version_of(folder / f"{name}{SUFFIX}") for name in list_checkpoints(folder)}
    return {name: version for name, version in versions.items() if version is not None}


def version_of(path: Path) -> FileVersion | None:
    """The present version of a file; None if there is no file."""
    try:
        status = path.stat()
    except FileNotFoundError:  # it is gone, or a link to nothing
        return None
    except OSError as error:
        return FileVersion(error=error.errno or -1)
    return FileVersion(status.st_mtime_ns, status.st_ctime_ns, status.st_size, status.st_ino)
