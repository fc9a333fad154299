"""kill -9 at random moments: a run that is resumed after every kill ends like one that was not killed."""

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from models import checkpoint
from tests.training.drawn import ARCHITECTURE, write_gratings, write_pretrained

REPOSITORY = Path(__file__).parents[2]
KILLS = 5


def start(folder: Path, name: str, *more: str) -> "subprocess.Popen[str]":
    """Start a run by the command line; the process and its workers are in a session of their own."""
    arguments = [
        "fit",
        "data",
        "--output",
        f"{name}.safetensors",
        "--architecture",
        ARCHITECTURE,
        "--weights",
        "weights.pth",
    ]
    recipe = ["--epochs", "60", "--batch-size", "8", "--input-size", "48", "--precision", "float32"]
    folders = ["--cache", f"cache-{name}", "--workers", "1", "--save-every", "0", "--robustness-photos", "0"]
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "training", *arguments, *recipe, *folders, *more]
    return subprocess.Popen(
        command, cwd=folder, env=environment, stdout=subprocess.PIPE, text=True, start_new_session=True
    )


@pytest.mark.slow
@pytest.mark.parametrize("options", [(), ("--robust", "--backbone-rate", "1e-4")])
def test_a_run_killed_at_five_random_moments_ends_bit_identical(tmp_path: Path, options: tuple[str, ...]) -> None:
    """The moments may be within the scan, the probe, a step, a save or a validation; most are within training."""
    write_gratings(tmp_path / "data", {"x": 40, "y": 40})
    write_pretrained(tmp_path / "weights.pth")
    begun = time.monotonic()
    undisturbed = start(tmp_path, "undisturbed", *options)
    undisturbed.communicate()
    seconds = time.monotonic() - begun
    moments, saved_steps = random.Random(0), set()
    for _ in range(KILLS):
        process = start(tmp_path, "killed", "--resume", *options)
        time.sleep(moments.uniform(0.05, 0.25) * seconds)
        assert process.poll() is None, "the run ended before it was killed: give it more epochs"
        os.kill(process.pid, signal.SIGKILL)
        process.communicate()
        if (state := tmp_path / "runs" / "killed" / "state.pt").exists():
            learner = torch.load(state, weights_only=True)["learner"]
            saved_steps.add(learner["step"] if learner else 0)
    assert len(saved_steps - {0}) >= 3, "too few of the moments fell within training"
    output, _ = start(tmp_path, "killed", "--resume", *options).communicate()
    assert "continuing after step" in output
    expected, resumed = (checkpoint.read(tmp_path / f"{name}.safetensors") for name in ("undisturbed", "killed"))
    assert all(torch.equal(tensor, resumed.weights[key]) for key, tensor in expected.weights.items())
    assert resumed.spec == expected.spec and resumed.provenance["metrics"] == expected.provenance["metrics"]
    assert [{**row, "seconds": 0} for row in resumed.provenance["history"]] == [
        {**row, "seconds": 0} for row in expected.provenance["history"]
    ]


@pytest.mark.slow
def test_a_run_killed_while_it_is_extended_ends_bit_identical(tmp_path: Path) -> None:
    """It is extended from 30 epochs to 60 by one undisturbed process, and by four of which three are killed."""
    write_gratings(tmp_path / "data", {"x": 40, "y": 40})
    write_pretrained(tmp_path / "weights.pth")
    start(tmp_path, "killed", "--epochs", "30").communicate()
    shutil.copytree(tmp_path / "runs" / "killed", tmp_path / "runs" / "undisturbed")
    shutil.copytree(tmp_path / "cache-killed", tmp_path / "cache-undisturbed")
    begun = time.monotonic()
    output, _ = start(tmp_path, "undisturbed", "--resume").communicate()
    seconds = time.monotonic() - begun
    assert "is extended to 60: from epoch 31 on" in output
    moments, steps = random.Random(1), set()
    for _ in range(3):
        process = start(tmp_path, "killed", "--resume")
        time.sleep(moments.uniform(0.2, 0.5) * seconds)
        assert process.poll() is None, "the run ended before it was killed: give it more epochs"
        os.kill(process.pid, signal.SIGKILL)
        process.communicate()
        learner = torch.load(tmp_path / "runs" / "killed" / "state.pt", weights_only=True)["learner"]
        steps.add(learner["step"])
    assert max(steps) > 30 * 7, "none of the moments fell within the added epochs"
    start(tmp_path, "killed", "--resume").communicate()
    expected, resumed = (checkpoint.read(tmp_path / f"{name}.safetensors") for name in ("undisturbed", "killed"))
    assert all(torch.equal(tensor, resumed.weights[key]) for key, tensor in expected.weights.items())
    assert resumed.provenance["schedules"] == expected.provenance["schedules"]
    assert [{**row, "seconds": 0} for row in resumed.provenance["history"]] == [
        {**row, "seconds": 0} for row in expected.provenance["history"]
    ]
