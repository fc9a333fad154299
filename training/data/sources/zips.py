"""A zip of pictures as a source: read in place."""

import os
import re
import sys
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from training.data.sources.file_identity import identity_of, version_of
from training.data.sources.member_names import checked_encoding, clean, decoded, guess_encoding
from training.data.sources.source import BadData, Source

if sys.version_info >= (3, 14):
    import zipfile
else:  # the same, which knows Zstandard
    from backports.zstd import zipfile

IS_UTF8 = 0x800
"""The flag by which a zip says that a member's name is UTF-8 (PKZIP's APPNOTE, 4.4.4)."""
IS_ENCRYPTED = 0x1
METHODS = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA, zipfile.ZIP_ZSTANDARD}
OTHER_METHODS = {9: "Deflate64", 95: "XZ", 96: "WinZip's JPEG compression", 97: "WavPack", 98: "PPMd"}
PIECE = re.compile(r"\.(z\d\d|\d{3}|part\d+\.\w+|a[a-z])$", re.IGNORECASE)
"""How the pieces of an archive end that was cut up: `data.z01`, `data.zip.001`, `data.tar.gz.aa`."""


class Unreadable(ValueError):
    """A member that needs a password, or is compressed in a way that is not read here."""


@dataclass(frozen=True)
class ZipReader:
    """Reads members of one version of a zip whose names are in an encoding."""

    path: Path
    encoding: str
    version: tuple[int, ...]

    def read(self, name: str, limit: int) -> bytes:
        """At most `limit` bytes of one member; its name is never used as a path, so that `../` in it is harmless."""
        archive, members = _opened(self.path, self.encoding, self.version, os.getpid())
        if reason := _why_unreadable(members[name]):
            raise Unreadable(reason)
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
        raise BadData(_no_archive(path, error)) from error
    if any(0 < info.volume < 0xFFFF for info in infos):
        raise BadData(_one_piece(path))
    reasons = {_why_unreadable(info) for info in infos if not info.is_dir()}
    if reasons and "" not in reasons:
        raise BadData(f"{path.name} cannot be read: {sorted(reasons)[0]} and give the folder")
    unclear = [raw for info in infos if (raw := _raw_name(info)) is not None]
    chosen = checked_encoding(encoding) if encoding else guess_encoding(unclear)
    names = tuple(sorted(_members(infos, chosen)))
    status = path.stat()
    identity = identity_of(status)
    identities = {} if identity is None else dict.fromkeys(names, identity)
    return Source(
        path, names, ZipReader(path, chosen, version_of(status)), identities, _notes(path, encoding, chosen, unclear)
    )


def _no_archive(path: Path, error: Exception) -> str:
    if PIECE.search(path.name) or "multiple disks" in str(error):
        return _one_piece(path)
    return (
        f"{path.name} is neither a zip nor a tar archive, or a damaged one ({error}): download it again, or give a "
        "folder"
    )


def _one_piece(path: Path) -> str:
    return (
        f"{path.name} is one piece of an archive that was cut up: unpack it with all the others beside it (7-Zip does: "
        f"7z x {path.name}), and give the folder"
    )


def _why_unreadable(info: zipfile.ZipInfo) -> str:
    if info.flag_bits & IS_ENCRYPTED:
        return "it is encrypted: unpack it with its password"
    if info.compress_type not in METHODS:
        method = OTHER_METHODS.get(info.compress_type, f"method {info.compress_type}")
        return f"it is compressed by {method}, which is not read here: unpack it"
    return ""


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


# One handle per process: a handle that crossed a fork would share its position in the file. And one per version: a file
# that is put in the place of another must not be read through the handle of that other.
@lru_cache(maxsize=4)
def _opened(
    path: Path, encoding: str, version: tuple[int, ...], process: int
) -> tuple[zipfile.ZipFile, dict[str, zipfile.ZipInfo]]:
    archive = zipfile.ZipFile(path)
    return archive, _members(archive.infolist(), encoding)
