"""Records: how a part ends, and what is kept of it."""

import json
import sys
from pathlib import Path
from subprocess import CompletedProcess, TimeoutExpired
from typing import Any

import pytest

from benchmarks import record
from benchmarks.measure import Machine
from benchmarks.parts import SKIPPED, Part
from benchmarks.record import PartResult, Record, run_part
from benchmarks.results import Figure, write_figures

PART = Part("network", "Passes", 10, ("--rounds", "2"))
MACHINE = Machine("Processor", "avx2", 2, None, "torch")
FIGURES = [Figure("forward", "ms", [1.0])]


@pytest.mark.parametrize(("status", "outcome"), [(0, "measured"), (SKIPPED, "skipped"), (1, "failed"), (-9, "failed")])
def test_the_exit_status_says_how_a_part_ended(status: int, outcome: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The script gets its options and the file for its figures."""

    def script(command: list[str], **_: Any) -> CompletedProcess[bytes]:
        assert command[:5] == [sys.executable, "-m", "benchmarks.network", "--rounds", "2"]
        write_figures(Path(command[-1]), FIGURES, "Chromium 150")
        return CompletedProcess(command, status)

    monkeypatch.setattr(record.subprocess, "run", script)
    result = run_part(PART)
    assert (result.outcome, result.figures, result.versions) == (outcome, FIGURES, "Chromium 150")


def test_a_part_that_takes_too_long_has_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three times its usual seconds."""

    def script(command: list[str], *, timeout: float, check: bool) -> CompletedProcess[bytes]:
        assert timeout == 30 and not check
        raise TimeoutExpired(command, timeout)

    monkeypatch.setattr(record.subprocess, "run", script)
    assert run_part(PART).outcome == "failed"


def test_a_part_without_figures_leaves_the_earlier_ones(tmp_path: Path) -> None:
    """So that a part that is skipped or fails at once does not erase what was measured before."""
    file = tmp_path / "machine.json"
    Record.open(file, MACHINE).keep(PART, PartResult(FIGURES, "measured", 12.34))
    Record.open(file, MACHINE).keep(PART, PartResult([], "failed", 1.0))
    kept = json.loads(file.read_text())
    assert kept["machine"]["processor"] == "Processor"
    assert kept["parts"]["network"]["figures"] == [{"name": "forward", "unit": "ms", "samples": [1.0]}]
    assert kept["parts"]["network"]["command"] == "python -m benchmarks network --rounds 2"
    assert kept["parts"]["network"]["machine"] == "Processor (avx2), 2 threads; torch"


def test_the_versions_of_what_a_part_uses_stand_beside_the_machine(tmp_path: Path) -> None:
    """As do the browser's where the page is measured."""
    file = tmp_path / "machine.json"
    Record.open(file, MACHINE).keep(PART, PartResult(FIGURES, "measured", 1.0, "Chromium 150"))
    machine = json.loads(file.read_text())["parts"]["network"]["machine"]
    assert machine == "Processor (avx2), 2 threads; torch; Chromium 150"
