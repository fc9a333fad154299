import gc
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.training.drawn import write_gratings
from training.data.loading.workers import default_workers, quick_imports


def test_quick_imports_freeze_new_objects_and_reenable_the_garbage_collector() -> None:
    before = gc.get_freeze_count()
    try:
        with quick_imports():
            assert not gc.isenabled()
            made: list[list[int]] = [[] for _ in range(1000)]
        assert gc.isenabled()
        assert gc.get_freeze_count() >= before + len(made)
    finally:
        gc.unfreeze()


def test_a_command_with_workers_prints_nothing_on_standard_error(tmp_path: Path) -> None:
    """Neither the process that starts workers nor the processes of torch print a message when they end."""
    folder = write_gratings(tmp_path / "data", {"x": 2, "y": 2})
    command = [sys.executable, "-m", "training", "check", str(folder), "--workers", "1"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    assert "4 photos can be used" in done.stdout
    assert done.stderr == ""


@pytest.mark.parametrize(("cores", "workers"), [(2, 2), (64, 8)])
def test_there_is_a_worker_for_each_core_up_to_eight(monkeypatch: pytest.MonkeyPatch, cores: int, workers: int) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: set(range(cores)), raising=False)
    assert default_workers() == workers
