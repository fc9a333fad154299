"""Small picture files of many formats, sound and not, with what is true of each."""

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
"""Correlation of thumbnails, above which two pictures might be taken for copies: those of the pool lie below it."""


@dataclass(frozen=True)
class Content:
    """A file's bytes; `pixels` says which picture it decodes to (empty for none), `problem` why it does not decode, and
    `odd` what is told of it although it is used."""

    data: bytes = field(repr=False)
    format: str
    pixels: str = ""
    problem: FileProblem | None = None
    odd: frozenset[FileProblem] = frozenset()


@cache
def pool() -> tuple[Image.Image, ...]:
    """Gratings of 32 to 48 pixels, of which no two look the same, whatever their colours."""
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


def sound(random: Random, number: int) -> Content:
    """A picture of the pool in any format; only those that `lossless` makes may be there twice."""
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
    if kind == "16 bits":  # of a range that is used to its end, so that it is certain
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
    """A file that is no picture or none that can be shown, and the ending that it comes with."""
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
    """One of a format's endings; now and then that of another format."""
    if random.random() < 0.08:
        return random.choice([own[0] for other, own in ENDINGS.items() if other != format])
    return random.choice(ENDINGS[format])


def is_misnamed(name: str, format: str) -> bool:
    """Whether a file of a format has the ending of another."""
    last = name.rpartition("/")[2]
    own = f".{last.rpartition('.')[2].lower()}" if "." in last else ""
    known = {each.lower() for endings in ENDINGS.values() for each in endings if each}
    return own in known and own not in {each.lower() for each in ENDINGS[format]}
