"""Reads a zip that anybody may have made: nothing is unpacked, and no member is larger than it is in the file."""

import struct
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from models.program.graph import BadProgram

MOST_MEMBERS = 200_000
"""Largest number of files in the archive; a network has one for each weight."""
LOCAL_HEADER = struct.Struct("<4s22xHH")
"""What stands before the bytes of a member: signature, and the lengths of its name and of the extra field."""


class Archive:
    """An open zip whose members are stored as they are, side by side; PyTorch puts all of them into one folder.

    `size` is the number of bytes of the file. `places` has where the bytes of each member begin in it, and how many
    there are.
    """

    def __init__(self, file: zipfile.ZipFile, size: int) -> None:
        self._file = file
        members = file.infolist()
        if len(members) > MOST_MEMBERS:
            raise BadProgram(f"the archive has more than {MOST_MEMBERS:,} members: PyTorch did not write it")
        for member in members:
            _check_member(member)
        begins = _check_places(file, size)
        folders = {member.filename.partition("/")[0] for member in members}
        root = f"{folders.pop()}/" if len(folders) == 1 else ""
        self._members = {member.filename.removeprefix(root): member for member in members}
        if len(self._members) < len(members):
            raise BadProgram("the archive has two members of the same name: save the file again")
        self.places = {name: (begins[each.filename], each.file_size) for name, each in self._members.items()}
        self.size = size

    @property
    def names(self) -> list[str]:
        """The names of the members, without the folder that all of them are in."""
        return list(self._members)

    def read(self, name: str, most: int | None = None) -> bytes:
        """The bytes of a member, whose checksum is verified; raises BadProgram if it is missing or above `most`."""
        if name not in self._members:
            raise BadProgram(f"the archive has no {name[:200]}: save the file again")
        member = self._members[name]
        if most is not None and member.file_size > most:
            raise BadProgram(f"{name} has more than {most / 1e6:.0f} MB: this is no classifier")
        try:
            return self._file.read(member)
        except (zipfile.BadZipFile, EOFError, OSError, ValueError, NotImplementedError) as error:
            raise BadProgram(f"{name} in the archive is damaged ({error}): copy the file again") from error


@contextmanager
def opened(path: Path) -> Iterator[Archive]:
    """Open an archive for reading; raises BadProgram if there is none, or if it is no zip as PyTorch writes them."""
    if not path.is_file():
        raise BadProgram(f"there is no file {path}: give the path of a file")
    try:
        file = zipfile.ZipFile(path)
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
        raise BadProgram(f"this is no archive, or a damaged one ({error}): save the file again") from error
    with file:
        yield Archive(file, path.stat().st_size)


def _check_member(member: zipfile.ZipInfo) -> None:
    """Raise BadProgram unless the member has a plain name, and is neither compressed nor encrypted."""
    name = PurePosixPath(member.filename)
    if name.is_absolute() or ".." in name.parts or "\\" in member.filename or not member.filename.isprintable():
        raise BadProgram(f"the archive has a member named {member.filename[:200]!r}: PyTorch did not write it")
    if member.compress_type != zipfile.ZIP_STORED or member.compress_size != member.file_size or member.flag_bits & 1:
        raise BadProgram(
            f"{member.filename[:200]} in the archive is compressed or encrypted, as in a TorchScript file and never by "
            "torch.export.save: export the network with torch.export.export"
        )


def _check_places(file: zipfile.ZipFile, size: int) -> dict[str, int]:
    """Where the bytes of each member begin.

    Raises BadProgram if two members share bytes, or if one has bytes that the file of this size does not have.
    """
    begins, end = {}, 0
    for member in sorted(file.infolist(), key=lambda member: member.header_offset):
        if member.header_offset < end:
            raise BadProgram(f"{member.filename[:200]} in the archive overlaps another member: save the file again")
        begins[member.filename] = begin = _begin(file, member)
        end = begin + member.file_size
    if end > size:
        raise BadProgram("the archive is longer than the file: it was cut off, so copy it again")
    return begins


def _begin(file: zipfile.ZipFile, member: zipfile.ZipInfo) -> int:
    """Where the bytes of a member begin in the file."""
    stream = file.fp
    assert stream is not None, "the zip is open"
    stream.seek(member.header_offset)
    header = stream.read(LOCAL_HEADER.size)
    if len(header) < LOCAL_HEADER.size or not header.startswith(b"PK\3\4"):
        raise BadProgram(f"{member.filename[:200]} in the archive is damaged: copy the file again")
    _, name, extra = LOCAL_HEADER.unpack(header)
    return member.header_offset + LOCAL_HEADER.size + int(name) + int(extra)
