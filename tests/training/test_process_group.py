"""A run on two processes under torchrun, with gloo on the CPU."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from models import checkpoint
from tests.training.drawn import write_gratings, write_pretrained
from training.process_group import (
    DistributedProcesses,
    NoProcessGroup,
    SingleProcess,
    start_process_group,
    was_restarted,
)

pytest.importorskip("lightning_fabric")

REPOSITORY = Path(__file__).parents[2]

SCRIPT = """
import os, signal, sys, warnings
from dataclasses import replace
from pathlib import Path
warnings.simplefilter("ignore")
import torch
torch.set_num_threads(1)
from rich.console import Console
from training.cache import Cache
from training.fit import fit
from training.learner import Learner
from training.options import FitOptions
from training.recipe import Recipe

place, how = Path(sys.argv[1]), sys.argv[2:]
whole = Learner.learn

def learn(learner, *batch):
    if "die" in how and learner.step == 4 and not (place / "died").exists() and os.environ["RANK"] == "1":
        (place / "died").touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return whole(learner, *batch)

if __name__ == "__main__":
    Learner.learn = learn
    recipe = Recipe(epochs=3, full_size_epochs=1, batch_size=8, input_size=48, precision="float32", dropout=0.0,
                    optimiser="sgd", head_rate=1e-3, backbone_rate=1e-4)
    if "robust" in how:
        recipe = replace(recipe, attack_steps=1, frozen_statistics=False)
    if "balanced" in how:
        recipe = replace(recipe, class_weights="balanced")
    metrics = fit(FitOptions(data=place / "data", output=place / "stripes.safetensors",
                      architecture="mobilenet_v3_small", recipe=recipe, weights=place / "weights.pth",
                      runs=place / "runs", save_every_s=0.0,
                      cache=Cache(place / "cache"), robustness_photos=0, overwrite=True), Console(width=200))
    print("FIGURES" if metrics else "NONE", flush=True)
"""


def launch(place: Path, processes: int, *how: str, restarts: int = 0) -> str:
    """What a run says; `processes` 1 is a plain process; how: die, robust, balanced."""
    script = place / "train.py"
    script.write_text(SCRIPT)
    torchrun = ["-m", "torch.distributed.run", "--nproc-per-node", str(processes), "--max-restarts", str(restarts)]
    words = [sys.executable, *(torchrun if processes > 1 else []), str(script), str(place), *how]
    # Without it a restarted process group waits for a store that ended with the first (docs/training.md).
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY), "TORCH_DISABLE_SHARE_RDZV_TCP_STORE": "1"}
    done = subprocess.run(words, capture_output=True, text=True, env=environment, timeout=500)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def place(tmp_path: Path) -> Path:
    # An odd number to validate on: a sampler that pads would count one photo twice.
    write_gratings(tmp_path / "data", {"Reddish": 20, "Bluish": 26})
    write_pretrained(tmp_path / "weights.pth")
    return tmp_path


def test_alone_everything_is_as_it_is() -> None:
    group, rows = SingleProcess(torch.device("cpu")), torch.arange(3)
    assert (group.rank, group.size) == (0, 1) and group.share("x") == "x" and torch.equal(group.collect(rows), rows)
    network = torch.nn.Linear(1, 1)
    assert group.join(network) is network
    group.backward(network(torch.ones(1, 1)).sum())
    assert group.mean(torch.tensor(2.0)) == 2
    assert network.weight.grad is not None
    assert isinstance(start_process_group(torch.device("cpu")), SingleProcess) and not was_restarted()


def test_without_fabric_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "lightning_fabric", None)
    with pytest.raises(NoProcessGroup, match=r"pip install 'mirage-vision\[distributed\]'"):
        DistributedProcesses(torch.device("cpu"))


@pytest.mark.slow
@pytest.mark.parametrize("how", [(), ("balanced",)])
def test_two_processes_do_what_one_does(place: Path, how: tuple[str, ...]) -> None:
    """The same weights and figures to float tolerance, with the same batches in all; one of them writes.

    By SGD without dropout: AdamW's first steps are signs, which magnify the last bit, and each process drops its own.
    """
    launch(place, 1, *how)
    alone = checkpoint.read(place / "stripes.safetensors")
    told = launch(place, 2, *how)
    together = checkpoint.read(place / "stripes.safetensors")
    assert told.count("FIGURES") == told.count("NONE") == 1
    for row, other in zip(alone.provenance["history"], together.provenance["history"], strict=True):
        assert row["loss"] == pytest.approx(other["loss"], rel=1e-3)
        # Photos that are as good as sure have a likelihood of which float32 leaves few digits.
        assert row["raw_nll"] == pytest.approx(other["raw_nll"], rel=1e-3, abs=2e-6)
        assert row["raw_accuracy"] == other["raw_accuracy"]
    assert alone.provenance["metrics"]["validation"]["photos"] == 7
    for key, tensor in alone.weights.items():
        assert torch.allclose(tensor.float(), together.weights[key].float(), atol=1e-3, rtol=2e-3), key  # float16


@pytest.mark.slow
@pytest.mark.parametrize("how", [(), ("robust",)])
def test_a_lost_worker_comes_back_and_the_run_completes(place: Path, how: tuple[str, ...]) -> None:
    """Rank 1 is killed with -9 at its fifth step: torchrun starts both again, and they end as two that were not.

    Also where batch norm's statistics move, and an attack goes by them before the step.
    """
    launch(place, 2, *how)
    undisturbed = checkpoint.read(place / "stripes.safetensors")
    told = launch(place, 2, "die", *how, restarts=1)
    assert (place / "died").exists() and "continuing after step" in told
    found = checkpoint.read(place / "stripes.safetensors")
    assert all(torch.equal(tensor, found.weights[key]) for key, tensor in undisturbed.weights.items())
