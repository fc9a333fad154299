"""Larger sizes in headers, of which decoders know before they read any pixel."""

import random

import pytest

from models.decoding.errors import PictureError
from models.decoding.levels import read_levels
from soak.pictures.mutations import sizes
from soak.pictures.mutations.bases import bases
from soak.pictures.mutations.sizes import enlarged
from soak.pictures.mutations.splitting import joined, pieces_of

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "PPM")


@pytest.mark.filterwarnings("ignore::UserWarning:PIL")  # Pillow warns about damage before it reads or refuses the file
@pytest.mark.parametrize("format", FORMATS)
def test_the_decoder_asks_for_the_size_that_is_written(format: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A picture of 40 x 30 pixels or fewer states 1000 x 800, and no pixels follow for most of them."""
    monkeypatch.setattr(sizes, "LARGE", ((1000, 800),))
    asked: list[int] = []

    def refuse(pixels: int) -> None:
        asked.append(pixels)
        raise PictureError("refused", "")

    files = [enlarged(random.Random(0), format, data) for kind, data in bases() if kind == format]
    for file in files:
        with pytest.raises(PictureError):
            read_levels(joined(format, pieces_of(format, file), mended=True), admit=refuse)
    # Run-length encoded BMPs are refused before: they have too few bytes for so many pixels.
    assert asked == [800_000] * len(asked) and len(asked) >= len(files) - 2


def test_a_file_without_a_size_stays() -> None:
    assert enlarged(random.Random(0), "PNG", b"no picture") == b"no picture"
