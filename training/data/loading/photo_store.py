"""The store of decoded photos: all pixels in one memory-mapped file, shared by all runs on the same pictures.

Each photo is decoded once. It is kept as it is, or shrunk so that its shorter side is just large enough for every
training crop. Reading gives a view of the file, without decoding and copying.
"""

import json
import os
import tempfile
import zlib
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from types import TracebackType

import numpy as np
import torch
from jaxtyping import UInt8
from torch import Tensor
from torch.nn import functional

from models.files import write_atomically

Pixels = UInt8[Tensor, "3 h w"]
Row = tuple[int, int, int, int]
"""Offset in bytes, height, width, and CRC-32 of the pixels of a photo."""


class DamagedStore(OSError):
    """The pixels in the file differ from those that were stored."""


def resized(pixels: Pixels, height: int, width: int) -> Pixels:
    """The picture resized with antialiased bilinear interpolation and rounded to 8 bits."""
    smaller = functional.interpolate(pixels.unsqueeze(0), (height, width), mode="bilinear", antialias=True)
    return smaller.squeeze(0)


def shrink(pixels: Pixels, shorter: int) -> Pixels:
    """The picture with a shorter side of at most `shorter` pixels; a small picture is returned as it is."""
    height, width = pixels.shape[1:]
    side = min(height, width)
    if side <= shorter:
        return pixels
    return resized(pixels, max(shorter, round(height * shorter / side)), max(shorter, round(width * shorter / side)))


class PhotoStore:
    """Reads pixels by their digest; raises OSError or ValueError where the files are not a complete store."""

    def __init__(self, path: Path) -> None:
        self.path = path
        rows = json.loads(index_of(path).read_text(encoding="utf-8"))
        self.rows: Mapping[str, Row] = {digest: (row[0], row[1], row[2], row[3]) for digest, row in rows.items()}
        end = max((offset + 3 * height * width for offset, height, width, _ in self.rows.values()), default=0)
        if path.stat().st_size != end:
            raise ValueError(f"{path.name} has another length than its index requires")

    def __contains__(self, digest: object) -> bool:
        return digest in self.rows

    def pixels(self, digest: str) -> Pixels:
        """The pixels of a photo, uint8 [3, h, w]; writing to them leaves the file as it is. Raises DamagedStore."""
        offset, height, width, checksum = self.rows[digest]
        levels = _mapped(self.path, os.getpid())[offset : offset + 3 * height * width]
        verified = _verified(self.path, os.getpid())
        if digest not in verified:  # checked once per process: a run reads the same pixels in every epoch
            if zlib.crc32(levels.data) != checksum:
                raise DamagedStore(f"{self.path.name} was changed or is damaged")
            verified.add(digest)
        return torch.from_numpy(levels).reshape(3, height, width)


# Mapped once per process: workers are sent the path, not the map. Copy-on-write, because torch needs writable memory.
@lru_cache(maxsize=8)
def _mapped(path: Path, process: int) -> "np.ndarray[tuple[int], np.dtype[np.uint8]]":
    return np.memmap(path, dtype=np.uint8, mode="c")


@lru_cache(maxsize=8)
def _verified(path: Path, process: int) -> set[str]:
    """Digests of the pictures whose checksum this process has verified."""
    return set()


def index_of(path: Path) -> Path:
    """The path of the index of a store, which lists its rows."""
    return path.with_suffix(".index.json")


class PhotoStoreWriter:
    """Writes pictures one after the other into a new store. Until `finish` is called, the file is temporary.

    Where the disk is full, or the pictures need more than `limit_bytes` (`too_large`), it gives up, and `failure` has
    the reason: a run works without a store too.
    """

    def __init__(self, folder: Path, *, limit_bytes: int) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.limit_bytes = limit_bytes
        self.rows: dict[str, Row] = {}
        self.size = 0
        self.failure, self.too_large = "", False
        handle, name = tempfile.mkstemp(prefix=".store.", dir=folder)
        self.temporary = Path(name)
        self.file = os.fdopen(handle, "wb")

    def __enter__(self) -> "PhotoStoreWriter":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        try:
            self.file.close()  # flushes, which fails on a full disk
        except OSError as close_error:
            self.failure = self.failure or f"{close_error.strerror}"
        self.temporary.unlink(missing_ok=True)

    def add(self, digest: str, pixels: Pixels) -> None:
        """Write one picture, unless it is in the store already."""
        if self.failure or digest in self.rows:
            return
        if self.size + pixels.numel() > self.limit_bytes:
            self.too_large = True
            self.failure = f"they take more than the limit of {self.limit_bytes / 1e9:.1f} GB"
            return
        data = pixels.contiguous().numpy().data
        try:
            self.file.write(data)
        except OSError as error:
            self.failure = f"{error.strerror}"
            return
        self.rows[digest] = (self.size, pixels.shape[1], pixels.shape[2], zlib.crc32(data))
        self.size += pixels.numel()

    def finish(self, path: Path) -> PhotoStore | None:
        """Complete the store and move it to `path`; None where writing failed."""
        if self.failure:
            return None
        try:
            self.file.flush()
            os.fsync(self.file.fileno())
            self.file.close()
            self.temporary.chmod(0o644)
            index_of(path).unlink(missing_ok=True)  # an index must never lie beside the pixels of another store
            self.temporary.replace(path)
            write_atomically(index_of(path), json.dumps(self.rows).encode())
            return PhotoStore(path)
        except (OSError, ValueError) as error:  # a full disk, or another run that writes to the same path
            self.failure = str(getattr(error, "strerror", error))
            path.unlink(missing_ok=True)
            return None
