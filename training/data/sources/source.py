"""Where the pictures lie: a folder, or an archive that is read in place."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

MAX_FILE_BYTES = 256 * 2**20
"""No photo is larger; a zip bomb's member is."""
MAX_PIXELS = 200_000_000
"""Largest photo that training reads, unless another limit is asked for."""


class BadData(ValueError):
    """Data that no classifier can be trained on, or a file of it that cannot be read."""


Identity = tuple[int, ...]
"""What the file system says of a file: it is another one when the file was replaced or written to."""


class Reader(Protocol):
    """Reads the files of a source; it is sent to worker processes, so that it holds no open file."""

    def read(self, name: str, limit: int) -> bytes:
        """At most `limit` bytes of one file; raises whatever reading it raises."""


@dataclass(frozen=True)
class Source:
    """The files below a folder or in an archive.

    `names` are relative, with `/` between folders; those of folders end in `/`. `identities` has what the file system
    says of each file, or of the archive that it lies in, where that can be relied on (see `scan.file_contents`).
    `notes` are lines for the user: what was assumed about the data. Photos have at most `max_pixels`.
    """

    path: Path
    names: tuple[str, ...]
    reader: Reader
    identities: Mapping[str, Identity] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    max_pixels: int = MAX_PIXELS

    @property
    def is_archive(self) -> bool:
        """Whether the files are read out of an archive."""
        return self.path.is_file()

    def read(self, name: str) -> bytes:
        """The bytes of one file; raises BadData when it cannot be read or is larger than MAX_FILE_BYTES."""
        try:
            data = self.reader.read(name, MAX_FILE_BYTES + 1)
        except Exception as error:  # the decompressors raise their own errors, and others, on damaged bytes
            raise BadData(f"{name} cannot be read ({type(error).__name__}: {first_line(error)})") from error
        if len(data) > MAX_FILE_BYTES:
            raise BadData(f"{name} has more than {MAX_FILE_BYTES:,} bytes")
        return data


def first_line(error: Exception) -> str:
    """What an error says, without the path of this machine that an OSError's own text has in it."""
    text = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return text.splitlines()[0] if text else "no reason given"
