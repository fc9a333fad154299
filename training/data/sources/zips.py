"""A zip of pictures, opened as a `Source`: its members are read without unpacking the zip."""

import os
import re
import sys
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from training.data.sources.file_identity import identity_of, version_of
from training.data.sources.member_names import canonical_encoding, clean_path, decode_name, guess_encoding
from training.data.sources.source import BadData, Source

if sys.version_info >= (3, 14):
    import zipfile
else:  # the same module with support of Zstandard
    from backports.zstd import zipfile

IS_UTF8 = 0x800
"""Flag of a member whose name is UTF-8 (PKZIP's APPNOTE, 4.4.4)."""
IS_ENCRYPTED = 0x1
"""Flag of a member that is encrypted."""
METHODS = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA, zipfile.ZIP_ZSTANDARD}
"""Compression methods that can be read here."""
OTHER_METHODS = {9: "Deflate64", 95: "XZ", 96: "WinZip's JPEG compression", 97: "WavPack", 98: "PPMd"}
"""Compression methods that cannot be read here, by their number in a zip."""
PART = re.compile(r"\.(z\d\d|\d{3}|part\d+\.\w+|a[a-z])$", re.IGNORECASE)
"""Endings of the parts of a split archive: `data.z01`, `data.zip.001`, `data.tar.gz.aa`."""


class Unreadable(ValueError):
    """A member is encrypted, or compressed by a method that cannot be read here."""


@dataclass(frozen=True)
class ZipReader:
    """Reads the members of a zip. `encoding` is that of the names, `version` identifies the version of the file."""

    path: Path
    encoding: str
    version: tuple[int, ...]

    def read(self, name: str, limit: int) -> bytes:
        """The first `limit` bytes of one member at most. Its name is never used as a path: `../` is harmless."""
        archive, members = _opened(self.path, self.encoding, self.version, os.getpid())
        if reason := _unreadable_reason(members[name]):
            raise Unreadable(reason)
        with archive.open(members[name]) as file:
            return file.read(limit)


def open_zip(path: Path, encoding: str | None) -> Source:
    """List a zip. Names that are not marked as UTF-8 are read in `encoding`, or in the one that fits them best.

    Raises BadData when the zip is damaged or encrypted, and UnknownEncoding.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            infos = archive.infolist()
    except Exception as error:  # on malicious bytes zipfile raises errors of many types
        raise BadData(_damaged_message(path, error)) from error
    if any(0 < info.volume < 0xFFFF for info in infos):
        raise BadData(_part_message(path))
    reasons = {_unreadable_reason(info) for info in infos if not info.is_dir()}
    if reasons and "" not in reasons:
        raise BadData(f"{path.name} cannot be read: {sorted(reasons)[0]} and give the folder")
    undeclared = [raw for info in infos if (raw := _raw_name(info)) is not None]
    chosen = canonical_encoding(encoding) if encoding else guess_encoding(undeclared)
    names = tuple(sorted(_members(infos, chosen)))
    status = path.stat()
    identity = identity_of(status)
    identities = {} if identity is None else dict.fromkeys(names, identity)
    return Source(
        path, names, ZipReader(path, chosen, version_of(status)), identities, _notes(path, encoding, chosen, undeclared)
    )


def _damaged_message(path: Path, error: Exception) -> str:
    if PART.search(path.name) or "multiple disks" in str(error):
        return _part_message(path)
    return f"{path.name} is not a zip or tar archive, or it is damaged ({error}): download it again, or give a folder"


def _part_message(path: Path) -> str:
    return (
        f"{path.name} is one part of a split archive: put all parts into one folder, unpack them with 7-Zip "
        f"(7z x {path.name}), and give the folder that it makes"
    )


def _unreadable_reason(info: zipfile.ZipInfo) -> str:
    if info.flag_bits & IS_ENCRYPTED:
        return "it is encrypted: unpack it with its password"
    if info.compress_type not in METHODS:
        method = OTHER_METHODS.get(info.compress_type, f"method {info.compress_type}")
        return f"it is compressed by {method}, which cannot be read here: unpack it"
    return ""


def _notes(path: Path, requested: str | None, chosen: str, undeclared: list[bytes]) -> tuple[str, ...]:
    if requested or chosen == "utf-8":
        return ()
    example = next(clean_path(decode_name(raw, chosen)) for raw in undeclared if not raw.isascii())
    return (
        f"{path.name} does not say which encoding its file names have; they were read as {chosen}, which gives "
        f"{example!r}, for example. If that is wrong, give --zip-encoding NAME",
    )


def _raw_name(info: zipfile.ZipInfo) -> bytes | None:
    """A member's name as bytes, which zipfile has decoded as cp437; None where its encoding is known."""
    if info.flag_bits & IS_UTF8:
        return None
    try:
        return info.orig_filename.encode("cp437")
    except UnicodeEncodeError:  # the name was read from an extra field in Unicode
        return None


def _members(infos: list[zipfile.ZipInfo], encoding: str) -> dict[str, zipfile.ZipInfo]:
    # Of two members of the same name the later one counts, as it does when a zip is unpacked.
    members = {}
    for info in infos:
        raw = _raw_name(info)
        name = clean_path(info.orig_filename if raw is None else decode_name(raw, encoding))
        if name:
            members[name] = info
    return members


# One handle per process, because after a fork both processes would share the handle's position in the file. And one per
# version of the file: a file that has been replaced must not be read through the handle of the old one.
@lru_cache(maxsize=4)
def _opened(
    path: Path, encoding: str, version: tuple[int, ...], process: int
) -> tuple[zipfile.ZipFile, dict[str, zipfile.ZipInfo]]:
    archive = zipfile.ZipFile(path)
    return archive, _members(archive.infolist(), encoding)
