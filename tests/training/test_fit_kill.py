import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch

from models import checkpoint
from tests.training.runs import REPOSITORY

COMMAND = """
import sys, torch
from pathlib import Path
torch.set_num_threads(1)
from rich.console import Console
from training.cache import Cache
from training.fit import fit
from training.options import FitOptions
from training.recipe import Recipe
from training.learner import Learner

if __name__ == "__main__":
    place, data, pretrained, mode = *map(Path, sys.argv[1:4]), sys.argv[4]
    whole = Learner.learn

    def slow(learner, *batch):
        if learner.step == 7 and mode == "hang":
            print("MID-EPOCH", flush=True)
            import time; time.sleep(600)
        return whole(learner, *batch)

    Learner.learn = slow
    recipe = Recipe(epochs=3, full_size_epochs=1, batch_size=8, input_size=48, precision="float32")
    fit(FitOptions(data=data, output=place / "stripes.safetensors", architecture="shufflenet_v2_x0_5", recipe=recipe,
            weights=pretrained, runs=place / "runs", workers=1, resume=mode == "resume", save_every_s=0.0,
            cache=Cache(place / "cache"), robustness_photos=0 if mode == "hang" else 6,
            robustness_seconds=600.0), Console())
"""


def start(place: Path, data: Path, pretrained: Path, mode: str) -> "subprocess.Popen[str]":
    script = place / "train.py"
    script.write_text(COMMAND)
    command = [sys.executable, str(script), str(place), str(data), str(pretrained), mode]
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment, start_new_session=True)


def alive_in_session(session: int) -> list[int]:
    """The processes of a session, without zombies (Linux)."""
    processes = []
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _, _, session_of_process = status.read_text().rsplit(")", 1)[1].split()[:4]
        except OSError:  # it ended meanwhile
            continue
        if int(session_of_process) == session and state != "Z":
            processes.append(int(status.parent.name))
    return processes


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks for left-over processes in Linux' /proc")
def test_kill_9_loses_no_saved_step_and_leaves_no_process(tmp_path: Path, data: Path, pretrained: Path) -> None:
    """A run killed within its third epoch continues after its last step, and its workers end with it."""
    killed = start(tmp_path, data, pretrained, "hang")
    assert killed.stdout is not None
    assert any("MID-EPOCH" in line for line in killed.stdout)
    os.kill(killed.pid, signal.SIGKILL)
    killed.wait()
    killed.stdout.close()
    for _ in range(100):
        if not alive_in_session(killed.pid):
            break
        time.sleep(0.1)
    assert alive_in_session(killed.pid) == []
    output, _ = start(tmp_path, data, pretrained, "resume").communicate()
    assert "continuing after step 7 of 9" in output
    assert checkpoint.read(tmp_path / "stripes.safetensors").provenance["history"][-1]["epoch"] == 3


@pytest.mark.slow
def test_kill_9_after_the_checkpoint_is_ready_leaves_it_complete(tmp_path: Path, data: Path, pretrained: Path) -> None:
    """The moments are from the first report on to the end: the attack, and the second writing of each file.

    After each kill the checkpoint can be loaded and has all its figures, with or without accuracy under attack.
    """
    output, moments = tmp_path / "stripes.safetensors", random.Random(0)
    whole = start(tmp_path, data, pretrained, "whole")
    assert whole.stdout is not None
    assert any("is ready" in line for line in whole.stdout)
    begun = time.monotonic()
    whole.communicate()
    seconds = time.monotonic() - begun
    complete = checkpoint.load(output)[1]
    assert complete.provenance["metrics"]["robustness"]["photos"] == 6
    kills = interrupted = 0
    while kills < 5 or interrupted < 2:  # a run may end sooner than the one that was timed
        kills += 1
        assert kills <= 25, "too few of the moments fell within the attack"
        checkpoint.replace_provenance(output, without_curve(complete.provenance))
        killed = start(tmp_path, data, pretrained, "resume")
        assert killed.stdout is not None
        assert any("is ready" in line for line in killed.stdout)
        time.sleep(moments.uniform(0, 1) * seconds)
        os.kill(killed.pid, signal.SIGKILL)
        killed.wait()
        killed.stdout.close()
        left = checkpoint.load(output)[1].provenance
        interrupted += left == without_curve(complete.provenance)
        assert left in (complete.provenance, without_curve(complete.provenance))
    text, _ = start(tmp_path, data, pretrained, "resume").communicate()
    assert "nothing is left to train" in text
    left, weights = checkpoint.load(output)[1], complete.weights
    assert (left.spec, left.provenance, left.golden) == (complete.spec, complete.provenance, complete.golden)
    assert all(torch.equal(tensor, weights[name]) for name, tensor in left.weights.items())
    assert "Accuracy under the attack" in output.with_suffix(".md").read_text()
    assert not [file for file in tmp_path.iterdir() if file.name.startswith(".")]


def without_curve(provenance: Mapping[str, Any]) -> dict[str, Any]:
    """The provenance as it is before accuracy under attack is added."""
    return {**provenance, "metrics": {**provenance["metrics"], "robustness": None}}
