"""What decoding costs, and which costs are faults."""

import sys

import pytest

from app.memory.allocator import return_freed_memory
from models.decoding.errors import BrokenPicture
from soak.pictures.costs import Cost, cost_of
from tests.soak.pictures import planted

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="memory is read from /proc")


def test_costs_up_to_the_limits_are_no_faults() -> None:
    assert Cost("a", 2.0, 200_000_075, 75, "picture").faults == []


def test_each_broken_promise_is_a_fault_with_its_figures() -> None:
    found = Cost("PNG, seed 7", 2.04, 700_000_000, 300_000_000, "picture").faults
    assert found == [
        "PNG, seed 7: decoding took 2.0 s of the processor, and 2.0 s are promised",
        "PNG, seed 7: decoding took 700 MB, and 300 MB and 200 MB beyond them are allowed",
    ]


def test_a_good_decoder_has_no_fault() -> None:
    """For 6 pixels 25 bytes each are reserved, and the 4 bytes of the file."""
    cost = cost_of("file", b"abcd", planted.small)
    assert (cost.outcome, cost.reserved_bytes, cost.faults) == ("picture", 6 * 25 + 4, [])


def test_a_refusal_is_no_fault_if_it_says_what_to_do() -> None:
    def refusing(data: bytes, admit: object) -> object:
        raise BrokenPicture("it is cut off", data.decode())

    assert cost_of("file", b"send it whole", refusing).faults == []
    assert "does not say" in cost_of("file", b"", refusing).faults[0]


@pytest.mark.parametrize(
    ("decoder", "fault"),
    [
        (planted.larger_than_asked, "file: it asked for 5 pixels, and has 6"),
        (planted.failing, "file: KeyError is no documented error ('a table is missing')"),
    ],
)
def test_a_planted_fault_is_found(decoder: object, fault: str) -> None:
    assert cost_of("file", b"abcd", decoder).faults == [fault]  # type: ignore[arg-type]


def test_time_of_the_processor_is_counted() -> None:
    cost = cost_of("file", b"abcd", planted.slow)
    assert cost.seconds > 2.1 and len(cost.faults) == 1


def test_memory_is_counted_at_its_peak() -> None:
    return_freed_memory()  # what tests before have left would be used again, and not counted
    cost = cost_of("file", b"abcd", planted.greedy)
    assert cost.grown_bytes == pytest.approx(300_000_000, rel=0.02) and len(cost.faults) == 1
