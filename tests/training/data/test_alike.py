import io

import numpy as np
import pytest
from PIL import Image

from tests.training.drawn import grating
from training.data.alike import alike


def thumbnail(image: Image.Image) -> bytes:
    levels = np.asarray(image.convert("RGB").resize((16, 16), Image.Resampling.BILINEAR))
    return levels.transpose(2, 0, 1).tobytes()


def compressed(image: Image.Image, quality: int) -> Image.Image:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=quality)
    return Image.open(buffer)


def test_scaled_and_compressed_copies_are_found_and_others_are_not() -> None:
    """Ten gratings; of the fourth a JPEG of quality 30, of the seventh half the size, of the first the same again."""
    drawn = [grating(number % 3, number, side=96) for number in range(10)]
    copies = [compressed(drawn[3], 30), drawn[6].resize((48, 48), Image.Resampling.BILINEAR), drawn[0]]
    assert alike([thumbnail(each) for each in (*drawn, *copies)]) == [*range(10), 3, 6, 0]


def test_the_same_in_other_colours_is_another_picture() -> None:
    photo = grating(0, 1)
    red, green, blue = photo.split()
    assert alike([thumbnail(photo), thumbnail(Image.merge("RGB", (blue, green, red)))]) == [0, 1]


def test_blank_pictures_are_like_nothing() -> None:
    """Their correlation with anything is rounding."""
    blank = [thumbnail(Image.new("RGB", (40, 40), (level, level, level))) for level in (100, 101, 102)]
    assert alike(blank) == [0, 1, 2]


def test_copies_across_blocks_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = [thumbnail(grating(number % 3, number)) for number in range(40)]
    monkeypatch.setattr("training.data.alike.BLOCK", 7)
    assert alike([*drawn, drawn[2], drawn[30]]) == [*range(40), 2, 30]


def test_no_chain_of_slight_changes() -> None:
    """b is like a, c like b but not like a: c stays itself."""
    base = np.asarray(grating(0, 5).resize((16, 16))).astype(float)
    steps = [np.clip(base + change, 0, 255).astype(np.uint8) for change in (0, 3, 6)]
    assert alike([each.transpose(2, 0, 1).tobytes() for each in steps]) == [0, 0, 2]


def test_nothing_is_like_nothing() -> None:
    assert alike([]) == []
