"""Look at every file once: does it decode to its end, is it what its name says, was it there before?"""

import hashlib
import warnings
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict, dataclass
from enum import StrEnum
from functools import partial
from itertools import islice
from pathlib import PurePosixPath
from typing import Any

import numpy as np
import torch
from jaxtyping import UInt8
from torch import Tensor

from models import pictures
from training.data.loading.photo_store import resized, shrink
from training.data.loading.workers import begin_worker, context
from training.data.scan.file_contents import digest_of
from training.data.sources.source import BadData, Source

FORMAT_OF_ENDING = {
    **dict.fromkeys((".jpg", ".jpeg", ".jpe", ".jfif"), ("JPEG", "MPO")),
    **dict.fromkeys((".tif", ".tiff"), ("TIFF",)),
    ".png": ("PNG",),
    ".webp": ("WEBP",),
    ".gif": ("GIF",),
    ".bmp": ("BMP",),
    **dict.fromkeys((".ppm", ".pgm", ".pbm", ".pnm", ".pam", ".pfm"), ("PPM",)),
    **dict.fromkeys((".avif", ".avifs"), ("AVIF",)),
    **dict.fromkeys((".jp2", ".j2k", ".jpx", ".jpf", ".j2c", ".jpc"), ("JPEG2000",)),
    **dict.fromkeys((".heic", ".heif", ".hif"), ("HEIF",)),
}
TINY = 32
"""Pixels on the shorter side, below which a picture shows little."""
CONSTANT = 2.0
"""Standard deviation in levels of 255, below which in every channel a picture shows nothing."""
THUMBNAIL = 16
REDUCED_ABOVE = 25_000_000
"""Pixels above which a photo is read at a reduced size: a phone's 48 million would take 150 MB in each worker."""


class Problem(StrEnum):
    """What can be wrong with a file; those of USED are only told, all others keep it out of training."""

    EMPTY = "empty"
    UNREADABLE = "unreadable"
    NOT_A_PICTURE = "not a picture"
    BROKEN = "broken"
    TOO_LARGE = "too large"
    DUPLICATE = "duplicate"
    MISSING = "missing"
    CONFLICT = "in two classes"
    LEAK = "in two splits"
    OUTSIDE = "in no class folder"
    MISNAMED = "misnamed"
    TINY = "tiny"
    CONSTANT = "nearly constant"
    NEAR_DUPLICATE = "nearly a duplicate"
    NEAR_CONFLICT = "nearly in two classes"
    NEAR_LEAK = "nearly in two splits"
    LABEL = "label in doubt"


USED = {
    *(Problem.MISNAMED, Problem.TINY, Problem.CONSTANT, Problem.LABEL),
    *(Problem.NEAR_DUPLICATE, Problem.NEAR_CONFLICT, Problem.NEAR_LEAK),
}


@dataclass(frozen=True)
class Finding:
    """One file with something wrong."""

    name: str
    problem: Problem
    detail: str


@dataclass(frozen=True)
class Photo:
    """One usable picture: its file, its class's folder, and the digest of its pixels.

    `side` is where a split that somebody made has it, or empty. `group` is the digest of one of those that it
    looks like, directly or through others: its own, where there are none.
    """

    name: str
    folder: str
    digest: str
    side: str = ""
    group: str = ""


@dataclass(frozen=True)
class Scan:
    """What was found in a source: photos in order of name, each picture once, and the findings."""

    photos: tuple[Photo, ...]
    findings: tuple[Finding, ...]

    @property
    def digest(self) -> str:
        """Digest of all usable pictures and their classes: the same for a folder and a zip of it."""
        rows = sorted(f"{photo.folder}\0{photo.digest}" for photo in self.photos)
        return hashlib.sha256("\n".join(rows).encode("utf-8", "surrogateescape")).hexdigest()

    @property
    def counts(self) -> Counter[str]:
        """Usable pictures by class folder."""
        return Counter(photo.folder for photo in self.photos)

    def to_json(self) -> dict[str, Any]:
        """Plain lists and strings."""
        return asdict(self)

    @staticmethod
    def from_json(fields: dict[str, Any]) -> "Scan":
        """The scan that `to_json` wrote."""
        findings = (Finding(f["name"], Problem(f["problem"]), f["detail"]) for f in fields["findings"])
        return Scan(tuple(Photo(**photo) for photo in fields["photos"]), tuple(findings))


@dataclass(frozen=True)
class Looked:
    """One file as it was found: the digest of its bytes (empty where they cannot be read), what is wrong with it, if
    anything, and where it decodes a digest of its pixels, a thumbnail, and the pixels as the store keeps them, if they
    were asked for (an array: a tensor would travel between processes as an open file each)."""

    name: str
    content: str
    findings: tuple[Finding, ...]
    digest: str = ""
    thumbnail: bytes = b""
    pixels: UInt8[np.ndarray, "3 h w"] | None = None


