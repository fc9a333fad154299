"""Mutated files: the same for the same seed, of every format, and some of millions of pixels."""

import pytest

from models.decoding.errors import PictureError
from models.decoding.levels import read_levels
from soak.pictures.mutations.bases import bases
from soak.pictures.mutations.mutate import mutated


def test_a_seed_always_gives_the_same_file() -> None:
    assert [mutated(seed) for seed in range(50)] == [mutated(seed) for seed in range(50)]
    assert len({mutated(seed) for seed in range(50)}) > 45


def test_every_format_is_mutated() -> None:
    assert {mutated(seed)[0] for seed in range(200)} == {format for format, _ in bases()}


@pytest.mark.filterwarnings("ignore::UserWarning:PIL")  # Pillow warns about damage before it reads or refuses the file
def test_some_files_ask_for_millions_of_pixels() -> None:
    """Of the first 200 files, so that limits of memory are near; `admit` refuses them before they are decoded."""
    asked: list[int] = []

    def refuse(pixels: int) -> None:
        asked.append(pixels)
        raise PictureError("refused", "")

    for seed in range(200):
        with pytest.raises(PictureError):
            read_levels(mutated(seed)[1], admit=refuse)
    assert sum(pixels > 4_000_000 for pixels in asked) >= 3
