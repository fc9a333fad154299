"""Runs over mutated files: faults of planted decoders are found, and the real one has none."""

import sys

import pytest

from soak.pictures.costs import Cost
from soak.pictures.in_process import decode_mutated, judged
from soak.pictures.mutations.mutate import mutated
from soak.pictures.worker import WorkerNotReady, costs

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="memory is read from /proc")
PLANTED = "tests.soak.pictures.planted"


def test_the_figures_are_those_of_the_worst_files() -> None:
    outcome = judged(
        [
            Cost("a", 0.25, 90_000_000, 80_000_000, "picture"),
            Cost("b", 0.5, 5_000_000, 1_000_000, "BrokenPicture"),
            Cost("c", 0.0, 0, 0, "death", "it crashed"),
        ]
    )
    assert outcome.problems == ["c: it crashed"]
    assert outcome.figures == {
        "files": 3,
        "files_BrokenPicture": 1,
        "files_death": 1,
        "files_picture": 1,
        "processor_s": 0.8,
        "longest_processor_s": 0.5,
        "longest_is": "b",
        "most_grown_mb": 90,
        "most_beyond_reserved_mb": 10,
        "most_beyond_reserved_is": "a",
    }


def test_mutated_files_cost_little() -> None:
    outcome = decode_mutated(count=300, seed=1_000)
    assert outcome.problems == []
    assert outcome.figures["files"] == 300


def test_a_decoder_that_crashes_is_found_with_its_seeds() -> None:
    """Each seed whose file has an even number of bytes ends a worker, and another one goes on behind it."""
    outcome = decode_mutated(count=4, seed=20, workers=1, read=f"{PLANTED}:crashing")
    even = [
        f"{format}, seed {seed}" for seed in range(20, 24) for format, data in [mutated(seed)] if len(data) % 2 == 0
    ]
    assert even and len(even) < 4
    assert outcome.problems == [f"{name}: the process that decoded it has ended with exit code -11" for name in even]
    assert outcome.figures["files"] == 4


def test_a_worker_that_cannot_start_is_no_fault_of_a_file() -> None:
    with pytest.raises(WorkerNotReady, match="no_such_function"):
        list(costs("mutated", "0", "1", "1", read=f"{PLANTED}:no_such_function"))
