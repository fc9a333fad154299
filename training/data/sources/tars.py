"""A tar of pictures as a source: a plain one is read in place, a compressed one is unpacked to a plain one, once."""

import bz2
import contextlib
import gzip
import hashlib
import lzma
import os
import posixpath
import sys
import tarfile
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from training.data.sources.file_identity import identity_of
from training.data.sources.member_names import checked_encoding, clean, decoded, guess_encoding
from training.data.sources.source import BadData, Source, first_line

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

COMPRESSIONS: dict[bytes, Callable[[Path], Any]] = {
    b"\x1f\x8b": gzip.open,
    b"BZh": bz2.open,
    b"\xfd7zXZ\x00": lzma.open,
    b"\x28\xb5\x2f\xfd": zstd.open,
}
"""How compressed files begin, and what reads them."""
MAX_RATIO = 1000
"""Photos hardly become smaller by compression; what grows more than this and past MAX_UNTRUSTED is a bomb."""
MAX_UNTRUSTED = 2**30
CHUNK = 2**20

Span = tuple[int, int]
"""Where a member's bytes begin in the archive, and how many there are."""


@dataclass(frozen=True)
class TarReader:
    """Reads members of a plain tar by their place in it."""

    path: Path
    spans: Mapping[str, Span]

    def read(self, name: str, limit: int) -> bytes:
        """At most `limit` bytes of one member."""
        if name not in self.spans:
            raise ValueError("it is a link that leads to no file of the archive, or was packed as a sparse file")
        start, size = self.spans[name]
        with self.path.open("rb") as file:
            file.seek(start)
            data = file.read(min(size, limit))
        if len(data) < min(size, limit):
            raise EOFError("the archive ends before the file does: download it again")
        return data


def open_tar(path: Path, encoding: str | None, unpacked: Path) -> Source | None:
    """List a tar, whatever its compression; None where the file is no tar. A plain copy is put below `unpacked`.

    Raises BadData when it is damaged or cannot be unpacked.
    """
    opener = _compression(path)
    try:
        plain = path if opener is None else _unpack(path, opener, unpacked)
        if plain is None:
            return None
        with tarfile.open(plain, "r:", encoding="utf-8", errors="surrogateescape") as archive:
            infos = archive.getmembers()
    except tarfile.ReadError as error:
        if opener is None and not _says_tar(path):
            return None
        raise BadData(f"{path.name} is no tar, or a damaged one ({error}): download it again") from error
    raw = [info.name.encode("utf-8", "surrogateescape") for info in infos]
    chosen = checked_encoding(encoding) if encoding else guess_encoding(raw)
    names = [
        clean(decoded(each, chosen) + ("/" if info.isdir() else "")) for each, info in zip(raw, infos, strict=True)
    ]
    spans = _spans(infos, names)
    # A pipe or a device is none of the data; of what cannot be read, reading will say so.
    unread = {name for info, name in zip(infos, names, strict=True) if info.issym() or info.islnk() or info.issparse()}
    listed = tuple(sorted(({name for name in names if name.endswith("/")} | set(spans) | unread) - {""}))
    identity = identity_of(path.stat())
    identities = {} if identity is None else dict.fromkeys(listed, identity)
    notes = () if encoding or chosen == "utf-8" else (
        f"the names in {path.name} were read as {chosen}: give --zip-encoding NAME if that is wrong",
    )  # fmt: skip
    return Source(path, listed, TarReader(plain, spans), identities, notes)


def _spans(infos: list[tarfile.TarInfo], names: list[str]) -> dict[str, Span]:
    """The place of each file; of a link inside the archive that of the file which it leads to."""
    places: dict[str, Span] = {}  # by the name in the archive, which links use
    spans: dict[str, Span] = {}
    for info, name in zip(infos, names, strict=True):
        span = None
        if info.isreg() and not info.issparse():
            span = (info.offset_data, info.size)
        elif info.islnk():
            span = places.get(posixpath.normpath(info.linkname))
        elif info.issym():
            span = places.get(posixpath.normpath(posixpath.join(posixpath.dirname(info.name), info.linkname)))
        if span is not None and name:
            places[posixpath.normpath(info.name)] = spans[name] = span
    return spans


def _compression(path: Path) -> Callable[[Path], Any] | None:
    with path.open("rb") as file:
        begin = file.read(8)
    return next((opener for magic, opener in COMPRESSIONS.items() if begin.startswith(magic)), None)


def _says_tar(path: Path) -> bool:
    """Whether the file has a tar's signature, at its place in the first header."""
    with path.open("rb") as file:
        return file.read(512)[257:262] == b"ustar"


def _unpack(path: Path, opener: Callable[[Path], Any], folder: Path) -> Path | None:
    """The archive without its compression, below `folder`, named by its content; None where it holds no tar."""
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    plain = folder / f"{digest}.tar"
    if plain.is_file():
        return plain
    try:
        folder.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=".unpacking.", dir=folder)
    except OSError as error:
        raise BadData(
            f"{path.name} has to be unpacked once, and {folder} cannot be written to ({error.strerror}): give --cache "
            "another folder, or unpack it yourself and give its folder"
        ) from error
    temporary = Path(name)
    try:
        with os.fdopen(handle, "wb") as target, opener(path) as compressed:
            if not _copied(compressed, target, path):
                return None
        temporary.replace(plain)
    except (OSError, EOFError, lzma.LZMAError, zstd.ZstdError, ValueError) as error:
        raise BadData(
            f"{path.name} cannot be unpacked ({first_line(error)}): download it again, or make room"
        ) from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink()
    return plain


def _copied(compressed: IO[bytes], target: IO[bytes], path: Path) -> bool:
    """Copy what is unpacked; False where it does not begin as a tar does."""
    size = 0
    while chunk := compressed.read(CHUNK):
        if size == 0 and not _begins_as_tar(chunk):
            return False
        size += len(chunk)
        if size > MAX_UNTRUSTED and size > MAX_RATIO * path.stat().st_size:
            raise ValueError(f"it unpacks to more than {MAX_RATIO} times its size")
        target.write(chunk)
    return size > 0


def _begins_as_tar(chunk: bytes) -> bool:
    try:
        tarfile.TarInfo.frombuf(chunk[:512], "utf-8", "surrogateescape")
    except tarfile.HeaderError:
        return False
    return True
