"""What a folder and an archive have in common: `Source` lists and reads the files; `BadData` says what is wrong."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

MAX_FILE_BYTES = 256 * 2**20
"""Largest file that is read, in bytes. No photo is larger, but a member of a zip bomb is."""
MAX_PIXELS = 200_000_000
"""Largest number of pixels of a photo that training reads, unless the user sets another limit."""


class BadData(ValueError):
    """The data cannot be used for training, or one of its files cannot be read."""


Identity = tuple[int, ...]
"""What the file system says about a file; it changes when the file is replaced or written to."""


class Reader(Protocol):
    """Reads the files of a source. It is sent to worker processes and therefore holds no open file."""

    def read(self, name: str, limit: int) -> bytes:
        """The first `limit` bytes of one file at most; raises any error that reading raises."""


@dataclass(frozen=True)
class Source:
    """The files below a folder or in an archive.

    `names` are relative, with `/` between folders; the names of folders end in `/`. `identities` has what the file
    system says about each file, or about its archive, where that is reliable (see `scan.file_contents`). `notes` are
    messages for the user about what was assumed. Photos of more than `max_pixels` are not read.
    """

    path: Path
    names: tuple[str, ...]
    reader: Reader
    identities: Mapping[str, Identity] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    max_pixels: int = MAX_PIXELS

    @property
    def is_archive(self) -> bool:
        """Whether the files are members of an archive."""
        return self.path.is_file()

    def read(self, name: str) -> bytes:
        """The bytes of one file; raises BadData when it cannot be read or is larger than MAX_FILE_BYTES."""
        try:
            data = self.reader.read(name, MAX_FILE_BYTES + 1)
        except Exception as error:  # on damaged bytes decompressors raise errors of many types
            raise BadData(f"{name} cannot be read ({type(error).__name__}: {first_line(error)})") from error
        if len(data) > MAX_FILE_BYTES:
            raise BadData(
                f"{name} has more than {MAX_FILE_BYTES:,} bytes, the largest size of a photo that is read here"
            )
        return data


def first_line(error: Exception) -> str:
    """The first line of an error's text, without the path that the text of an OSError contains."""
    text = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return text.splitlines()[0] if text else "no reason given"
