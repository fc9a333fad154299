"""Screenshots: which are taken, and how small those of the documentation are."""

import io

import numpy as np
import pytest
from PIL import Image

from benchmarks.screenshots import LARGEST, all_shots, compact


def png(pixels: np.ndarray) -> bytes:
    """The pixels as a PNG."""
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def test_every_room_is_taken_in_every_width_and_theme() -> None:
    """Four rooms, three widths and two themes; then one picture for each language."""
    shots = list(all_shots())
    assert len({(shot.room, shot.width, shot.theme) for shot in shots[:24]}) == 24
    assert len({shot.name for shot in shots}) == len(shots)
    assert {shot.name for shot in shots[24:]} >= {"fool-en"}


def test_a_picture_of_the_documentation_is_small_and_keeps_its_size() -> None:
    pixels = np.random.default_rng(0).integers(100, 130, (700, 900, 3), np.uint8)
    small = compact(png(pixels))
    assert len(small) <= LARGEST
    with Image.open(io.BytesIO(small)) as picture:
        assert (picture.format, picture.size) == ("WEBP", (900, 700))


def test_a_picture_that_cannot_be_small_says_so() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (1200, 1600, 3), np.uint8)
    with pytest.raises(SystemExit, match="make its window smaller"):
        compact(png(pixels))
