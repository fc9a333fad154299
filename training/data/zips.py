"""A zip of pictures as a source: read in place."""

import os
import zipfile
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from training.data.identity import identity_of
from training.data.member_names import checked_encoding, clean, decoded, guess_encoding
from training.data.sources import BadData, Source

IS_UTF8 = 0x800
"""The flag by which a zip says that a member's name is UTF-8 (PKZIP's APPNOTE, 4.4.4)."""
IS_ENCRYPTED = 0x1


@dataclass(frozen=True)
class ZipReader:
    """Reads members of a zip whose names are in an encoding."""

    path: Path
    encoding: str

    def read(self, name: str, limit: int) -> bytes:
        """At most `limit` bytes of one member; its name is never used as a path, so that `../` in it is harmless."""
        archive, members = _opened(self.path, self.encoding, os.getpid())
        with archive.open(members[name]) as file:
            return file.read(limit)


def open_zip(path: Path, encoding: str | None) -> Source:
    """List a zip; names that it does not declare as UTF-8 are in the encoding given, or in the one that fits best.

    Raises BadData when it is damaged or encrypted, UnknownEncoding.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            infos = archive.infolist()
    except Exception as error:  # zipfile raises nearly anything on hostile bytes
        raise BadData(
            f"{path.name} is neither a zip nor a tar archive, or a damaged one ({error}): download it again, or give "
            "a folder"
        ) from error
    if infos and all(info.flag_bits & IS_ENCRYPTED for info in infos if not info.is_dir()):
        raise BadData(f"{path.name} is encrypted: unpack it with its password, and give the folder")
    unclear = [raw for info in infos if (raw := _raw_name(info)) is not None]
    chosen = checked_encoding(encoding) if encoding else guess_encoding(unclear)
    names = tuple(sorted(_members(infos, chosen)))
    identity = identity_of(path.stat())
    identities = {} if identity is None else dict.fromkeys(names, identity)
    return Source(path, names, ZipReader(path, chosen), identities, _notes(path, encoding, chosen, unclear))


def _notes(path: Path, asked: str | None, chosen: str, unclear: list[bytes]) -> tuple[str, ...]:
    if asked or chosen == "utf-8":
        return ()
    example = next(clean(decoded(raw, chosen)) for raw in unclear if not raw.isascii())
    return (
        f"{path.name} does not say in which encoding its names are; they were read as {chosen}, as in {example!r}: "
        "give --zip-encoding NAME if that is wrong",
    )


def _raw_name(info: zipfile.ZipInfo) -> bytes | None:
    """A member's name as bytes, where its encoding is not known; zipfile has read these as cp437."""
    if info.flag_bits & IS_UTF8:
        return None
    try:
        return info.orig_filename.encode("cp437")
    except UnicodeEncodeError:  # from an extra field of the archive that has it in Unicode
        return None


def _members(infos: list[zipfile.ZipInfo], encoding: str) -> dict[str, zipfile.ZipInfo]:
    # Of two members of one name the later one counts, as it does where a zip is unpacked.
    members = {}
    for info in infos:
        raw = _raw_name(info)
        name = clean(info.orig_filename if raw is None else decoded(raw, encoding))
        if name:
            members[name] = info
    return members


# One handle per process: a handle that crossed a fork would share its position in the file.
@lru_cache(maxsize=4)
def _opened(path: Path, encoding: str, process: int) -> tuple[zipfile.ZipFile, dict[str, zipfile.ZipInfo]]:
    archive = zipfile.ZipFile(path)
    return archive, _members(archive.infolist(), encoding)
