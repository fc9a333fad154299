"""Hostile and mutated files of every format: only documented errors, little time and little memory."""

import sys

import pytest

from models.pictures import PictureError, decode
from soak.pictures.hostile import segments, trees
from soak.pictures.mutations.mutate import mutated
from soak.pictures.worker import costs

needs_linux = pytest.mark.skipif(sys.platform != "linux", reason="memory is read from /proc")


@pytest.mark.filterwarnings("ignore::UserWarning:PIL")  # Pillow warns about damage before it reads or refuses the file
@pytest.mark.parametrize("first", range(0, 600, 100))
def test_mutated_files_give_a_picture_or_a_documented_error(first: int) -> None:
    for seed in range(first, first + 100):
        format, data = mutated(seed)
        try:
            pixels = decode(data, max_pixels=1_000_000)
        except PictureError as error:
            assert error.fault and error.remedy, (seed, format)
            continue
        assert pixels.shape[0] == 3 and pixels[0].numel() <= 1_000_000, (seed, format)


@needs_linux
@pytest.mark.slow
@pytest.mark.parametrize("format", sorted({**segments.FILES, **trees.FILES}))
def test_hostile_files_cost_little(format: str) -> None:
    """Each file of 19 MB repeats one kind of piece, or has values that point to the whole file."""
    results = list(costs("hostile", format))
    assert len(results) >= 10
    assert [fault for cost in results for fault in cost.faults] == []