def read_picture(source: Source, name: str) -> pictures.Decoded:
    """Read and decode one picture; raises BadData where it cannot be read, and those of UNDECODABLE."""
    return _decode(source.read(name), source.max_pixels)


def _decode(data: bytes, max_pixels: int) -> pictures.Decoded:
    # Without the decoder's remarks on standard error (corrupt EXIF, mostly).
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pictures.inspect(data, max_pixels=max_pixels, reduce_above=REDUCED_ABOVE, limit_name="--max-pixels")


UNDECODABLE = (pictures.NotAPicture, pictures.BrokenPicture, pictures.PictureTooLarge)


def look(source: Source, name: str, *, shorter: int | None = None) -> Looked:
    """Decode one file whole: `PIL.Image.verify()` accepts a half-truncated JPEG, only a decode tells.

    With `shorter` its pixels are brought along, shrunk to that shorter side (`training.data.loading.photo_store`).
    """
    try:
        data = source.read(name)
    except BadData as error:
        return Looked(name, "", (Finding(name, Problem.UNREADABLE, str(error)),))
    content = digest_of(data)
    try:
        decoded = _decode(data, source.max_pixels)
    except UNDECODABLE as error:
        return Looked(name, content, (_undecodable(name, data, error),))
    except MemoryError:
        return Looked(name, "", (Finding(name, Problem.UNREADABLE, "there was not enough memory to decode it"),))
    except Exception as error:  # a decoder's own, on bytes that nobody thought of: one file, not the whole scan
        return Looked(name, content, (Finding(name, Problem.BROKEN, f"{type(error).__name__}: {error}"),))
    pixels = decoded.pixels
    thumbnail = resized(pixels, THUMBNAIL, THUMBNAIL)
    return Looked(
        name,
        content,
        tuple(_oddities(name, decoded.format, pixels)),
        pixel_digest(pixels),
        thumbnail.numpy().tobytes(),
        None if shorter is None else shrink(pixels, shorter).numpy(),
    )


def pixel_digest(pixels: UInt8[Tensor, "3 h w"]) -> str:
    """Digest of the decoded picture: the same photo in another file format that keeps every pixel has the same."""
    shape = f"{pixels.shape[1]}x{pixels.shape[2]}:".encode()
    return hashlib.sha256(shape + pixels.numpy().tobytes()).hexdigest()


def _undecodable(name: str, data: bytes, error: ValueError) -> Finding:
    if not data:
        return Finding(name, Problem.EMPTY, "the file has no bytes")
    problem = Problem.BROKEN
    if isinstance(error, pictures.NotAPicture):
        problem = Problem.NOT_A_PICTURE
    elif isinstance(error, pictures.PictureTooLarge):
        problem = Problem.TOO_LARGE
    # What to do with a file in a folder, not with one that is sent somewhere.
    advice = str(error).removesuffix(": send it whole").replace(": send a smaller one, or raise", ": raise")
    return Finding(name, problem, advice.removesuffix(": send a smaller one"))


def _oddities(name: str, format: str, pixels: Tensor) -> Iterator[Finding]:
    ending = PurePosixPath(name).suffix.lower()
    if format not in FORMAT_OF_ENDING.get(ending, (format,)):
        yield Finding(name, Problem.MISNAMED, f"a {format} by its content")
    height, width = pixels.shape[1:]
    if min(height, width) < TINY:
        yield Finding(name, Problem.TINY, f"{width} x {height} pixels")
    deviation = pixels.to(torch.float32).std(dim=(1, 2), correction=0).max().item()
    if deviation < CONSTANT:
        yield Finding(name, Problem.CONSTANT, f"its values vary by {deviation:.1f} levels of 255")


def look_at_all(source: Source, names: Iterable[str], workers: int, *, shorter: int | None = None) -> Iterator[Looked]:
    """`look` at many files, in order, on `workers` processes (0: in this one)."""
    if workers == 0:
        yield from map(partial(look, source, shorter=shorter), names)
        return
    with ProcessPoolExecutor(workers, mp_context=context(), initializer=_begin, initargs=(source, shorter)) as pool:
        # Only so many ahead of the reader: pictures that wait for a slow disk lie in memory.
        waiting: deque[Future[list[Looked]]] = deque()
        left = iter(names)
        try:
            while some := list(islice(left, 16)):
                waiting.append(pool.submit(_each, some))
                if len(waiting) > 2 * workers:
                    yield from waiting.popleft().result()
            while waiting:
                yield from waiting.popleft().result()
        except BrokenProcessPool as error:
            raise BadData("a process that decodes was killed, for want of memory perhaps: try --workers 0") from error


_look: Callable[[str], Looked]
"""Of a worker process: a source, with all its names, is sent to it once, not with each photo."""


def _begin(source: Source, shorter: int | None) -> None:
    global _look
    begin_worker()
    _look = partial(look, source, shorter=shorter)


def _each(names: Sequence[str]) -> list[Looked]:
    return [_look(name) for name in names]
