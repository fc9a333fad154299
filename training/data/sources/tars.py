"""A tar of pictures, opened as a `Source`: read in place, or, if it is compressed, from an uncompressed copy."""

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
from training.data.sources.member_names import canonical_encoding, clean_path, decode_name, guess_encoding
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
"""Functions that open compressed files, by the first bytes of such files."""
MAX_RATIO = 1000
"""Largest factor by which an archive may grow when it is unpacked. Compression hardly makes photos smaller: an archive
that grows more than this, and to more than MAX_UNCHECKED_BYTES, is a decompression bomb."""
MAX_UNCHECKED_BYTES = 2**30
"""Size up to which an unpacked archive may have grown by any factor."""
CHUNK = 2**20
"""Number of bytes that are unpacked at once."""

Span = tuple[int, int]
"""Position of a member's first byte in the archive, and number of its bytes."""


@dataclass(frozen=True)
class TarReader:
    """Reads the members of an uncompressed tar at their positions in the file."""

    path: Path
    spans: Mapping[str, Span]

    def read(self, name: str, limit: int) -> bytes:
        """The first `limit` bytes of one member at most."""
        if name not in self.spans:
            raise ValueError("it is a sparse file, or a link to a file that is not in the archive")
        start, size = self.spans[name]
        with self.path.open("rb") as file:
            file.seek(start)
            data = file.read(min(size, limit))
        if len(data) < min(size, limit):
            raise EOFError("the archive is cut off within this file: download it again")
        return data


def open_tar(path: Path, encoding: str | None, unpacked: Path) -> Source | None:
    """List a tar, with or without compression; None where the file is no tar.

    An uncompressed copy of a compressed tar is put into the folder `unpacked`. Raises BadData when the tar is damaged
    or cannot be unpacked.
    """
    opener = _compression(path)
    try:
        plain = path if opener is None else _unpack(path, opener, unpacked)
        if plain is None:
            return None
        with tarfile.open(plain, "r:", encoding="utf-8", errors="surrogateescape") as archive:
            infos = archive.getmembers()
    except tarfile.ReadError as error:
        if opener is None and not _has_tar_signature(path):
            return None
        raise BadData(f"{path.name} is not a tar archive, or it is damaged ({error}): download it again") from error
    raw_names = [info.name.encode("utf-8", "surrogateescape") for info in infos]
    chosen = canonical_encoding(encoding) if encoding else guess_encoding(raw_names)
    names = [
        clean_path(decode_name(raw, chosen) + ("/" if info.isdir() else ""))
        for raw, info in zip(raw_names, infos, strict=True)
    ]
    spans = _spans(infos, names)
    # Pipes and devices are left out. Members that cannot be read are listed: reading them reports the error.
    unreadable = {
        name for info, name in zip(infos, names, strict=True) if info.issym() or info.islnk() or info.issparse()
    }
    listed = tuple(sorted(({name for name in names if name.endswith("/")} | set(spans) | unreadable) - {""}))
    identity = identity_of(path.stat())
    identities = {} if identity is None else dict.fromkeys(listed, identity)
    notes = () if encoding or chosen == "utf-8" else (
        f"the file names in {path.name} were read as {chosen}. If that is wrong, give --zip-encoding NAME",
    )  # fmt: skip
    return Source(path, listed, TarReader(plain, spans), identities, notes)


def _spans(infos: list[tarfile.TarInfo], names: list[str]) -> dict[str, Span]:
    """The span of each file; a link has the span of the file that it leads to."""
    span_of_target: dict[str, Span] = {}  # by the name in the archive, which links refer to
    spans: dict[str, Span] = {}
    for info, name in zip(infos, names, strict=True):
        span = None
        if info.isreg() and not info.issparse():
            span = (info.offset_data, info.size)
        elif info.islnk():
            span = span_of_target.get(posixpath.normpath(info.linkname))
        elif info.issym():
            span = span_of_target.get(posixpath.normpath(posixpath.join(posixpath.dirname(info.name), info.linkname)))
        if span is not None and name:
            span_of_target[posixpath.normpath(info.name)] = spans[name] = span
    return spans


def _compression(path: Path) -> Callable[[Path], Any] | None:
    with path.open("rb") as file:
        start = file.read(8)
    return next((opener for signature, opener in COMPRESSIONS.items() if start.startswith(signature)), None)


def _has_tar_signature(path: Path) -> bool:
    """Whether the first header of the file has the signature of a tar."""
    with path.open("rb") as file:
        return file.read(512)[257:262] == b"ustar"


def _unpack(path: Path, opener: Callable[[Path], Any], folder: Path) -> Path | None:
    """The uncompressed copy of an archive in `folder`, named by its content; None where it is not a tar."""
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
            f"{path.name} has to be unpacked once, but {folder} cannot be written to ({error.strerror}): give another "
            "folder by --cache, or unpack the archive yourself and give its folder"
        ) from error
    temporary = Path(name)
    try:
        with os.fdopen(handle, "wb") as target, opener(path) as compressed:
            if not _copy(compressed, target, path):
                return None
        temporary.replace(plain)
    except (OSError, EOFError, lzma.LZMAError, zstd.ZstdError, ValueError) as error:
        raise BadData(
            f"{path.name} cannot be unpacked ({first_line(error)}): download it again, or free disk space"
        ) from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink()
    return plain


def _copy(compressed: IO[bytes], target: IO[bytes], path: Path) -> bool:
    """Copy the uncompressed bytes; False where they are not those of a tar."""
    size = 0
    while chunk := compressed.read(CHUNK):
        if size == 0 and not _starts_as_tar(chunk):
            return False
        size += len(chunk)
        if size > MAX_UNCHECKED_BYTES and size > MAX_RATIO * path.stat().st_size:
            raise ValueError(f"it is suspicious: unpacked it has more than {MAX_RATIO} times its size")
        target.write(chunk)
    return size > 0


def _starts_as_tar(chunk: bytes) -> bool:
    try:
        tarfile.TarInfo.frombuf(chunk[:512], "utf-8", "surrogateescape")
    except tarfile.HeaderError:
        return False
    return True
