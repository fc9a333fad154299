"""Where the pictures lie: a folder, or a zip that is read in place."""

import hashlib
import os
import stat
import zipfile
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

MAX_FILE_BYTES = 256 * 2**20
"""No photo is larger; a zip bomb's member is."""


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
        except Exception as error:  # the decompressors raise their own errors, and others, on damaged bytes
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
    except Exception as error:  # zipfile raises nearly anything on hostile bytes
        raise BadData(f"{path.name} is no zip, or a damaged one ({error}): download it again") from error
    rows = {member.filename: f"{member.filename}\0{member.file_size}\0{member.CRC}" for member in members}
    return Source(path, tuple(sorted(rows)), _digest(sorted(rows.values())))


def _folder(path: Path) -> Source:
    rows: dict[str, str] = {}
    above = {str(path): {_place(path)}}

    def unlisted(error: OSError) -> None:
        name = Path(str(error.filename)).relative_to(path).as_posix()
        if name == ".":
            raise BadData(f"{path.name} cannot be listed ({error.strerror})") from error
        rows.pop(f"{name}/", None)
        rows[name] = name  # as a file, which reading will say of that it cannot be read

    for folder, folders, files in os.walk(path, onerror=unlisted, followlinks=True):
        relative = Path(folder).relative_to(path)
        # A link to a folder above is not followed: it would lead round in circles.
        places = {name: _place(Path(folder) / name) for name in sorted(folders)}
        folders[:] = [name for name, place in places.items() if place not in above[folder]]
        above.update({os.path.join(folder, name): above[folder] | {places[name]} for name in folders})
        rows.update({f"{(relative / name).as_posix()}/": "" for name in folders})
        for name in files:
            own = (relative / name).as_posix()
            try:
                status = (Path(folder) / name).stat()
            except OSError:  # a link to nothing: reading it will say so
                rows[own] = own
                continue
            if stat.S_ISREG(status.st_mode):  # a pipe would be waited on for ever
                rows[own] = f"{own}\0{status.st_size}\0{status.st_mtime_ns}"
    return Source(path, tuple(sorted(rows)), _digest([rows[name] for name in sorted(rows)]))


def _place(folder: Path) -> tuple[int, int]:
    status = folder.stat()
    return status.st_dev, status.st_ino


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
