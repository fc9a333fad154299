"""Tests how the memory of a batch's rows is measured, and how many rows a batch may have for that reason."""

import pytest

from app.memory import batch
from app.memory.batch import LEAST_ROWS, BatchMemory


def measured(monkeypatch: pytest.MonkeyPatch, *sizes: tuple[int, int, int]) -> BatchMemory:
    """The memory after batches, of each of which the rows and the process's bytes before and after it are given."""
    memory = BatchMemory()
    resident, at_first = [0], [0]
    monkeypatch.setattr(batch, "resident_bytes", lambda: resident[0])
    monkeypatch.setattr(batch, "return_freed_memory", lambda: resident.__setitem__(0, at_first[0]))
    for rows, before, after in sizes:
        at_first[0] = before
        memory.note(rows, lambda after=after: resident.__setitem__(0, after))  # type: ignore[misc]
    return memory


def test_a_batch_takes_its_share_of_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows of 50 MB, of which a fifth of 2.5 GB holds ten; the largest model counts."""
    memory = measured(monkeypatch, (2, 400, 100_000_400), (2, 900, 20_000_900))
    assert memory.row_bytes == 50_000_000
    assert memory.most_rows(2_500_000_000, 32) == 10
    assert memory.most_rows(25_000_000_000, 32) == 32
    assert memory.most_rows(100_000_000, 32) == LEAST_ROWS
    assert memory.most_rows(100_000_000, 2) == 2


def test_nothing_is_limited_where_the_memory_of_the_process_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    """Elsewhere than on Linux it reads as 0."""
    assert measured(monkeypatch, (2, 0, 0)).most_rows(1, 32) == 32
    assert BatchMemory().most_rows(1, 32) == 32


def test_freed_memory_is_returned_before_a_batch_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise the batch would take what an earlier one has left, and not seem to need any."""
    happened: list[str] = []
    monkeypatch.setattr(batch, "return_freed_memory", lambda: happened.append("returned"))
    BatchMemory().note(1, lambda: happened.append("run"))
    assert happened == ["returned", "run", "returned", "run"]


def test_memory_that_a_request_takes_meanwhile_does_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    resident, others = [0], iter([300_000_000, 0])
    monkeypatch.setattr(batch, "resident_bytes", lambda: resident[0])
    monkeypatch.setattr(batch, "return_freed_memory", lambda: resident.__setitem__(0, 0))
    memory = BatchMemory()
    memory.note(2, lambda: resident.__setitem__(0, 100_000_000 + next(others)))
    assert memory.row_bytes == 50_000_000
