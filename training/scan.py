"""Look at every file once: does it decode to its end, is it what its name says, was it there before?"""

import hashlib
import warnings
from collections import defaultdict
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from enum import StrEnum
from functools import partial
from pathlib import PurePosixPath
from typing import Any

from jaxtyping import UInt8
from torch import Tensor

from models import pictures
from training.sources import BadData, Layout, Source
from training.workers import begin_worker, context

FORMAT_OF_ENDING = {
    **dict.fromkeys((".jpg", ".jpeg", ".jpe", ".jfif"), ("JPEG", "MPO")),
    **dict.fromkeys((".tif", ".tiff"), ("TIFF",)),
    ".png": ("PNG",),
    ".webp": ("WEBP",),
    ".gif": ("GIF",),
    ".bmp": ("BMP",),
}


class Problem(StrEnum):
    """What can be wrong with a file; all but `MISNAMED` keep it out of training, none changes it."""

    EMPTY = "empty"
    UNREADABLE = "unreadable"
    NOT_A_PICTURE = "not a picture"
    BROKEN = "broken"
    TOO_LARGE = "too large"
    DUPLICATE = "duplicate"
    CONFLICT = "in two classes"
    OUTSIDE = "in no class folder"
    MISNAMED = "misnamed"


@dataclass(frozen=True)
class Finding:
    """One file with something wrong."""

    name: str
    problem: Problem
    detail: str


@dataclass(frozen=True)
class Photo:
    """One usable picture: its file, its class's folder, and the digest of its pixels."""

    name: str
    folder: str
    digest: str


@dataclass(frozen=True)
class Scan:
    """What was found in a source: photos in order of name, each picture once, and the findings."""

    listing: str
    photos: tuple[Photo, ...]
    findings: tuple[Finding, ...]

    @property
    def digest(self) -> str:
        """Digest of all usable pictures and their classes: the same for a folder and a zip of it."""
        rows = sorted(f"{photo.folder}\0{photo.digest}" for photo in self.photos)
        return hashlib.sha256("\n".join(rows).encode("utf-8", "surrogateescape")).hexdigest()

    def to_json(self) -> dict[str, Any]:
        """Plain lists and strings."""
        return asdict(self)

    @staticmethod
    def from_json(fields: dict[str, Any]) -> "Scan":
        """The scan that `to_json` wrote."""
        findings = (Finding(f["name"], Problem(f["problem"]), f["detail"]) for f in fields["findings"])
        return Scan(fields["listing"], tuple(Photo(**photo) for photo in fields["photos"]), tuple(findings))


@dataclass(frozen=True)
class Looked:
    """One file as it was found: a digest of its pixels where it decodes, and what is wrong with it, if anything."""

    name: str
    digest: str | None
    finding: Finding | None


def read_picture(source: Source, name: str) -> pictures.Decoded:
    """Read and decode one picture, without the decoder's remarks on standard error (corrupt EXIF, mostly)."""
    data = source.read(name)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pictures.inspect(data)


UNDECODABLE = (pictures.NotAPicture, pictures.BrokenPicture, pictures.PictureTooLarge)


def look(source: Source, name: str) -> Looked:
    """Decode one file whole: `PIL.Image.verify()` accepts a half-truncated JPEG, only a decode tells."""
    try:
        decoded = read_picture(source, name)
    except BadData as error:
        return Looked(name, None, Finding(name, Problem.UNREADABLE, str(error)))
    except UNDECODABLE as error:
        return Looked(name, None, _undecodable(source, name, error))
    return Looked(name, pixel_digest(decoded.pixels), _misnamed(name, decoded.format))


def pixel_digest(pixels: UInt8[Tensor, "3 h w"]) -> str:
    """Digest of the decoded picture: the same photo in another file format that keeps every pixel has the same."""
    shape = f"{pixels.shape[1]}x{pixels.shape[2]}:".encode()
    return hashlib.sha256(shape + pixels.numpy().tobytes()).hexdigest()


def _undecodable(source: Source, name: str, error: ValueError) -> Finding:
    if not source.read(name):
        return Finding(name, Problem.EMPTY, "the file has no bytes")
    problems = {
        pictures.NotAPicture: (Problem.NOT_A_PICTURE, "no picture format that is read here"),
        pictures.BrokenPicture: (Problem.BROKEN, str(error).removesuffix(": send it whole")),
        pictures.PictureTooLarge: (Problem.TOO_LARGE, str(error).removesuffix(": send a smaller one")),
    }
    return Finding(name, *problems[type(error)])


def _misnamed(name: str, format: str) -> Finding | None:
    ending = PurePosixPath(name).suffix.lower()
    if format in FORMAT_OF_ENDING.get(ending, (format,)):
        return None
    return Finding(name, Problem.MISNAMED, f"a {format} by its content; used all the same")


def look_at_all(source: Source, names: Iterable[str], workers: int) -> Iterator[Looked]:
    """`look` at many files, in order, on `workers` processes (0: in this one)."""
    if workers == 0:
        yield from map(partial(look, source), names)
        return
    with ProcessPoolExecutor(workers, mp_context=context(), initializer=begin_worker) as pool:
        yield from pool.map(partial(look, source), names, chunksize=32)


def summarise(source: Source, found: Layout, looked: Iterable[Looked]) -> Scan:
    """Sort out duplicates: of one class the first by name stays, of several classes none does."""
    findings = [Finding(name, Problem.OUTSIDE, "beside the class folders") for name in found.outside]
    same: dict[str, list[Photo]] = defaultdict(list)
    for seen in looked:
        if seen.finding:
            findings.append(seen.finding)
        if seen.digest:
            same[seen.digest].append(Photo(seen.name, found.folder_of[seen.name], seen.digest))
    photos = []
    for group in same.values():
        first, *others = sorted(group, key=lambda photo: photo.name)
        if len({photo.folder for photo in group}) > 1:
            findings += [_conflict(photo, group) for photo in group]
            continue
        photos.append(first)
        findings += [Finding(copy.name, Problem.DUPLICATE, f"of {first.name}") for copy in others]
    order = sorted(findings, key=lambda finding: (list(Problem).index(finding.problem), finding.name))
    return Scan(source.listing, tuple(sorted(photos, key=lambda photo: photo.name)), tuple(order))


def _conflict(photo: Photo, group: list[Photo]) -> Finding:
    others = ", ".join(other.name for other in group if other.folder != photo.folder)
    return Finding(photo.name, Problem.CONFLICT, f"the same picture as {others}; neither is used")
