"""Small picture files of many formats, valid and broken, with the findings that they must have."""

import io
from dataclasses import dataclass, field
from functools import cache
from random import Random

import numpy as np
from PIL import Image

from tests.training.drawn import grating
from training.data.scan.findings import FileProblem

ENDINGS = {
    "PNG": (".png", ".PNG", ".Png", ""),
    "JPEG": (".jpg", ".jpeg", ".JPG", ".JPEG", ".jpe", ".jfif", ""),
    "BMP": (".bmp", ".BMP", ""),
    "GIF": (".gif", ".GIF", ""),
    "WEBP": (".webp", ".WEBP", ""),
    "TIFF": (".tif", ".tiff", ".TIF", ""),
    "PPM": (".ppm", ".pgm", ".pnm", ".PPM", ""),
}
LOSSLESS = ("PNG", "BMP", "WEBP", "TIFF", "PPM")
SAME = 0.97
"""Largest correlation of the thumbnails of two pictures in the pool, so that none are near-duplicates."""


@dataclass(frozen=True)
class Content:
    """The bytes of a file, and what is expected of it.

    `pixels` names the picture that it decodes to (empty for none), `problem` is why it cannot be decoded, and `odd` are
    findings of a file that is used all the same.
    """

    data: bytes = field(repr=False)
    format: str
    pixels: str = ""
    problem: FileProblem | None = None
    odd: frozenset[FileProblem] = frozenset()


@cache
def pool() -> tuple[Image.Image, ...]:
    """Gratings of 32 to 48 pixels, of which no two are similar, also without their colours."""
    chosen: list[Image.Image] = []
    thumbnails: list[np.ndarray] = []
    for seed in range(600):
        picture = grating(seed % 3, seed, side=32 + seed % 17)
        thumbnail = np.asarray(picture.resize((16, 16), Image.Resampling.BOX), float).mean(axis=2).ravel()
        thumbnail = (thumbnail - thumbnail.mean()) / (np.linalg.norm(thumbnail - thumbnail.mean()))
        if all(thumbnail @ other < SAME for other in thumbnails):
            chosen.append(picture)
            thumbnails.append(thumbnail)
    assert len(chosen) >= 150, f"only {len(chosen)} gratings differ enough"
    return tuple(chosen)


def saved(picture: Image.Image, format: str, **options: object) -> bytes:
    """The picture as a file."""
    buffer = io.BytesIO()
    picture.save(buffer, format, **options)
    return buffer.getvalue()


def lossless(number: int, format: str) -> Content:
    """A picture of the pool in a format that keeps every pixel."""
    options = {"lossless": True} if format == "WEBP" else {}
    return Content(saved(pool()[number], format, **options), format, f"rgb {number}")


def valid(random: Random, number: int) -> Content:
    """A picture of the pool in any format; only the results of `lossless` may be in a data set twice."""
    kind = random.choice(("lossless", "lossless", "JPEG", "GIF", "lossy", "grey", "16 bits", "unit", "tiny", "flat"))
    picture = pool()[number]
    if kind == "JPEG":
        return Content(saved(picture, "JPEG", quality=random.choice((60, 90))), "JPEG", f"jpeg {number}")
    if kind == "GIF":
        return Content(saved(picture.quantize(64), "GIF"), "GIF", f"gif {number}")
    if kind == "lossy":
        return Content(saved(picture, "WEBP", quality=80), "WEBP", f"webp {number}")
    if kind == "grey":
        format = random.choice(("PPM", "PNG", "JPEG", "TIFF"))  # a grey PPM is a PGM
        return Content(saved(picture.convert("L"), format), format, f"grey {format} {number}")
    if kind == "16 bits":  # with the full range of values, so that the range is certain
        return Content(saved(Image.fromarray((_unit(picture) * 65535).astype(np.uint16)), "PNG"), "PNG", f"16 {number}")
    if kind == "unit":
        return Content(saved(Image.fromarray(_unit(picture)), "TIFF"), "TIFF", f"unit {number}")
    if kind == "tiny":
        return Content(
            saved(picture.resize((20, 26)), "PNG"), "PNG", f"tiny {number}", odd=frozenset({FileProblem.TINY})
        )
    if kind == "flat":
        colour = (number % 250, number // 250, 99)
        flat = Image.new("RGB", (40, 40), colour)
        return Content(saved(flat, "PNG"), "PNG", f"flat {colour}", odd=frozenset({FileProblem.CONSTANT}))
    return lossless(number, random.choice(LOSSLESS))


def _unit(picture: Image.Image) -> np.ndarray:
    """The picture in grey, from exactly 0 to exactly 1."""
    values = np.asarray(picture.convert("L"), np.float32)
    return (values - values.min()) / (values.max() - values.min())


def refused(random: Random, number: int) -> tuple[Content, str]:
    """A file that is no picture or cannot be decoded, and its ending."""
    picture = pool()[number]
    png, jpeg = saved(picture, "PNG"), saved(picture, "JPEG")
    counted = Image.fromarray((_unit(picture) * 2_000_000_000).astype(np.int32))
    return random.choice(
        (
            (Content(b"", "", problem=FileProblem.EMPTY), ".jpg"),
            (Content(png[: len(png) // 2], "", problem=FileProblem.BROKEN), ".png"),
            (Content(jpeg[: len(jpeg) // 2], "", problem=FileProblem.BROKEN), ".jpg"),
            (Content(b"a note, and no picture\n", "", problem=FileProblem.NOT_A_PICTURE), ".jpg"),
            (Content(b"<!DOCTYPE html><html>404</html>", "", problem=FileProblem.NOT_A_PICTURE), ".jpg"),
            (Content(saved(Image.fromarray(_unit(picture) * 1000), "TIFF"), "", problem=FileProblem.BROKEN), ".tif"),
            (Content(saved(counted, "TIFF"), "", problem=FileProblem.BROKEN), ".tiff"),
            (Content(b"%PDF-1.4 scanned", "", problem=FileProblem.NOT_A_PICTURE), ".png"),
            (Content(png[:30], "", problem=FileProblem.BROKEN), ".PNG"),
        )
    )


def ending(random: Random, format: str) -> str:
    """One of the endings of a format, sometimes that of another format."""
    if random.random() < 0.08:
        return random.choice([own[0] for other, own in ENDINGS.items() if other != format])
    return random.choice(ENDINGS[format])


def is_misnamed(name: str, format: str) -> bool:
    """Whether a file of this format has the ending of another format."""
    last = name.rpartition("/")[2]
    own = f".{last.rpartition('.')[2].lower()}" if "." in last else ""
    known = {ending.lower() for endings in ENDINGS.values() for ending in endings if ending}
    return own in known and own not in {ending.lower() for ending in ENDINGS[format]}
