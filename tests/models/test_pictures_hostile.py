"""Hostile and mutated files of every format: only documented errors, little time and little memory."""

import sys

import pytest

from models.pictures import PictureError, decode
from tests.models.decoding.costs import costs
from tests.models.decoding.hostile import segments, trees
from tests.models.decoding.mutations.mutate import mutated

MOST_SECONDS = 2
"""Seconds of the processor that a file of 19 MB may take."""
MOST_MB = 200
"""Memory beyond the file and 25 bytes for each pixel."""
needs_linux = pytest.mark.skipif(sys.platform != "linux", reason="peak memory is read from /proc")


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


def test_a_seed_always_gives_the_same_file() -> None:
    assert [mutated(seed) for seed in range(50)] == [mutated(seed) for seed in range(50)]
    assert len({mutated(seed) for seed in range(50)}) > 45


@needs_linux
@pytest.mark.slow
@pytest.mark.parametrize("format", sorted({**segments.FILES, **trees.FILES}))
def test_hostile_files_cost_little(format: str) -> None:
    """Each file of 19 MB repeats one kind of piece, or has values that point to the whole file."""
    results = costs("hostile", format)
    assert len(results) >= 10
    assert [cost for cost in results if cost.seconds > MOST_SECONDS or cost.grown_mb > cost.allowed_mb + MOST_MB] == []


@needs_linux
@pytest.mark.slow
@pytest.mark.parametrize("first", range(1_000_000, 1_010_000, 2_500))
def test_mutated_files_cost_little(first: int) -> None:
    """10,000 files, all formats, at most 3 MB and some of 25 million pixels."""
    results = costs("mutated", str(first), str(first + 2_500))
    assert len(results) == 2_500
    assert [cost for cost in results if cost.seconds > MOST_SECONDS or cost.grown_mb > cost.allowed_mb + MOST_MB] == []
