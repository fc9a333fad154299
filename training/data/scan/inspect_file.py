"""Inspection of one file: whether it decodes completely, and what is unusual about it."""

import hashlib
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath

import numpy as np
import torch
from jaxtyping import UInt8
from torch import Tensor

from models import pictures
from training.data.loading.photo_store import resized, shrink
from training.data.scan.file_contents import content_digest
from training.data.scan.findings import FileProblem, Finding
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
"""The formats (as Pillow names them) that a file may have, by the ending of its name."""
MIN_SHORTER_SIDE = 32
"""Pixels on the shorter side below which a picture is reported as tiny."""
MIN_DEVIATION = 2.0
"""Standard deviation (levels of 255), of the channel that varies most, below which a picture is nearly constant."""
THUMBNAIL_SIZE = 16
"""Width and height in pixels of the thumbnails that near-duplicates are recognised by."""
REDUCED_ABOVE = 25_000_000
"""Pixels above which a photo is read at a reduced size: a phone's 48 million would take 150 MB in each worker."""

UNDECODABLE = (pictures.NotAPicture, pictures.BrokenPicture, pictures.PictureTooLarge)
"""The errors of a file that is no picture, is damaged, or has too many pixels."""


@dataclass(frozen=True)
class InspectedFile:
    """The result of inspecting one file.

    `content` is the digest of its bytes, empty where they cannot be read. `digest` (of its pixels) and `thumbnail` are
    empty where it cannot be decoded. `pixels` are those that the store of decoded photos keeps, if they were asked for:
    an array, because each tensor would travel between processes as an open file.
    """

    name: str
    content: str
    findings: tuple[Finding, ...]
    digest: str = ""
    thumbnail: bytes = b""
    pixels: UInt8[np.ndarray, "3 h w"] | None = None


def read_picture(source: Source, name: str) -> pictures.Decoded:
    """Read and decode one picture; raises BadData where it cannot be read, else the errors of UNDECODABLE."""
    return _decode(source.read(name), source.max_pixels)


def _decode(data: bytes, max_pixels: int) -> pictures.Decoded:
    # Without the warnings of the decoder, which are mostly about corrupt EXIF data.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pictures.inspect(data, max_pixels=max_pixels, reduce_above=REDUCED_ABOVE, limit_name="--max-pixels")


def inspect_file(source: Source, name: str, *, shorter: int | None = None) -> InspectedFile:
    """Read and decode one file completely: `PIL.Image.verify()` accepts a JPEG of which half is missing.

    With `shorter` the result has the pixels too, shrunk to that shorter side (`training.data.loading.photo_store`).
    """
    try:
        data = source.read(name)
    except BadData as error:
        return InspectedFile(name, "", (Finding(name, FileProblem.UNREADABLE, str(error)),))
    content = content_digest(data)
    try:
        decoded = _decode(data, source.max_pixels)
    except UNDECODABLE as error:
        return InspectedFile(name, content, (_undecodable(name, data, error),))
    except MemoryError:
        return InspectedFile(
            name, "", (Finding(name, FileProblem.UNREADABLE, "there is not enough memory to decode it"),)
        )
    except Exception as error:  # a decoder's internal error on unusual bytes must not end the whole scan
        return InspectedFile(name, content, (Finding(name, FileProblem.BROKEN, f"{type(error).__name__}: {error}"),))
    pixels = decoded.pixels
    thumbnail = resized(pixels, THUMBNAIL_SIZE, THUMBNAIL_SIZE)
    return InspectedFile(
        name,
        content,
        tuple(_unusual(name, decoded.format, pixels)),
        pixel_digest(pixels),
        thumbnail.numpy().tobytes(),
        None if shorter is None else shrink(pixels, shorter).numpy(),
    )


def pixel_digest(pixels: UInt8[Tensor, "3 h w"]) -> str:
    """Digest of the decoded picture. A copy in another lossless file format has the same digest."""
    shape = f"{pixels.shape[1]}x{pixels.shape[2]}:".encode()
    return hashlib.sha256(shape + pixels.numpy().tobytes()).hexdigest()


def _undecodable(name: str, data: bytes, error: ValueError) -> Finding:
    if not data:
        return Finding(name, FileProblem.EMPTY, "the file is empty (0 bytes)")
    problem = FileProblem.BROKEN
    if isinstance(error, pictures.NotAPicture):
        problem = FileProblem.NOT_A_PICTURE
    elif isinstance(error, pictures.PictureTooLarge):
        problem = FileProblem.TOO_LARGE
    # The error speaks to the client of a service; here the file lies in a folder.
    advice = str(error).removesuffix(": send it whole").replace(": send a smaller one, or raise", ": raise")
    return Finding(name, problem, advice.removesuffix(": send a smaller one"))


def _unusual(name: str, format: str, pixels: Tensor) -> Iterator[Finding]:
    ending = PurePosixPath(name).suffix.lower()
    if format not in FORMAT_OF_ENDING.get(ending, (format,)):
        yield Finding(name, FileProblem.MISNAMED, f"the name ends in {ending}, but the content is {format}")
    height, width = pixels.shape[1:]
    if min(height, width) < MIN_SHORTER_SIDE:
        yield Finding(name, FileProblem.TINY, f"it has only {width} x {height} pixels")
    deviation = pixels.to(torch.float32).std(dim=(1, 2), correction=0).max().item()
    if deviation < MIN_DEVIATION:
        yield Finding(
            name, FileProblem.CONSTANT, f"the standard deviation of its pixels is {deviation:.1f} levels of 255"
        )
