"""The decode-once store: every photo's pixels in one memory-mapped file, shared by all runs on the same pictures.

A photo is kept as it is, or shrunk until its shorter side is the store's: large enough for every crop that is trained
on. What reads it back is a view of the file, so that a picture costs no decoding and no copy.
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
from torchvision.transforms.v2 import functional as transform

from models.files import write_atomically

Pixels = UInt8[Tensor, "3 h w"]
Row = tuple[int, int, int, int]
"""Offset in bytes, height, width, and the CRC-32 of the pixels."""


class DamagedStore(OSError):
    """Pixels that are not those which were stored."""


def resized(pixels: Pixels, height: int, width: int) -> Pixels:
    """Bilinear, antialiased, rounded to levels."""
    smaller: Tensor = transform.resize(pixels, [height, width], antialias=True)
    return smaller


def shrink(pixels: Pixels, shorter: int) -> Pixels:
    """The picture with a shorter side of at most `shorter` pixels; one that is small enough is returned as it is."""
    height, width = pixels.shape[1:]
    own = min(height, width)
    if own <= shorter:
        return pixels
    return resized(pixels, max(shorter, round(height * shorter / own)), max(shorter, round(width * shorter / own)))


class PhotoStore:
    """Pixels by their digest; raises OSError or ValueError where the files are not what a Writer wrote."""

    def __init__(self, path: Path) -> None:
        self.path = path
        rows = json.loads(index_of(path).read_text(encoding="utf-8"))
        self.rows: Mapping[str, Row] = {digest: (row[0], row[1], row[2], row[3]) for digest, row in rows.items()}
        end = max((offset + 3 * height * width for offset, height, width, _ in self.rows.values()), default=0)
        if path.stat().st_size != end:
            raise ValueError(f"{path.name} has another length than its index says")

    def __contains__(self, digest: object) -> bool:
        return digest in self.rows

    def pixels(self, digest: str) -> Pixels:
        """A view of the file, which stays as it is whatever is done to the tensor; raises KeyError, DamagedStore."""
        offset, height, width, checksum = self.rows[digest]
        levels = _mapped(self.path, os.getpid())[offset : offset + 3 * height * width]
        verified = _verified(self.path, os.getpid())
        if digest not in verified:  # once in each process: a run goes through the same pixels in every epoch
            if zlib.crc32(levels.data) != checksum:
                raise DamagedStore(f"{self.path.name} was changed or damaged")
            verified.add(digest)
        return torch.from_numpy(levels).reshape(3, height, width)


# Mapped once per process: a map does not travel to a worker, its path does. Copy-on-write: torch wants it writable.
@lru_cache(maxsize=8)
def _mapped(path: Path, process: int) -> "np.ndarray[tuple[int], np.dtype[np.uint8]]":
    return np.memmap(path, dtype=np.uint8, mode="c")


@lru_cache(maxsize=8)
def _verified(path: Path, process: int) -> set[str]:
    """The pictures of a store that this process has found to be as they were stored."""
    return set()


def index_of(path: Path) -> Path:
    """Where a store's rows are listed."""
    return path.with_suffix(".index.json")


class Writer:
    """Takes pictures in turn, and makes a store of them when all are there; what does not become one leaves no file.

    Where the disk is full, or `limit_bytes` are reached (`too_large`), it gives up and says why in `lost`: a run can
    do without.
    """

    def __init__(self, folder: Path, *, limit_bytes: int) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.limit_bytes = limit_bytes
        self.rows: dict[str, Row] = {}
        self.size = 0
        self.lost, self.too_large = "", False
        handle, name = tempfile.mkstemp(prefix=".store.", dir=folder)
        self.temporary = Path(name)
        self.file = os.fdopen(handle, "wb")

    def __enter__(self) -> "Writer":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        try:
            self.file.close()  # flushes, which a full disk refuses
        except OSError as refused:
            self.lost = self.lost or f"{refused.strerror}"
        self.temporary.unlink(missing_ok=True)

    def add(self, digest: str, pixels: Pixels) -> None:
        """Keep one picture; one that is there already is passed over."""
        if self.lost or digest in self.rows:
            return
        if self.size + pixels.numel() > self.limit_bytes:
            self.too_large = True
            self.lost = f"the photos take more than the {self.limit_bytes / 1e9:.1f} GB that may be used"
            return
        data = pixels.contiguous().numpy().data
        try:
            self.file.write(data)
        except OSError as error:
            self.lost = f"{error.strerror}"
            return
        self.rows[digest] = (self.size, pixels.shape[1], pixels.shape[2], zlib.crc32(data))
        self.size += pixels.numel()

    def finish(self, path: Path) -> PhotoStore | None:
        """Put the store in its place; None where it was given up."""
        if self.lost:
            return None
        try:
            self.file.flush()
            os.fsync(self.file.fileno())
            self.file.close()
            self.temporary.chmod(0o644)
            index_of(path).unlink(missing_ok=True)  # of pixels that were there before: never beside other pixels
            self.temporary.replace(path)
            write_atomically(index_of(path), json.dumps(self.rows).encode())
            return PhotoStore(path)
        except (OSError, ValueError) as error:  # a full disk; another run that puts its own there at this moment
            self.lost = str(getattr(error, "strerror", error))
            path.unlink(missing_ok=True)
            return None
