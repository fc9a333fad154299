"""Tests how much of the budget is left to requests when the models are loaded."""

import pytest

from app.memory import base
from app.memory.budget import MemoryBudget
from app.memory.costs import DECODER_PROCESS, LEAST


def test_the_process_its_peak_and_the_decoders_are_not_for_requests(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(base, "peak_bytes", lambda: 1_000_000_000)
    monkeypatch.setattr(base, "resident_bytes", lambda: 700_000_000)
    budget = MemoryBudget(3_000_000_000)
    process = base.Base(budget, 2, 300_000_000)
    assert budget.most == 3_000_000_000 - 1_100_000_000 - 2 * DECODER_PROCESS
    process.update(500_000_000)
    assert budget.most == 3_000_000_000 - 1_300_000_000 - 2 * DECODER_PROCESS, "two models more"
    process.update(500_000_000, 500_000_000)
    assert budget.most == 3_000_000_000 - 1_520_000_000 - 2 * DECODER_PROCESS, "and the batches of one are larger"


def test_a_batch_larger_than_those_that_were_run_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    """The process has 700 MB, had 1 GB with the batches that were timed, and will have 1.2 GB with the largest."""
    monkeypatch.setattr(base, "peak_bytes", lambda: 1_000_000_000)
    monkeypatch.setattr(base, "resident_bytes", lambda: 700_000_000)
    budget = MemoryBudget(3_000_000_000)
    base.Base(budget, 2, 0, batch_bytes=200_000_000)
    assert budget.most == 3_000_000_000 - 1_100_000_000 - 2 * DECODER_PROCESS
    base.Base(budget, 2, 0, batch_bytes=500_000_000)
    assert budget.most == 3_000_000_000 - 1_320_000_000 - 2 * DECODER_PROCESS


def test_small_pictures_are_served_in_any_case_with_a_warning(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(base, "peak_bytes", lambda: 1_000_000_000)
    budget = MemoryBudget(800_000_000)
    base.Base(budget, 2, 0)
    assert budget.most == LEAST
    assert "MIRAGE_MEMORY is 800 MB" in caplog.text and "raise MIRAGE_MEMORY" in caplog.text
